//! Tries a destination out: every operation that a commit relies on, and whether a condition that does not hold is
//! honoured.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path as FilePath;

use bytes::Bytes;
use object_store::path::Path;

use super::conditional::{CreateOutcome, ReplaceOutcome};
use super::destination::Destination;
use super::error::{DestinationError, IgnoredCondition};
use super::local::local_error;
use super::publish::{FileMove, PublishError};
use crate::runtime::on_cpu;
use crate::schema::RunId;

/// What was learnt of a destination that is fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreTraits {
    /// An object store with conditional writes.
    ObjectStore,
    /// A file system with file locks, on which a file can be created only if it is absent.
    FileSystem {
        /// `a` and `A` are one name.
        folds_case: bool,
        /// The two Unicode forms of `é` are one name.
        folds_unicode: bool,
    },
}

impl fmt::Display for StoreTraits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (folds_case, folds_unicode) = match *self {
            Self::ObjectStore => {
                return f.write_str("it honours conditional writes and keeps all names apart");
            }
            Self::FileSystem { folds_case, folds_unicode } => (folds_case, folds_unicode),
        };
        f.write_str("its file locks and conditional writes work, and it ")?;
        f.write_str(match (folds_case, folds_unicode) {
            (false, false) => "keeps all names apart",
            (true, false) => "takes names that differ in case only for one (`a` and `A`)",
            (false, true) => "takes the two Unicode forms of a name for one (`é`)",
            (true, true) => {
                "takes names that differ in case or Unicode form only for one (`a` and `A`, the two forms of `é`)"
            }
        })
    }
}

impl Destination {
    /// Tries every operation that a commit relies on: creating, replacing, publishing and removing files, and that the
    /// store refuses to create a file that exists, to replace one that has changed, and to publish over another; on local
    /// disk also file locks.
    ///
    /// # Errors
    /// The store fails, or does not honour a condition.
    pub async fn try_out(&self, run_id: &RunId) -> Result<StoreTraits, DestinationError> {
        let directory = self.own("check");
        let name = |ending: &str| directory.clone().join(format!("{run_id}{ending}"));
        let [file, target] = ["", "-published"].map(name);
        // Where runs stage, and by a name that none of them deletes when it begins.
        let staged = self.staging(run_id).join("check");
        let _ = self.create(&file, Bytes::from_static(b"flowlake check")).await?;
        let honoured = async {
            self.try_conditions(&file).await?;
            self.try_publishing(&staged, &target).await?;
            self.try_file_system(&file).await
        };
        let honoured = honoured.await;
        let deleted = self.delete_all(&[file, staged, target]).await;
        honoured.and_then(|learnt| deleted.map(|()| learnt))
    }

    async fn try_conditions(&self, path: &Path) -> Result<(), DestinationError> {
        let text = Bytes::from_static;
        if self.create(path, text(b"created again")).await? != CreateOutcome::AlreadyExists {
            return Err(self.unfit(path, IgnoredCondition::IfNoneMatch));
        }
        let seen = self.version(path).await?;
        let replaced = self.replace(path, text(b"replaced"), seen.clone()).await?;
        if replaced == ReplaceOutcome::Conflict {
            return Err(self.unfit(path, IgnoredCondition::RefusesIfMatch));
        }
        if self.replace(path, text(b"replaced again"), seen).await? != ReplaceOutcome::Conflict {
            return Err(self.unfit(path, IgnoredCondition::IfMatch));
        }
        Ok(())
    }

    async fn try_publishing(&self, staged: &Path, target: &Path) -> Result<(), DestinationError> {
        let (first, second) = (b"published", b"forbidden");
        let bytes = first.len() as u64;
        let file = [FileMove::new(staged.clone(), target.clone(), bytes)];
        let unfit = |error| match error {
            PublishError::Destination(error) => error,
            _ => self.unfit(target, IgnoredCondition::Move),
        };
        self.stage(staged, Bytes::from_static(first)).await?;
        self.publish_all(&file).await.map_err(unfit)?;
        self.stage(staged, Bytes::from_static(second)).await?;
        match self.publish_all(&file).await {
            Ok(()) => Err(self.unfit(target, IgnoredCondition::MoveIfAbsent)),
            Err(PublishError::Taken { .. }) => Ok(()),
            Err(error) => Err(unfit(error)),
        }
    }

    async fn try_file_system(&self, path: &Path) -> Result<StoreTraits, DestinationError> {
        let Some(file) = self.local_file(path) else { return Ok(StoreTraits::ObjectStore) };
        let tried = on_cpu(move || Ok((try_lock(&file)?, try_names(&file)?))).await;
        match tried.map_err(|source| self.error("rely on", path)(local_error(source)))? {
            (Some(condition), _) => Err(self.unfit(path, condition)),
            (None, learnt) => Ok(learnt),
        }
    }
}

/// What is wrong with file locks; none if they work.
fn try_lock(file: &FilePath) -> io::Result<Option<IgnoredCondition>> {
    let [first, second] = [File::open(file)?, File::open(file)?];
    if first.try_lock().is_err() {
        return Ok(Some(IgnoredCondition::NoFileLocks));
    }
    match second.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(None),
        Ok(()) => Ok(Some(IgnoredCondition::FileLocks)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Makes files, and looks for them by other forms of their names.
fn try_names(file: &FilePath) -> io::Result<StoreTraits> {
    let is_one = |name: &str, other: &str| {
        let [name, other] = [name, other].map(|ending| {
            let mut name = file.as_os_str().to_owned();
            name.push(ending);
            name
        });
        File::create_new(&name)?;
        let is_one = FilePath::new(&other).symlink_metadata().is_ok();
        std::fs::remove_file(&name).map(|()| is_one)
    };
    Ok(StoreTraits::FileSystem {
        folds_case: is_one("-case", "-CASE")?,
        folds_unicode: is_one("-\u{e9}", "-e\u{301}")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learnt_is_told_in_a_sentence() {
        let file_system =
            |folds_case, folds_unicode| StoreTraits::FileSystem { folds_case, folds_unicode };
        let told = [
            StoreTraits::ObjectStore,
            file_system(false, false),
            file_system(true, false),
            file_system(false, true),
            file_system(true, true),
        ];
        insta::assert_snapshot!(told.map(|it| it.to_string()).join("\n"));
    }
}
