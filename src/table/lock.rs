//! Lock: one writer at a time (promise P10).
//!
//! | destination | lock | after its owner dies |
//! |---|---|---|
//! | local disk | an operating system lock on `lock.json` | free at once |
//! | object stores, and file systems without locks | a lease: `lock.json`, created if absent and renewed every [`HEARTBEAT`] | free at once on the same machine, elsewhere after [`LEASE`] |
//!
//! The lock saves a second run its work. Correctness does not depend on it: only one commit can create the record of a
//! sequence number, so a run that slept through the end of its lease gets a conflict.

mod owner;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use tokio::task::JoinHandle;

pub use owner::{Holder, Owner};

use super::layout::lock as path;
use crate::exit_code::{ExitCode, Failure, advice};
use crate::runtime::on_cpu;
use crate::store::{CreateOutcome, Destination, DestinationError, ObjectVersion, ReplaceOutcome};

/// How often a lease is renewed.
pub const HEARTBEAT: Duration = Duration::from_secs(20);
/// A lease that was not renewed for this long has expired. The clocks of machines must differ by less.
pub const LEASE: TimeDelta = TimeDelta::minutes(3);

/// How often a local lock is tried again while its owner is unknown.
const MAX_ATTEMPTS: u32 = 50;
/// The pause between these attempts.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(20);
/// Why a lock is not released.
const STILL_WRITING: &str = "files are still being written, as the disk is slow or hangs";
/// How often a lease is tried again while other runs create or release it at the same time.
const MAX_LEASE_ATTEMPTS: u32 = 3;

/// A lock cannot be acquired.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it.
    #[error("the destination is locked by {by}")]
    Held {
        /// Who holds it.
        by: Holder,
        /// It is a lease, which can be taken away; on local disk a lock ends only with its process.
        is_lease: bool,
    },
    /// On local disk nobody can take a lock away.
    #[error(
        "the destination is locked by {by}, and on local disk a lock ends only with its process"
    )]
    Alive {
        /// Who holds it.
        by: Holder,
    },
    /// The destination failed.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// The lock file cannot be opened, locked or written.
    #[error("cannot lock `{path}`: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl Failure for LockError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Held { .. } | Self::Alive { .. } => ExitCode::Busy,
            Self::Destination(_) | Self::File { .. } => ExitCode::Destination,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Held { by: Holder::Unnamed(file), .. } => {
                Some(format!("find the process with `fuser {}`, and let it end", file.display()))
            }
            Self::Held { is_lease: true, .. } => Some(
                "let it finish (`flowlake run --wait` waits for it); if its machine is gone, \
                 `flowlake unlock --force` frees the destination"
                    .to_owned(),
            ),
            Self::Held { by: Holder::Run(owner), .. } => Some(format!(
                "let it finish (`flowlake run --wait` waits for it); if it hangs, end process {} on {}",
                owner.pid, owner.host
            )),
            Self::Alive { by: Holder::Run(owner) } => Some(format!(
                "end process {} on {}; its tables are as they were",
                owner.pid, owner.host
            )),
            Self::Alive { by: Holder::Unnamed(file) } => {
                Some(format!("find the process with `fuser {}`, and end it", file.display()))
            }
            Self::Destination(error) => error.help(),
            Self::File { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                Some(advice::OTHER_USER.to_owned())
            }
            Self::File { .. } => Some(advice::CHECK_DESTINATION.to_owned()),
        }
    }
}

/// A lock that is held until [`release`](Self::release), or until the process ends.
#[derive(Debug)]
pub struct Lock {
    destination: Destination,
    held: LockKind,
}

#[derive(Debug)]
enum LockKind {
    /// An operating system lock.
    File(LockedFile),
    Lease(Box<Lease>),
}

/// A locked file.
#[derive(Debug)]
struct LockedFile(File);

// Closing the file is not enough while a process that is being started has a copy of it.
impl Drop for LockedFile {
    fn drop(&mut self) {
        unlock(&self.0);
    }
}

#[derive(Debug)]
struct Lease {
    owner: Owner,
    is_lost: Arc<AtomicBool>,
    heartbeat: JoinHandle<()>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.heartbeat.abort();
    }
}

