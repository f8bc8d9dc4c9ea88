//! What the commit, the lock and recovery rely on in every store. The conformance suite asks it of each.

use std::io::Cursor;

use bytes::Bytes;
use flowlake::store::{
    CreateOutcome, Destination, FileMove, ObjectVersion, PublishError, ReplaceOutcome,
};
use object_store::path::Path;

fn path(name: &str) -> Path {
    Path::parse(name).unwrap()
}

fn text(text: &str) -> Bytes {
    Bytes::from(text.to_owned())
}

/// `is_atomic` tells whether of several concurrent creates one succeeds.
pub async fn keeps_promises(destination: &Destination, is_atomic: bool) {
    one_writer_creates_a_file(destination, is_atomic).await;
    one_writer_replaces_a_version(destination).await;
    writes_give_back_the_version(destination).await;
    files_are_published_under_their_names(destination).await;
    s02_what_is_published_is_never_written_over(destination).await;
    o12_many_files_are_published_and_removed(destination).await;
    large_files_are_written_as_a_whole_or_not_at_all(destination).await;
    let tried = destination.try_out(&"check".parse().unwrap()).await.unwrap();
    assert!(!tried.to_string().is_empty());
    assert!(destination.list(&destination.own("check")).await.unwrap().is_empty());
    assert!(destination.list(&destination.own("staging")).await.unwrap().is_empty());
}

async fn one_writer_creates_a_file(destination: &Destination, is_atomic: bool) {
    let record = destination.own("commits").join("000000000001.json");
    let created = destination.create(&record, text("first")).await.unwrap();
    assert_ne!(created, CreateOutcome::AlreadyExists);
    let created = destination.create(&record, text("second")).await.unwrap();
    assert_eq!(created, CreateOutcome::AlreadyExists);
    assert_eq!(destination.get(&record).await.unwrap(), Some(text("first")));
    let at_once = (0..8).map(|number| {
        let record = destination.own("commits").join("000000000002.json");
        async move { destination.create(&record, Bytes::from(number.to_string())).await.unwrap() }
    });
    let outcomes = futures::future::join_all(at_once).await;
    let created = outcomes.iter().filter(|it| **it != CreateOutcome::AlreadyExists).count();
    assert!(created == 1 || (created > 1 && !is_atomic), "{created} created it");
}

async fn one_writer_replaces_a_version(destination: &Destination) {
    let lock = destination.own("lock.json");
    destination.put(&lock, text("mine")).await.unwrap();
    let seen = destination.version(&lock).await.unwrap();
    destination.put(&lock, text("theirs")).await.unwrap();
    let replaced = destination.replace(&lock, text("mine again"), seen).await.unwrap();
    assert_eq!(replaced, ReplaceOutcome::Conflict);
    assert_eq!(destination.get(&lock).await.unwrap(), Some(text("theirs")));
    let seen = destination.version(&lock).await.unwrap();
    let replaced = destination.replace(&lock, text("mine now"), seen.clone()).await.unwrap();
    assert_ne!(replaced, ReplaceOutcome::Conflict);
    assert_eq!(destination.get(&lock).await.unwrap(), Some(text("mine now")));
    destination.delete(&lock).await.unwrap();
    let gone = destination.replace(&lock, text("mine"), seen).await.unwrap();
    assert_eq!(gone, ReplaceOutcome::Conflict);
    let absent = ObjectVersion::Absent;
    let created = destination.replace(&lock, text("mine"), absent.clone()).await.unwrap();
    assert_ne!(created, ReplaceOutcome::Conflict);
    let created = destination.replace(&lock, text("theirs"), absent).await.unwrap();
    assert_eq!(created, ReplaceOutcome::Conflict);
}

async fn writes_give_back_the_version(destination: &Destination) {
    let file = destination.own("versioned.json");
    assert_eq!(destination.get_versioned(&file).await.unwrap(), None);
    let CreateOutcome::Created(version) = destination.create(&file, text("1")).await.unwrap()
    else {
        panic!("it was absent");
    };
    assert_eq!(destination.get_versioned(&file).await.unwrap(), Some((text("1"), version.clone())));
    let ReplaceOutcome::Replaced(version) =
        destination.replace(&file, text("22"), version).await.unwrap()
    else {
        panic!("nobody else wrote it");
    };
    assert_eq!(destination.get_versioned(&file).await.unwrap(), Some((text("22"), version)));
    let version = destination.put(&file, text("333")).await.unwrap();
    assert_eq!(destination.version(&file).await.unwrap(), version);
    let replaced = destination.replace(&file, text("4444"), version).await.unwrap();
    assert_ne!(replaced, ReplaceOutcome::Conflict);
    destination.delete(&file).await.unwrap();
}

/// A file that is complete in staging, with its own name as content.
async fn staged(destination: &Destination, target: &str) -> FileMove {
    let staged = destination.staged(&"run".parse().unwrap(), &path(target));
    destination.stage(&staged, text(target)).await.unwrap();
    FileMove::new(staged, path(target), target.len() as u64)
}

