//! Kept exports: what a run has received, found in the landing again and read as if it had just arrived.
//!
//! Pipelines may share a landing, a run may have been killed while it kept its exports, and a run id may have been used for two
//! attempts. So an export counts only if all its pieces are there, each with an origin that agrees with the others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;

use super::archive::{EXPORT, ORIGIN, origin_of};
use super::spool::nameless_file;
use super::{ArchiveError, ExportHash, LandError, Landed};
use crate::runtime::on_cpu;
use crate::schema::{RunId, Window};
use crate::source::Request;
use crate::store::{Destination, ListedFile};

const NO_ORIGIN: &str = "nothing says where it came from";
/// How many origins are read at once.
const AT_ONCE: usize = 16;

/// The exports of one run, in the order of its requests.
#[derive(Debug, Clone)]
pub struct KeptExports {
    /// The run that received them.
    pub run_id: RunId,
    /// No later run of the pipeline has kept any.
    pub are_last: bool,
    exports: Vec<KeptExport>,
}

#[derive(Debug, Clone)]
struct KeptExport {
    path: Path,
    origin: KeptOrigin,
}

/// What an `.origin.json` file says.
#[derive(Debug, Clone, Deserialize)]
struct KeptOrigin {
    pipeline: String,
    received_at: DateTime<Utc>,
    url: String,
    pieces: usize,
    #[serde(default)]
    window: Option<Window>,
    bytes: u64,
    blake3: ExportHash,
}

/// The files of one run in a landing.
#[derive(Debug, Default)]
struct FilesOfRun {
    /// That of a full export.
    whole: Option<Path>,
    /// Those of a window, by their numbers.
    pieces: BTreeMap<usize, Path>,
    origins: BTreeSet<Path>,
    /// By the store's clock.
    last_modified: DateTime<Utc>,
}

/// Why the exports of a run cannot be loaded.
#[derive(Debug)]
enum Unloadable {
    /// They are of another pipeline.
    OfPipeline(Path, String),
    /// One of them is not as it was kept.
    Damaged(Path, String),
}

impl Unloadable {
    fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged(path.clone(), what.into())
    }
}

impl From<Unloadable> for ArchiveError {
    fn from(problem: Unloadable) -> Self {
        let (path, problem) = match problem {
            Unloadable::OfPipeline(path, name) => (path, format!("it is of pipeline `{name}`")),
            Unloadable::Damaged(path, what) => (path, what),
        };
        Self::Unusable { path, problem }
    }
}

impl KeptExports {
    /// The exports of a run of a pipeline, or those of its last run that has kept any.
    ///
    /// # Errors
    /// They cannot be loaded, or the destination fails.
    pub async fn of(
        destination: &Destination,
        pipeline: &str,
        run: Option<&RunId>,
    ) -> Result<Option<Self>, ArchiveError> {
        let area = destination.own("landing");
        if destination.closed_areas().contains(&"landing") {
            return Err(Unloadable::damaged(&area, "this user may not read it").into());
        }
        let runs = FilesOfRun::by_run(&area, destination.list(&area).await?);
        let looks = runs.into_iter().map(async |(run_id, files)| {
            let first = files.first_origin(destination, pipeline).await?;
            // A copy of a lake has other times of files.
            let time = first.as_ref().map_or(files.last_modified, |origin| origin.received_at);
            Ok::<_, ArchiveError>((time, run_id, files, first))
        });
        let looks: Vec<_> = looks.collect();
        let mut newest_first: Vec<_> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        newest_first.sort_by(|left, right| (right.0, &right.1).cmp(&(left.0, &left.1)));
        let mut are_last = true;
        for (_, run_id, files, first) in newest_first {
            let is_wanted = run.is_none_or(|run| *run == run_id);
            match first {
                Ok(origin) if is_wanted => {
                    let exports = files.exports(destination, &origin).await??;
                    return Ok(Some(Self { run_id, are_last, exports }));
                }
                Err(problem @ Unloadable::Damaged(..)) if is_wanted => return Err(problem.into()),
                Err(problem @ Unloadable::OfPipeline(..)) if is_wanted && run.is_some() => {
                    return Err(problem.into());
                }
                Err(Unloadable::OfPipeline(..)) => {}
                Ok(_) | Err(Unloadable::Damaged(..)) => are_last = false,
            }
        }
        Ok(None)
    }