impl Lock {
    /// Acquires the lock of a destination. The lock of an owner that is gone is taken over.
    ///
    /// # Errors
    /// Another run holds it, or the destination fails.
    pub async fn acquire(destination: &Destination, owner: Owner) -> Result<Self, LockError> {
        match destination.local_file(&path(destination)) {
            Some(file) => {
                let own = owner.clone();
                let mode = destination.raw_mode().bits();
                let destination = destination.clone();
                match on_cpu(move || lock_file(&file, mode, &own)).await {
                    Err(error) if is_unsupported(&error) => {
                        acquire_lease(&destination, owner).await
                    }
                    locked => Ok(Self { destination, held: LockKind::File(LockedFile(locked?)) }),
                }
            }
            None => acquire_lease(destination, owner).await,
        }
    }

    /// Whether another run has taken the lock over.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        match &self.held {
            LockKind::File(_) => false,
            LockKind::Lease(lease) => lease.is_lost.load(Ordering::Relaxed),
        }
    }

    /// Whether it ends with the process that holds it, so that nobody else is at work.
    #[must_use]
    pub fn ends_with_process(&self) -> bool {
        matches!(self.held, LockKind::File(_))
    }

    /// Releases the lock, after all that this process does to local disk under it. Where that does not end, the lock ends
    /// with the process, or expires.
    pub async fn release(self) {
        let Self { destination, held } = self;
        match held {
            LockKind::File(file) if destination.settle().await => drop(file),
            LockKind::File(file) => {
                tracing::warn!("{STILL_WRITING}; the lock ends with this process");
                std::mem::forget(file);
            }
            LockKind::Lease(lease) => give_up(*lease, &destination).await,
        }
    }
}

/// Deletes a lease, unless another run has taken it over.
async fn give_up(mut lease: Lease, destination: &Destination) {
    lease.heartbeat.abort();
    // It was aborted, and has nothing to say.
    let _ = (&mut lease.heartbeat).await;
    let minutes = LEASE.num_minutes();
    if !destination.settle().await {
        tracing::warn!("{STILL_WRITING}; the lock expires in {minutes} minutes");
        return;
    }
    let released = match read(destination).await {
        Ok(Some(owner)) if owner == lease.owner => destination.delete(&path(destination)).await,
        _ => Ok(()),
    };
    if let Err(error) = released {
        tracing::warn!(%error, "could not release the lock; it expires in {minutes} minutes");
    }
}