/// Names are kept as given.
async fn files_are_published_under_their_names(destination: &Destination) {
    let names = [
        "t/status_partition=a%2Fb c/0000-run.parquet",
        "t/status_partition=Äpfel å%25 日/0000-run.parquet",
        "t/status_partition=Sent ü~[1]/0000-run.parquet",
        "t/at_month=none/0000-run.parquet",
        "t__lines/0000-run.parquet",
    ];
    for name in names {
        let file = staged(destination, name).await;
        destination.sync_names([&file.staged]).await.unwrap();
        destination.publish_all(std::slice::from_ref(&file)).await.unwrap();
        assert_eq!(destination.size(&file.staged).await.unwrap(), None);
        assert_eq!(destination.get(&path(name)).await.unwrap(), Some(text(name)));
        assert_eq!(destination.size(&path(name)).await.unwrap(), Some(name.len() as u64));
    }
    let listed = destination.list(&path("t")).await.unwrap();
    let listed: Vec<String> = listed.into_iter().map(|it| it.path.to_string()).collect();
    let mut expected = names[..4].to_vec();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    assert!(destination.list(&destination.own("staging")).await.unwrap().is_empty());
    // Removing a missing file is no error.
    for _ in 0..2 {
        destination.delete(&path(names[0])).await.unwrap();
        assert_eq!(destination.get(&path(names[0])).await.unwrap(), None);
    }
    let names = names.map(path);
    destination.delete_all(&names).await.unwrap();
    destination.delete_all(&names).await.unwrap();
    destination.delete_all(&[]).await.unwrap();
    assert!(destination.list(&path("t")).await.unwrap().is_empty());
}

/// S2. A commit may be interrupted at any point and is then repeated: what is there already is compared.
async fn s02_what_is_published_is_never_written_over(destination: &Destination) {
    // Alone, and among others: those are looked at by a listing.
    for others in [0, 5] {
        let other = |number: usize| format!("s/{number}.parquet");
        let mut moves = Vec::new();
        for number in 0..others {
            moves.push(staged(destination, &other(number)).await);
        }
        let name = "s/Sent/0000-run.parquet";
        let file = staged(destination, name).await;
        moves.push(file.clone());
        destination.publish_all(&moves).await.unwrap();
        // Done again, with nothing left in staging.
        destination.publish_all(&moves).await.unwrap();
        // Interrupted before the original was removed.
        staged(destination, name).await;
        destination.publish_all(&moves).await.unwrap();
        assert_eq!(destination.size(&file.staged).await.unwrap(), None);
        assert_eq!(destination.get(&file.target).await.unwrap(), Some(text(name)));
        // Another file, of another size and of the same.
        for there in ["another", "s/sent/0000-RUN.parquet"] {
            destination.put(&file.target, text(there)).await.unwrap();
            staged(destination, name).await;
            let refused = destination.publish_all(&moves).await.unwrap_err();
            assert!(matches!(refused, PublishError::Taken { .. }), "{refused}");
            assert!(refused.to_string().contains(name), "{refused}");
            assert_eq!(destination.get(&file.target).await.unwrap(), Some(text(there)));
            assert_eq!(destination.get(&file.staged).await.unwrap(), Some(text(name)));
        }
        destination.delete(&file.staged).await.unwrap();
        destination.put(&file.target, text("another")).await.unwrap();
        let refused = destination.publish_all(&moves).await.unwrap_err();
        assert!(matches!(refused, PublishError::Taken { .. }), "{refused}");
        destination.delete(&file.target).await.unwrap();
        let refused = destination.publish_all(&moves).await.unwrap_err();
        assert!(matches!(refused, PublishError::Lost { .. }), "{refused}");
        assert!(refused.to_string().contains(name), "{refused}");
        let all: Vec<Path> = moves.into_iter().map(|file| file.target).collect();
        destination.delete_all(&all).await.unwrap();
    }
}

async fn o12_many_files_are_published_and_removed(destination: &Destination) {
    let mut moves = Vec::new();
    for number in 0..70 {
        moves.push(staged(destination, &format!("m/n_partition={number}/0000-run.parquet")).await);
    }
    destination.sync_names(moves.iter().map(|file| &file.staged)).await.unwrap();
    destination.publish_all(&moves).await.unwrap();
    let listed = destination.list(&path("m")).await.unwrap();
    assert_eq!(listed.len(), moves.len());
    for (file, listed) in moves.iter().zip(0..5) {
        assert_eq!(
            destination.get(&file.target).await.unwrap(),
            Some(text(file.target.as_ref())),
            "{listed}"
        );
    }
    assert!(destination.list(&destination.own("staging")).await.unwrap().is_empty());
    let mut targets: Vec<Path> = moves.into_iter().map(|file| file.target).collect();
    targets.push(path("m/absent.parquet"));
    destination.delete_all(&targets).await.unwrap();
    assert!(destination.list(&path("m")).await.unwrap().is_empty());
}

/// A large file is uploaded in parts. One that cannot be read to its end is not uploaded.
async fn large_files_are_written_as_a_whole_or_not_at_all(destination: &Destination) {
    let large: Vec<u8> = (0..20_000_000_u32).map(|at| (at / 997).to_le_bytes()[0]).collect();
    let target = path("t/large.parquet");
    let version = destination.put_stream(&target, Cursor::new(large.clone())).await.unwrap();
    let (content, found) = destination.get_versioned(&target).await.unwrap().unwrap();
    assert!(content == large, "it is as it was written");
    assert_eq!(found, version);
    destination.put(&target, Bytes::from(large[1..].to_vec())).await.unwrap();
    assert_eq!(destination.size(&target).await.unwrap(), Some(large.len() as u64 - 1));
    let broken = path("t/broken.parquet");
    destination.put_stream(&broken, Broken(Cursor::new(large))).await.unwrap_err();
    assert_eq!(destination.size(&broken).await.unwrap(), None);
    assert!(destination.temporary_files().await.unwrap().is_empty());
    destination.delete(&target).await.unwrap();
}

/// A reader that fails before its end.
struct Broken(Cursor<Vec<u8>>);

impl std::io::Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(std::io::Error::other("the disk is gone")),
            bytes => Ok(bytes),
        }
    }
}