    /// What was requested.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        let requests = self.exports.iter().filter_map(|KeptExport { origin, .. }| {
            Some(Request { url: origin.url.parse().ok()?, window: origin.window })
        });
        requests.collect()
    }

    /// Opens the exports. Those of an object store are copied to a file without a name in `directory`.
    ///
    /// # Errors
    /// An export is damaged or gone, or the destination fails.
    pub async fn land(
        &self,
        destination: &Destination,
        directory: PathBuf,
    ) -> Result<Vec<Landed>, ArchiveError> {
        let mut all = Vec::with_capacity(self.exports.len());
        for KeptExport { path, origin } in &self.exports {
            let file = open(destination, path, &directory).await?;
            let landed = Landed::new(file, directory.clone(), origin.blake3.clone(), origin.bytes);
            let verified = on_cpu(move || landed.verified()).await;
            all.push(verified.map_err(|problem| Unloadable::damaged(path, problem))?);
        }
        Ok(all)
    }
}

/// The runs of other pipelines than this one that have kept exports, by the files of a landing that pipelines share.
///
/// # Errors
/// The destination fails.
pub async fn runs_of_others(
    destination: &Destination,
    pipeline: &str,
    files: Vec<ListedFile>,
) -> Result<BTreeSet<RunId>, ArchiveError> {
    let runs = FilesOfRun::by_run(&destination.own("landing"), files);
    let looks = runs.into_iter().map(async |(run_id, files)| {
        let first = files.first_origin(destination, pipeline).await?;
        let is_of_another = matches!(first, Err(Unloadable::OfPipeline(..)));
        Ok::<_, ArchiveError>(is_of_another.then_some(run_id))
    });
    let looks: Vec<_> = looks.collect();
    stream::iter(looks).buffered(AT_ONCE).try_filter_map(async |it| Ok(it)).try_collect().await
}

impl FilesOfRun {
    fn by_run(area: &Path, files: Vec<ListedFile>) -> BTreeMap<RunId, Self> {
        let mut runs = BTreeMap::new();
        for file in files {
            Self::add(&mut runs, area, file);
        }
        runs
    }

    /// Adds a file of the landing to those of its run, if it is an export or an origin.
    fn add(runs: &mut BTreeMap<RunId, Self>, area: &Path, file: ListedFile) {
        let Some((run, piece, is_origin)) = run_and_piece(area, &file.path) else { return };
        let files = runs.entry(run).or_default();
        files.last_modified = files.last_modified.max(file.modified);
        match piece {
            _ if is_origin => {
                files.origins.insert(file.path);
            }
            None => files.whole = Some(file.path),
            Some(piece) => {
                files.pieces.insert(piece, file.path);
            }
        }
    }

    fn exports_there(&self) -> impl Iterator<Item = &Path> {
        self.whole.iter().chain(self.pieces.values())
    }

    /// The origin of the first export, if it is of this pipeline.
    async fn first_origin(
        &self,
        destination: &Destination,
        pipeline: &str,
    ) -> Result<Result<KeptOrigin, Unloadable>, ArchiveError> {
        let export = self.exports_there().next();
        let origin = export.map(origin_of).filter(|origin| self.origins.contains(origin));
        let Some(path) = origin.as_ref().or_else(|| self.origins.first()) else {
            let lost = Path::default();
            return Ok(Err(Unloadable::damaged(export.unwrap_or(&lost), NO_ORIGIN)));
        };
        Ok(match origin_at(destination, path).await? {
            Ok(origin) if origin.pipeline != pipeline => {
                Err(Unloadable::OfPipeline(path.clone(), origin.pipeline))
            }
            Ok(_) if export.is_none() => {
                Err(Unloadable::damaged(path, "the export beside it is gone"))
            }
            other => other,
        })
    }

    /// The exports, if they are all there.
    async fn exports(
        self,
        destination: &Destination,
        first: &KeptOrigin,
    ) -> Result<Result<Vec<KeptExport>, Unloadable>, ArchiveError> {
        let mut paths: Vec<Path> = self.exports_there().cloned().collect();
        let Some(first_path) = paths.first() else { return Ok(Ok(Vec::new())) };
        if self.whole.is_some() && !self.pieces.is_empty() {
            let what = "beside it are pieces of another attempt under the same id";
            return Ok(Err(Unloadable::damaged(first_path, what)));
        }
        let is_numbered = self.pieces.keys().copied().eq(0..self.pieces.len());
        if !is_numbered || first.pieces == 0 || first.pieces > paths.len() {
            let what = format!("it is one of {} pieces, and others are gone", first.pieces);
            return Ok(Err(Unloadable::damaged(first_path, what)));
        }
        // What is behind them is of an earlier attempt.
        paths.truncate(first.pieces);
        let origins: Vec<Path> = paths.iter().map(origin_of).collect();
        if let Some(lost) = origins.iter().position(|path| !self.origins.contains(path)) {
            return Ok(Err(Unloadable::damaged(&paths[lost], NO_ORIGIN)));
        }
        let reads: Vec<_> = origins.iter().map(|path| origin_at(destination, path)).collect();
        let read: Vec<_> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
        let read: Result<Vec<KeptOrigin>, Unloadable> = read.into_iter().collect();
        let is_whole = self.whole.is_some();
        Ok(read.and_then(|origins| agreeing(paths, origins, is_whole)))
    }
}

