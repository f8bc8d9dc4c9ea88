//! Archive: the exports of the last runs, as received, in the destination.
//!
//! | export | file below `_flowlake/landing` |
//! |---|---|
//! | full | `<run id>.json.zst` |
//! | third piece of a window | `<run id>/0002.json.zst` |
//!
//! Beside each file, one that ends in `.origin.json` says where the export came from.

use std::path::PathBuf;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::{ExportHash, LandError, Landed};
use crate::exit_code::{ExitCode, Failure, advice};
use crate::schema::{RunId, Window};
use crate::shown;
use crate::source::ResponseMetadata;
use crate::store::{Destination, DestinationError};

/// How the name of an export ends.
pub const EXPORT: &str = ".json.zst";
/// How the name of its origin ends.
pub const ORIGIN: &str = ".origin.json";

/// An export could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The destination failed.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// Its origin is not writable as JSON.
    #[error("cannot write the origin of an export as JSON: {0}")]
    Origin(#[from] serde_json::Error),
    /// A kept export cannot be loaded again.
    #[error("the kept export `{path}` cannot be loaded: {problem}")]
    Unusable {
        /// The file.
        path: Path,
        /// Why not.
        problem: String,
    },
    /// The disk on which exports are spooled failed.
    #[error(transparent)]
    Spool(#[from] LandError),
}

impl Failure for ArchiveError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Destination(error) => error.exit_code(),
            Self::Origin(_) => ExitCode::Unexpected,
            Self::Unusable { .. } => ExitCode::Destination,
            Self::Spool(error) => error.exit_code(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Destination(error) => error.help(),
            Self::Origin(_) => Some(advice::REPORT_A_BUG.to_owned()),
            Self::Unusable { .. } => Some(
                "load that of another run with `--run`, or ask the source with `flowlake run`"
                    .to_owned(),
            ),
            Self::Spool(error) => error.help(),
        }
    }
}

/// An export that a run has received.
#[derive(Debug, Clone)]
pub struct ReceivedExport {
    /// What was requested, without the key.
    pub url: String,
    /// The window that it covers; none for a full export.
    pub window: Option<Window>,
    /// What the response said before its body.
    pub metadata: ResponseMetadata,
    /// The body.
    pub landed: Landed,
}

/// The content of an `.origin.json` file.
#[derive(Serialize)]
struct ExportOrigin<'a> {
    pipeline: &'a str,
    received_at: DateTime<Utc>,
    url: &'a str,
    /// How many exports the run has received.
    pieces: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<Window>,
    #[serde(flatten)]
    response_metadata: &'a ResponseMetadata,
    /// Decompressed.
    bytes: u64,
    /// Of the export as received, decompressed.
    blake3: &'a ExportHash,
}

/// The landing area of a destination, for one run.
#[derive(Debug, Clone, Copy)]
pub struct Archive<'a> {
    /// The destination.
    pub destination: &'a Destination,
    /// The run that adds its exports.
    pub run_id: &'a RunId,
    /// Its pipeline.
    pub pipeline: &'a str,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// The exports of how many runs are kept; 0 keeps none.
    pub keep: usize,
}

impl Archive<'_> {
    /// Where to spool exports while they arrive: on the disk that they stay on, where there is one.
    #[must_use]
    pub fn spool_directory(&self) -> PathBuf {
        let of_destination = self.destination.local_file(&Path::default());
        of_destination.filter(|_| self.keep > 0).unwrap_or_else(std::env::temp_dir)
    }

    /// Adds the exports of this run.
    ///
    /// # Errors
    /// The destination failed.
    pub async fn add(&self, exports: &[ReceivedExport]) -> Result<(), ArchiveError> {
        if self.keep > 0 {
            for (piece, export) in exports.iter().enumerate() {
                self.put(piece, exports.len(), export).await?;
            }
        }
        Ok(())
    }

    async fn put(
        &self,
        piece: usize,
        pieces: usize,
        export: &ReceivedExport,
    ) -> Result<(), ArchiveError> {
        let landed = &export.landed;
        let origin = shown::kept_report(&ExportOrigin {
            pipeline: self.pipeline,
            received_at: self.started_at,
            url: &export.url,
            pieces,
            window: export.window,
            response_metadata: &export.metadata,
            bytes: landed.bytes,
            blake3: &landed.hash,
        })?;
        let path = |ending| self.path(piece, export.window, ending);
        if !self.destination.adopt(landed.file(), &path(EXPORT)).await? {
            self.destination.put_stream(&path(EXPORT), landed.compressed()).await?;
        }
        self.destination.put(&path(ORIGIN), Bytes::from(origin)).await?;
        Ok(())
    }

    /// The pieces of a window lie in a directory of their run.
    fn path(&self, piece: usize, window: Option<Window>, ending: &str) -> Path {
        let (area, run_id) = (self.destination.own("landing"), self.run_id);
        match window {
            None => area.join(format!("{run_id}{ending}")),
            Some(_) => area.join(run_id.to_string()).join(format!("{piece:04}{ending}")),
        }
    }
}