/// The owner of a destination's lock, if it is held.
///
/// # Errors
/// The destination fails.
pub async fn holder(destination: &Destination) -> Result<Option<Holder>, LockError> {
    let named = |owner: Option<Owner>| owner.map(|owner| Holder::Run(Box::new(owner)));
    let Some(file) = destination.local_file(&path(destination)) else {
        return Ok(named(read(destination).await?));
    };
    match on_cpu(move || look_at(&file)).await {
        Ok(()) => Ok(None),
        Err(LockError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(LockError::Held { by, .. }) => Ok(Some(by)),
        Err(error) if is_unsupported(&error) => Ok(named(read(destination).await?)),
        Err(error) => Err(error),
    }
}

/// Whether the file system has no locks, like some network file systems.
fn is_unsupported(error: &LockError) -> bool {
    let LockError::File { source, .. } = error else { return false };
    source.kind() == std::io::ErrorKind::Unsupported
        || [libc::ENOLCK, libc::ENOSYS, libc::EOPNOTSUPP].map(Some).contains(&source.raw_os_error())
}

/// Deletes the lease of a holder that is gone, or with `is_forced` of any. A run that still works notices before it commits.
///
/// # Errors
/// The holder is not gone, or the destination fails. On local disk a lock ends only with its process.
pub async fn break_lock(
    destination: &Destination,
    by: Holder,
    is_forced: bool,
) -> Result<(), LockError> {
    match by {
        by if by.is_gone() => {}
        by if destination.local_file(&path(destination)).is_some() => {
            return Err(LockError::Alive { by });
        }
        by if !is_forced => return Err(leased_by(by)),
        _ => {}
    }
    Ok(destination.delete(&path(destination)).await?)
}

async fn read(destination: &Destination) -> Result<Option<Owner>, DestinationError> {
    let content = destination.get(&path(destination)).await?;
    Ok(content.and_then(|content| serde_json::from_slice(&content).ok()))
}

fn lock_file(path: &Path, mode: u32, owner: &Owner) -> Result<File, LockError> {
    let mut attempts = 0;
    let mut file = loop {
        match open_locked(path, mode, File::try_lock) {
            // The owner has not written its name: it only checks whether the lock is free, or is about to write.
            Err(LockError::Held { by: Holder::Unnamed(_), .. }) if attempts < MAX_ATTEMPTS => {
                attempts += 1;
            }
            locked => break locked?,
        }
        std::thread::sleep(ATTEMPT_PAUSE);
    };
    let failed = |source| LockError::File { path: path.to_owned(), source };
    file.set_len(0).map_err(failed)?;
    file.rewind().map_err(failed)?;
    file.write_all(&content(owner)).map_err(failed)?;
    Ok(file)
}

/// Releases a lock on local disk.
fn unlock(file: &File) {
    if let Err(error) = file.unlock() {
        tracing::warn!(%error, "could not release the lock; it ends with this process");
    }
}

/// Opens and locks the lock file on local disk.
fn open_locked(
    path: &Path,
    mode: u32,
    try_lock: impl FnOnce(&File) -> Result<(), TryLockError>,
) -> Result<File, LockError> {
    let failed = |source| LockError::File { path: path.to_owned(), source };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    // Whoever may open it can hold it and stop every run; whatever a link leads to would be overwritten.
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let file = open(path, options.mode(mode).custom_flags(libc::O_NOFOLLOW))?;
    take(&file, path, try_lock)?;
    Ok(file)
}

/// Opens the lock file. A pipe in its place would wait for another process.
fn open(path: &Path, options: &OpenOptions) -> Result<File, LockError> {
    let failed = |source| LockError::File { path: path.to_owned(), source };
    if path.symlink_metadata().is_ok_and(|it| it.file_type().is_fifo()) {
        return Err(failed(std::io::Error::other("it is a pipe: remove it")));
    }
    options.open(path).map_err(|error| {
        let is_link = error.raw_os_error() == Some(libc::ELOOP);
        failed(if is_link {
            std::io::Error::other("it is a symbolic link: remove it")
        } else {
            error
        })
    })
}

/// Whether the lock is free. Nothing is written: whoever asks may have no right to.
fn look_at(path: &Path) -> Result<(), LockError> {
    let file = open(path, File::options().read(true))?;
    take(&file, path, File::try_lock_shared)?;
    unlock(&file);
    Ok(())
}

fn take(
    mut file: &File,
    path: &Path,
    try_lock: impl FnOnce(&File) -> Result<(), TryLockError>,
) -> Result<(), LockError> {
    let failed = |source| LockError::File { path: path.to_owned(), source };
    match try_lock(file) {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(failed)?;
            let owner = serde_json::from_str::<Owner>(&text).ok().filter(|owner| !owner.is_gone());
            let by = owner.map(Box::new).map_or(Holder::Unnamed(path.to_owned()), Holder::Run);
            Err(LockError::Held { by, is_lease: false })
        }
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn content(owner: &Owner) -> Vec<u8> {
    serde_json::to_vec_pretty(owner).unwrap_or_default()
}

async fn acquire_lease(destination: &Destination, owner: Owner) -> Result<Lock, LockError> {
    destination.refuse_missing_bucket().await?;
    let text = Bytes::from(content(&owner));
    for _ in 0..MAX_LEASE_ATTEMPTS {
        if let CreateOutcome::Created(version) =
            destination.create(&path(destination), text.clone()).await?
        {
            return Ok(hold(destination, owner, version));
        }
        let found = destination.get_versioned(&path(destination)).await?;
        let found =
            found.and_then(|(text, seen)| Some((serde_json::from_slice(&text).ok()?, seen)));
        let (Some((other, seen)), Some(written)): (Option<(Owner, _)>, _) =
            (found, destination.modified(&path(destination)).await?)
        else {
            // It was just released, or it is damaged and belongs to nobody.
            destination.delete(&path(destination)).await?;
            continue;
        };
        if other == owner {
            // The store had created it, and the answer was lost.
            return Ok(hold(destination, owner, seen));
        }
        if !(other.is_gone() || Utc::now() - written > LEASE) {
            return Err(leased_by(Holder::Run(Box::new(other))));
        }
        tracing::warn!(owner = %other, "lock taken over from a run that is gone");
        if let ReplaceOutcome::Replaced(version) =
            destination.replace(&path(destination), text.clone(), seen).await?
        {
            return Ok(hold(destination, owner, version));
        }
    }
    match read(destination).await? {
        Some(other) => Err(leased_by(Holder::Run(Box::new(other)))),
        None => Err(leased_by(Holder::Unnamed(path(destination).as_ref().into()))),
    }
}

fn leased_by(by: Holder) -> LockError {
    LockError::Held { by, is_lease: true }
}

fn hold(destination: &Destination, owner: Owner, version: ObjectVersion) -> Lock {
    let is_lost = Arc::new(AtomicBool::new(false));
    let renewing = keep_renewing(destination.clone(), owner.clone(), version, is_lost.clone());
    let heartbeat = tokio::spawn(renewing);
    let lease = Box::new(Lease { owner, is_lost, heartbeat });
    Lock { destination: destination.clone(), held: LockKind::Lease(lease) }
}

/// Renews a lease until another run holds it.
async fn keep_renewing(
    destination: Destination,
    owner: Owner,
    mut version: ObjectVersion,
    is_lost: Arc<AtomicBool>,
) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        match renew(&destination, &owner, &mut version).await {
            Ok(true) => {}
            Ok(false) => {
                is_lost.store(true, Ordering::Relaxed);
                return;
            }
            Err(error) => tracing::warn!(%error, "could not renew the lock"),
        }
    }
}