/// The exports of one attempt, whose windows follow each other.
fn agreeing(
    paths: Vec<Path>,
    origins: Vec<KeptOrigin>,
    is_whole: bool,
) -> Result<Vec<KeptExport>, Unloadable> {
    let mut exports: Vec<KeptExport> = Vec::with_capacity(paths.len());
    for (path, origin) in paths.into_iter().zip(origins) {
        let problem = match exports.last() {
            _ if origin.window.is_none() != is_whole => Some("its origin is of another export"),
            Some(before) if before.origin.pieces != origin.pieces => {
                Some("the pieces before it are of another attempt")
            }
            Some(before)
                if before.origin.window.map(|it| it.end) != origin.window.map(|it| it.start) =>
            {
                Some("its window does not follow the one before it")
            }
            _ if origin.url.parse::<url::Url>().is_err() => Some("its origin has no URL"),
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(Unloadable::damaged(&path, problem));
        }
        exports.push(KeptExport { path, origin });
    }
    Ok(exports)
}

/// The run that a file of the landing is of, which piece it is, and whether it is an origin.
fn run_and_piece(area: &Path, file: &Path) -> Option<(RunId, Option<usize>, bool)> {
    let mut below = file.prefix_match(area)?;
    let (first, second) = (below.next()?, below.next());
    if below.next().is_some() {
        return None;
    }
    let without_ending = |name: &str| match (name.strip_suffix(EXPORT), name.strip_suffix(ORIGIN)) {
        (Some(name), _) => Some((name.to_owned(), false)),
        (None, name) => Some((name?.to_owned(), true)),
    };
    let Some(second) = second else {
        let (run, is_origin) = without_ending(first.as_ref())?;
        return Some((run.parse().ok()?, None, is_origin));
    };
    let (number, is_origin) = without_ending(second.as_ref())?;
    let is_number = number.len() >= 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    let piece = number.parse().ok().filter(|_| is_number)?;
    Some((first.as_ref().parse().ok()?, Some(piece), is_origin))
}

/// What an origin says, or what is wrong with it.
async fn origin_at(
    destination: &Destination,
    path: &Path,
) -> Result<Result<KeptOrigin, Unloadable>, ArchiveError> {
    let Some(content) = destination.get(path).await? else {
        return Ok(Err(Unloadable::damaged(path, "it is gone")));
    };
    Ok(serde_json::from_slice(&content)
        .map_err(|error| Unloadable::damaged(path, error.to_string())))
}

/// Opens a kept export on local disk, or a copy of one in an object store.
async fn open(
    destination: &Destination,
    path: &Path,
    directory: &std::path::Path,
) -> Result<File, ArchiveError> {
    if let Some(file) = destination.open_local(path) {
        return Ok(file?);
    }
    let content = destination.get_stream(path).await?;
    let mut content = content.ok_or_else(|| Unloadable::damaged(path, "it is gone"))?;
    let failed = || LandError::of(directory);
    let copy = nameless_file(directory).map_err(failed())?;
    let mut writer = tokio::fs::File::from_std(copy.try_clone().map_err(failed())?);
    while let Some(part) = content.try_next().await? {
        writer.write_all(&part).await.map_err(failed())?;
    }
    writer.flush().await.map_err(failed())?;
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_are_told_from_other_files_of_a_landing() {
        let area = Path::from("_flowlake/landing");
        for (path, expected) in [
            ("_flowlake/landing/run-1.json.zst", Some(("run-1", None, false))),
            ("_flowlake/landing/run-2/0003.json.zst", Some(("run-2", Some(3), false))),
            ("_flowlake/landing/run-1.origin.json", Some(("run-1", None, true))),
            ("_flowlake/landing/run-2/0003.origin.json", Some(("run-2", Some(3), true))),
            ("_flowlake/landing/run-2/0003 (copy).json.zst", None),
            ("_flowlake/landing/run-2/3.json.zst", None),
            ("_flowlake/landing/run-2/old/0003.json.zst", None),
            ("_flowlake/landing/run-1.json.zst.bak", None),
            ("_flowlake/landing/run 1 (copy).json.zst", None),
            ("_flowlake/runs/run-1.json", None),
        ] {
            let found = run_and_piece(&area, &Path::from(path));
            let found = found.as_ref().map(|(run, piece, is)| (run.as_str(), *piece, *is));
            assert_eq!(found, expected, "{path}");
        }
    }
}
