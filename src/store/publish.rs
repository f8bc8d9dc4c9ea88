//! Publishing: moves staged files to the names under which tables have them, many at once.
//!
//! | store | a move | costs |
//! |---|---|---|
//! | local disk | a rename that replaces nothing; the names are synced together | no request |
//! | Azure, Google Cloud Storage | a copy if there is no target, a look at it | 2 requests, and a share of the deletes |
//! | S3 | the same, but targets are looked at before, by a listing if there are several | 2 requests, and a share of listing and delete |
//!
//! A published file is created, never written over. Originals are removed when every target has been seen. So a commit
//! that was killed can be repeated: what is there is compared.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error as StoreError, ObjectMeta, ObjectStoreExt, RenameOptions,
    RenameTargetMode,
};
use tokio::time::Instant;

use super::destination::Destination;
use super::error::DestinationError;
use crate::exit_code::{ExitCode, Failure, advice};

/// How many files are moved at once.
const CONCURRENT_MOVES: usize = 32;
/// So many targets under one directory are looked for by a listing, not one by one.
const WORTH_A_LISTING: usize = 3;
/// How many files a page of a listing has.
const PAGE: usize = 1000;
/// One page of a listing is worth the look at so many files.
const LOOKS_PER_PAGE: usize = 8;
/// How often a copy is looked at that runs in the background.
const COPY_POLL: Duration = Duration::from_millis(200);
/// A copy that takes longer has failed.
const COPY_TIMEOUT: Duration = Duration::from_mins(10);

/// The move of a file from staging to its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMove {
    /// Where it is.
    pub staged: Path,
    /// Where it belongs.
    pub target: Path,
    /// Its size.
    pub bytes: u64,
    /// The target was looked for, and is not there.
    pub is_free: bool,
}

impl FileMove {
    /// A move to a target that nobody has looked for.
    #[must_use]
    pub fn new(staged: Path, target: Path, bytes: u64) -> Self {
        Self { staged, target, bytes, is_free: false }
    }
}

/// Files cannot be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The destination failed.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// The file is neither in staging nor at its target.
    #[error("`{target}` is neither staged nor published in the destination {destination}")]
    Lost {
        /// Where it belongs.
        target: Path,
        /// The destination.
        destination: String,
    },
    /// There is another file at the target. It is as it was.
    #[error(
        "cannot publish `{target}` in the destination {destination}: another file is there, of {found} bytes; the one to \
         publish has {bytes}"
    )]
    Taken {
        /// The name.
        target: Path,
        /// The destination.
        destination: String,
        /// The size of the file that is there.
        found: u64,
        /// The size of the file to publish.
        bytes: u64,
    },
    /// The store says that it has moved the file, and the file is not there, or not whole.
    #[error(
        "`{target}` in the destination {destination} is not what was published: {}; its {bytes} bytes are in `{staged}`",
        .found.map_or_else(|| "it is not there".to_owned(), |found| format!("it has {found} bytes"))
    )]
    NotMoved {
        /// Where it belongs.
        target: Path,
        /// Where it was.
        staged: Path,
        /// The destination.
        destination: String,
        /// The size of what is there.
        found: Option<u64>,
        /// The size of the file to publish.
        bytes: u64,
    },
}

impl Failure for PublishError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Destination
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Destination(error) => return error.help(),
            Self::Lost { .. } => advice::CHANGED_BY_HAND,
            Self::Taken { .. } => {
                "nothing was written over; move the file that is there out of the destination, then run again"
            }
            Self::NotMoved { .. } => {
                "nothing was removed; run again, and if that does not help, try the store with `flowlake check --online`"
            }
        };
        Some(help.to_owned())
    }
}

impl Destination {
    /// Moves staged files to their targets, many at once. When it returns, the targets are durable and the originals are
    /// gone. It may be repeated after it was interrupted at any point.
    ///
    /// # Errors
    /// The store fails, a file is lost, or there is another file at a target.
    pub async fn publish_all(&self, moves: &[FileMove]) -> Result<(), PublishError> {
        self.put_in_place(moves).await?;
        let originals: Vec<Path> = self.originals(moves).cloned().collect();
        Ok(self.delete_all(&originals).await?)
    }

