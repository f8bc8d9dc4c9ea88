//! What tests of a remote store have in common.

use std::path::Path;

use flowlake::store::Destination;
use tempfile::TempDir;

use super::{Lake, Source, Workplace};

/// A server that keeps lakes.
pub trait Remote {
    /// The URL of an empty destination.
    fn new_url(&self) -> String;

    /// Opens a destination in this process.
    fn open(&self, url: &str) -> Destination;

    /// The environment in which the binary reaches the server.
    fn environment(&self, workplace: Workplace) -> Workplace;
}

/// A workplace whose definitions write to `url`.
pub fn workplace(remote: &dyn Remote, source: &Source, url: &str) -> Workplace {
    remote.environment(Workplace::asking(source)).with("TEST_DESTINATION", url)
}

/// Copies everything that a destination holds to local disk.
pub fn download(remote: &dyn Remote, url: &str) -> (TempDir, Lake) {
    let directory = TempDir::new().unwrap();
    let destination = remote.open(url);
    super::runtime().block_on(async {
        for listed in destination.list(&object_store::path::Path::default()).await.unwrap() {
            let file = directory.path().join(Path::new(listed.path.as_ref()));
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, destination.get(&listed.path).await.unwrap().unwrap()).unwrap();
        }
    });
    let lake = Lake::at(directory.path());
    (directory, lake)
}