/// Renews a lease of this version; returns whether this owner still holds it.
async fn renew(
    destination: &Destination,
    owner: &Owner,
    version: &mut ObjectVersion,
) -> Result<bool, DestinationError> {
    let content = Bytes::from(content(owner));
    let renewed = destination.replace(&path(destination), content.clone(), version.clone()).await?;
    if let ReplaceOutcome::Replaced(now) = renewed {
        *version = now;
        return Ok(true);
    }
    // When the answer to a write is lost, the store's client repeats it and meets its own.
    let found = destination.get_versioned(&path(destination)).await?;
    let own = found.filter(|(found, _)| *found == content);
    Ok(own.map(|(_, now)| *version = now).is_some())
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    fn owner(run_id: &str) -> Owner {
        Owner::this_process(&run_id.parse().unwrap(), "p")
    }

    /// An owner whose process is known to be gone.
    fn gone(run_id: &str) -> Owner {
        let own = owner(run_id);
        let machine = own.process.rsplit_once(' ').unwrap().0.to_owned();
        Owner { pid: u32::MAX - 1, process: format!("{machine} 1"), ..own }
    }

    #[tokio::test]
    async fn p10_a_lease_belongs_to_one_run_at_a_time() {
        let destination = Destination::of_store(Arc::new(InMemory::new()), "memory");
        let first = Lock::acquire(&destination, owner("first")).await.unwrap();
        let refused = Lock::acquire(&destination, owner("second")).await.unwrap_err();
        assert!(refused.to_string().contains("run first of pipeline `p`"), "{refused}");
        let holds = holder(&destination).await.unwrap().unwrap().to_string();
        assert!(holds.contains("run first of pipeline"), "{holds}");
        first.release().await;
        assert!(holder(&destination).await.unwrap().is_none());
        Lock::acquire(&destination, owner("second")).await.unwrap();
    }

    #[tokio::test]
    async fn p10_a_lease_is_taken_over_from_a_dead_process_of_this_machine_only() {
        let destination = Destination::of_store(Arc::new(InMemory::new()), "memory");
        destination.put(&path(&destination), content(&gone("dead")).into()).await.unwrap();
        let lock = Lock::acquire(&destination, owner("next")).await.unwrap();
        assert!(!lock.is_lost());
        let elsewhere = Owner { process: "another pid:[1] 1".to_owned(), ..gone("elsewhere") };
        destination.put(&path(&destination), content(&elsewhere).into()).await.unwrap();
        assert!(matches!(
            Lock::acquire(&destination, owner("late")).await,
            Err(LockError::Held { .. })
        ));
        let (_, mut seen) = destination.get_versioned(&path(&destination)).await.unwrap().unwrap();
        assert!(renew(&destination, &elsewhere, &mut seen).await.unwrap());
        assert!(renew(&destination, &elsewhere, &mut seen).await.unwrap());
        let mut old = ObjectVersion::Absent;
        assert!(!renew(&destination, &owner("next"), &mut old).await.unwrap(), "another holds it");
        // The answer to a renewal was lost.
        assert!(renew(&destination, &elsewhere, &mut old).await.unwrap());
        assert_eq!(old, seen);
        let by = holder(&destination).await.unwrap().unwrap();
        assert!(break_lock(&destination, by.clone(), false).await.is_err(), "it is not gone");
        break_lock(&destination, by, true).await.unwrap();
        Lock::acquire(&destination, owner("late")).await.unwrap();
    }

    fn local_disk() -> (tempfile::TempDir, Destination) {
        let directory = tempfile::tempdir().unwrap();
        let url = directory.path().to_str().unwrap().parse().unwrap();
        let destination = Destination::open(&url).unwrap();
        (directory, destination)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn p10_checking_the_lock_blocks_no_run() {
        let (_directory, destination) = local_disk();
        // What a killed run leaves.
        let file = destination.local_file(&path(&destination)).unwrap();
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, content(&gone("dead"))).unwrap();
        let others = destination.clone();
        let looking = tokio::spawn(async move {
            for _ in 0..300 {
                holder(&others).await.unwrap();
            }
        });
        while !looking.is_finished() {
            Lock::acquire(&destination, owner("run")).await.unwrap().release().await;
            std::fs::write(&file, content(&gone("dead"))).unwrap();
        }
        looking.await.unwrap();
    }

    #[tokio::test]
    async fn o20_looking_at_a_lock_writes_nothing() {
        let (directory, destination) = local_disk();
        assert!(holder(&destination).await.unwrap().is_none());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        // Nobody can open this for writing, not even root.
        let file = destination.local_file(&path(&destination)).unwrap();
        std::fs::create_dir_all(&file).unwrap();
        assert!(File::options().write(true).open(&file).is_err());
        assert!(holder(&destination).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn p10_a_released_lock_is_free_while_a_copy_of_its_file_is_open() {
        let (_directory, destination) = local_disk();
        let lock = Lock::acquire(&destination, owner("first")).await.unwrap();
        let LockKind::File(file) = &lock.held else { panic!("{lock:?}") };
        let _copy = file.0.try_clone().unwrap();
        lock.release().await;
        assert!(holder(&destination).await.unwrap().is_none());
        Lock::acquire(&destination, owner("second")).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn p10_a_lock_is_not_released_while_files_are_being_written() {
        let (_directory, destination) = local_disk();
        let lock = Lock::acquire(&destination, owner("first")).await.unwrap();
        let change = destination.change_without_end();
        lock.release().await;
        drop(change);
        assert!(holder(&destination).await.unwrap().is_some(), "it ends with this process");
    }

    #[tokio::test]
    async fn p10_on_local_disk_the_lock_ends_with_its_owner() {
        let (_directory, destination) = local_disk();
        let first = Lock::acquire(&destination, owner("first")).await.unwrap();
        let refused = Lock::acquire(&destination, owner("second")).await.unwrap_err();
        assert!(refused.to_string().contains("run first"), "{refused}");
        let by = holder(&destination).await.unwrap().unwrap();
        assert!(break_lock(&destination, by, true).await.is_err());
        drop(first);
        assert!(holder(&destination).await.unwrap().is_none());
        Lock::acquire(&destination, owner("second")).await.unwrap();
    }
}