    /// The same, but the [originals](Self::originals) stay, for the caller to remove together with other files.
    ///
    /// # Errors
    /// As of [`publish_all`](Self::publish_all).
    pub async fn put_in_place(&self, moves: &[FileMove]) -> Result<(), PublishError> {
        if self.is_local() {
            let renames = moves.iter().map(|file| self.rename_to_target(file));
            at_once(renames).try_collect::<()>().await?;
            self.sync_names(moves.iter().map(|file| &file.target)).await?;
            // Nothing is wrong if they stay: the next run removes them.
            let _ = self.remove_empty_staging().await;
            return Ok(());
        }
        let found = match self.copy_if_absent {
            Some(_) => HashMap::new(),
            None => self.look_at_targets(moves).await?,
        };
        let copies = moves.iter().map(|file| self.copy_to_target(file, found.get(&file.target)));
        at_once(copies).try_collect().await
    }

    /// What a move leaves in staging: a bucket has copies, a disk renames.
    pub fn originals<'m>(&self, moves: &'m [FileMove]) -> impl Iterator<Item = &'m Path> {
        let is_local = self.is_local();
        moves.iter().filter(move |_| !is_local).map(|file| &file.staged)
    }

    async fn rename_to_target(&self, file: &FileMove) -> Result<(), PublishError> {
        let options = RenameOptions::new().with_target_mode(RenameTargetMode::Create);
        match self.store.rename_opts(&file.staged, &file.target, options).await {
            Ok(()) => self.see_moved(file).await,
            Err(StoreError::AlreadyExists { .. }) => {
                let there = self.metadata(&file.target).await?;
                self.compare(file, there.as_ref()).await?;
                // It was given its second name, and not yet taken its first.
                Ok(self.delete(&file.staged).await?)
            }
            Err(StoreError::NotFound { .. }) => self.see_published(file).await,
            Err(source) => Err(self.error("publish", &file.target)(source).into()),
        }
    }

    /// The targets that are there.
    async fn look_at_targets(
        &self,
        moves: &[FileMove],
    ) -> Result<HashMap<Path, ObjectMeta>, DestinationError> {
        let mut tables: BTreeMap<Path, Vec<&Path>> = BTreeMap::new();
        for FileMove { target, .. } in moves.iter().filter(|file| !file.is_free) {
            tables.entry(target.parts().take(1).collect()).or_default().push(target);
        }
        let mut found = HashMap::new();
        let mut unseen = Vec::new();
        for (table, targets) in tables {
            let is_listed = targets.len() >= WORTH_A_LISTING;
            let is_all = is_listed && self.list_targets(&table, &targets, &mut found).await?;
            if !is_all {
                unseen.extend(targets.into_iter().filter(|target| !found.contains_key(*target)));
            }
        }
        let looks = unseen.into_iter().map(async |target| {
            Ok::<_, DestinationError>((target.clone(), self.metadata(target).await?))
        });
        let seen: Vec<(Path, Option<ObjectMeta>)> = at_once(looks).try_collect().await?;
        found.extend(seen.into_iter().filter_map(|(target, meta)| Some((target, meta?))));
        Ok(found)
    }

    /// Lists a table as long as that is cheaper than a look at each target; returns whether it came to the end.
    async fn list_targets(
        &self,
        table: &Path,
        targets: &[&Path],
        found: &mut HashMap<Path, ObjectMeta>,
    ) -> Result<bool, DestinationError> {
        let most = PAGE * targets.len().div_ceil(LOOKS_PER_PAGE);
        let mut listed = self.store.list(Some(table)).take(most);
        let mut seen = 0;
        while let Some(meta) = listed.try_next().await.map_err(self.error("list", table))? {
            seen += 1;
            if targets.contains(&&meta.location) {
                found.insert(meta.location.clone(), meta);
            }
        }
        Ok(seen < most)
    }

    async fn copy_to_target(
        &self,
        file: &FileMove,
        found: Option<&ObjectMeta>,
    ) -> Result<(), PublishError> {
        if found.is_some() {
            return self.compare(file, found).await;
        }
        match self.copy(file, self.copy_if_absent.unwrap_or(CopyMode::Overwrite)).await {
            Ok(()) => self.see_moved(file).await,
            Err(StoreError::NotFound { .. }) => self.see_published(file).await,
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {
                let there = self.metadata(&file.target).await?;
                self.compare(file, there.as_ref()).await
            }
            Err(source) => Err(self.error("publish", &file.target)(source).into()),
        }
    }

    async fn copy(&self, file: &FileMove, mode: CopyMode) -> Result<(), StoreError> {
        let options = CopyOptions::new().with_mode(mode);
        self.store.copy_opts(&file.staged, &file.target, options).await
    }

    /// Looks at a file that the store says it has moved. Azure may still be copying: then the file is empty until it is
    /// complete.
    async fn see_moved(&self, file: &FileMove) -> Result<(), PublishError> {
        let began = Instant::now();
        loop {
            let found = self.metadata(&file.target).await?.map(|meta| meta.size);
            if found == Some(file.bytes) {
                return Ok(());
            }
            if !self.copies_in_background || began.elapsed() > COPY_TIMEOUT {
                let FileMove { staged, target, bytes, .. } = file.clone();
                let destination = self.shown.clone();
                return Err(PublishError::NotMoved { target, staged, destination, found, bytes });
            }
            tokio::time::sleep(COPY_POLL).await;
        }
    }

    /// Looks at a file that is not in staging.
    async fn see_published(&self, file: &FileMove) -> Result<(), PublishError> {
        match self.metadata(&file.target).await? {
            Some(meta) if meta.size == file.bytes => Ok(()),
            Some(meta) => Err(self.taken(file, &meta)),
            None => {
                let (target, destination) = (file.target.clone(), self.shown.clone());
                Err(PublishError::Lost { target, destination })
            }
        }
    }

    /// Compares what is at the target to what is in staging: it may be from an earlier attempt.
    async fn compare(
        &self,
        file: &FileMove,
        there: Option<&ObjectMeta>,
    ) -> Result<(), PublishError> {
        let (staged, Some(there)) = (self.metadata(&file.staged).await?, there) else {
            return self.see_published(file).await;
        };
        let Some(staged) = staged else { return self.see_published(file).await };
        if there.size == 0 && file.bytes > 0 && self.copies_in_background {
            // A copy that failed in the background, or still runs; no file of ours is empty.
            let copied = self.copy(file, CopyMode::Overwrite).await;
            copied.map_err(self.error("publish", &file.target))?;
            return self.see_moved(file).await;
        }
        let is_same = there.size == file.bytes
            && there.size == staged.size
            && (is_content_tag(there) && there.e_tag == staged.e_tag
                || self.hash(&file.target).await? == self.hash(&file.staged).await?);
        if is_same { Ok(()) } else { Err(self.taken(file, there)) }
    }

    async fn hash(&self, path: &Path) -> Result<blake3::Hash, DestinationError> {
        let hash = async {
            let mut hasher = blake3::Hasher::new();
            let mut content = self.store.get(path).await?.into_stream();
            while let Some(bytes) = content.try_next().await? {
                hasher.update(&bytes);
            }
            Ok(hasher.finalize())
        };
        hash.await.map_err(self.error("read", path))
    }

    fn taken(&self, file: &FileMove, there: &ObjectMeta) -> PublishError {
        let (target, destination) = (file.target.clone(), self.shown.clone());
        PublishError::Taken { target, destination, found: there.size, bytes: file.bytes }
    }
}

/// Whether the mark of a version is a hash of the content, as on S3: then it says the same of two files.
fn is_content_tag(meta: &ObjectMeta) -> bool {
    let tag = meta.e_tag.as_deref().unwrap_or_default().trim_matches('"');
    tag.len() == 32 && tag.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Runs requests, a bounded number at once.
fn at_once<F: Future>(
    requests: impl IntoIterator<Item = F>,
) -> impl futures::Stream<Item = F::Output> {
    let requests: Vec<F> = requests.into_iter().collect();
    stream::iter(requests).buffer_unordered(CONCURRENT_MOVES)
}