/// Where the origin of a kept export is.
#[must_use]
pub fn origin_of(export: &Path) -> Path {
    let path = export.as_ref();
    Path::from(format!("{}{ORIGIN}", path.strip_suffix(EXPORT).unwrap_or(path)))
}

/// The hash that an `.origin.json` file says its export has.
///
/// # Errors
/// The file is damaged.
pub fn hash_of_origin(content: &[u8]) -> Result<String, serde_json::Error> {
    #[derive(Deserialize)]
    struct Origin {
        blake3: String,
    }
    // The whole of it is looked at, and not only the hash.
    let origin: serde_json::Value = serde_json::from_slice(content)?;
    Ok(serde_json::from_value::<Origin>(origin)?.blake3)
}

/// What is wrong with a kept export, by the hash in its origin. Nothing is known of one without an origin.
#[must_use]
pub fn damage_of(export: &[u8], origin: Option<&[u8]>) -> Option<String> {
    let expected = hash_of_origin(origin?).ok()?;
    let mut hasher = blake3::Hasher::new();
    let decompressed =
        zstd::Decoder::new(export).and_then(|mut export| std::io::copy(&mut export, &mut hasher));
    match decompressed {
        Err(error) => Some(error.to_string()),
        Ok(_) if hasher.finalize().to_hex().as_str() != expected => {
            Some("it is not what was received".to_owned())
        }
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::super::Landing;
    use super::*;

    fn received(window: Option<Window>) -> ReceivedExport {
        let mut landing = Landing::create(std::env::temp_dir()).unwrap();
        landing.write(b"[]").unwrap();
        let metadata =
            ResponseMetadata { status: 200, protocol: "HTTP/1.1".into(), headers: BTreeMap::new() };
        let url = "https://example.com/".to_owned();
        ReceivedExport { url, window, metadata, landed: landing.finish().unwrap() }
    }

    async fn names(destination: &Destination) -> Vec<String> {
        let area = destination.own("landing");
        let listed = destination.list(&area).await.unwrap().into_iter();
        let name = |path: &Path| path.as_ref().trim_start_matches("_flowlake/landing/").to_owned();
        listed.map(|listed| name(&listed.path)).collect()
    }

    #[tokio::test]
    async fn exports_are_kept_with_their_origins() {
        let destination = Destination::of_store(Arc::new(InMemory::new()), "memory");
        let window = Window {
            start: "2026-01-01T00:00:00Z".parse().unwrap(),
            end: "2026-03-01T00:00:00Z".parse().unwrap(),
        };
        for (run_id, keep, exports) in [
            ("run-1", 0, vec![received(None)]),
            ("run-2", 2, vec![received(Some(window)), received(Some(window))]),
            ("run-3", 2, vec![received(None)]),
        ] {
            let run_id = run_id.parse().unwrap();
            let archive = Archive {
                destination: &destination,
                run_id: &run_id,
                pipeline: "test",
                started_at: DateTime::UNIX_EPOCH,
                keep,
            };
            archive.add(&exports).await.unwrap();
        }
        let expected = [
            "run-2/0000.json.zst",
            "run-2/0000.origin.json",
            "run-2/0001.json.zst",
            "run-2/0001.origin.json",
            "run-3.json.zst",
            "run-3.origin.json",
        ];
        assert_eq!(names(&destination).await, expected);
    }

    #[tokio::test]
    async fn s06_a_damaged_export_is_told_from_a_sound_one() {
        let destination = Destination::of_store(Arc::new(InMemory::new()), "memory");
        let run_id = "run".parse().unwrap();
        let archive = Archive {
            destination: &destination,
            run_id: &run_id,
            pipeline: "test",
            started_at: DateTime::UNIX_EPOCH,
            keep: 1,
        };
        archive.add(&[received(None)]).await.unwrap();
        let export = Path::from("_flowlake/landing/run.json.zst");
        let origin = destination.get(&origin_of(&export)).await.unwrap().unwrap();
        let mut content = destination.get(&export).await.unwrap().unwrap().to_vec();
        assert_eq!(damage_of(&content, Some(&origin)), None);
        content.truncate(content.len() - 1);
        assert!(damage_of(&content, Some(&origin)).is_some());
        let other = zstd::encode_all(&b"[1]"[..], 0).unwrap();
        let expected = Some("it is not what was received".to_owned());
        assert_eq!(damage_of(&other, Some(&origin)), expected);
    }
}
