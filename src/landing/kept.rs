//! Kept exports: what a run has received, found in the landing again and read as if it had just arrived.
//!
//! Pipelines may share a landing, a run may have been killed while it kept its exports, and a run id may have been used for two
//! attempts. So an export counts only if all its pieces are there, each with an origin that agrees with the others.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;

use super::archive::{EXPORT, origin_of};
use super::spool::nameless_file;
use super::{ArchiveError, ExportHash, LandError, Landed};
use crate::runtime::on_cpu;
use crate::schema::{RunId, Window};
use crate::source::Request;
use crate::store::{Destination, ListedFile};

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
    /// By the store's clock, in seconds.
    last_modified: i64,
}

/// Why the exports of a run cannot be loaded.
type Problem = (Path, String);

impl KeptExports {
    /// The exports of a run of a pipeline, or of the last run that has kept all of its exports.
    ///
    /// # Errors
    /// Those of the run cannot be loaded, or the destination fails.
    pub async fn of(
        destination: &Destination,
        pipeline: &str,
        run: Option<&RunId>,
    ) -> Result<Option<Self>, ArchiveError> {
        let area = destination.own("landing");
        if destination.closed_areas().contains(&"landing") {
            return Err(unusable((area, "this user may not read it".to_owned())));
        }
        let mut runs: BTreeMap<RunId, FilesOfRun> = BTreeMap::new();
        for file in destination.list(&area).await? {
            FilesOfRun::add(&mut runs, &area, file);
        }
        let mut runs: Vec<(RunId, FilesOfRun)> = runs.into_iter().collect();
        // Stores tell times by the second; ids that sort by time decide within one.
        runs.sort_by_key(|(run, files)| (files.last_modified, run.clone()));
        let mut are_last = true;
        for (run_id, files) in runs.into_iter().rev() {
            let is_wanted = run.is_none_or(|run| *run == run_id);
            match files.exports(destination, pipeline).await? {
                Ok(exports) if is_wanted => return Ok(Some(Self { run_id, are_last, exports })),
                Ok(_) => are_last = false,
                Err(problem) if is_wanted && run.is_some() => return Err(unusable(problem)),
                Err(_) => {}
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
            all.push(verified.map_err(|problem| unusable((path.clone(), problem)))?);
        }
        Ok(all)
    }
}

impl FilesOfRun {
    /// Adds a file of the landing to those of its run, if it is an export.
    fn add(runs: &mut BTreeMap<RunId, Self>, area: &Path, file: ListedFile) {
        let Some((run, piece)) = run_and_piece(area, &file.path) else { return };
        let files = runs.entry(run).or_default();
        files.last_modified = files.last_modified.max(file.modified.timestamp());
        match piece {
            None => files.whole = Some(file.path),
            Some(piece) => {
                files.pieces.insert(piece, file.path);
            }
        }
    }

    /// The exports, if they are all there and of this pipeline.
    async fn exports(
        self,
        destination: &Destination,
        pipeline: &str,
    ) -> Result<Result<Vec<KeptExport>, Problem>, ArchiveError> {
        let (is_whole, mut paths) = match self.whole {
            Some(whole) if !self.pieces.is_empty() => {
                let problem = "beside it are pieces of another attempt under the same id";
                return Ok(Err((whole, problem.to_owned())));
            }
            Some(whole) => (true, vec![whole]),
            None => (false, self.pieces.values().cloned().collect()),
        };
        let numbered = self.pieces.keys().copied().eq(0..self.pieces.len());
        let Some(first) = paths.first().cloned() else { return Ok(Err(Default::default())) };
        let origin = match origin_at(destination, &first).await? {
            Ok(origin) => origin,
            Err(problem) => return Ok(Err(problem)),
        };
        if origin.pipeline != pipeline {
            let problem = format!("it is of pipeline `{}`", origin.pipeline);
            return Ok(Err((first, problem)));
        }
        if !numbered || origin.pieces > paths.len() {
            let problem = format!("it is one of {} pieces, and others are gone", origin.pieces);
            return Ok(Err((first, problem)));
        }
        // What is behind them is of an earlier attempt.
        paths.truncate(origin.pieces.max(1));
        let origins = paths.iter().map(|path| origin_at(destination, path));
        let origins: Vec<_> = origins.collect();
        let origins: Result<Vec<KeptOrigin>, Problem> = stream::iter(origins)
            .buffered(AT_ONCE)
            .try_collect::<Vec<_>>()
            .await?
            .into_iter()
            .collect();
        Ok(origins.and_then(|origins| agreeing(paths, origins, is_whole)))
    }
}

/// The exports of one attempt, whose windows follow each other.
fn agreeing(
    paths: Vec<Path>,
    origins: Vec<KeptOrigin>,
    is_whole: bool,
) -> Result<Vec<KeptExport>, Problem> {
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
            return Err((path, problem.to_owned()));
        }
        exports.push(KeptExport { path, origin });
    }
    Ok(exports)
}

/// The run whose export a file of the landing is, and which piece.
fn run_and_piece(area: &Path, export: &Path) -> Option<(RunId, Option<usize>)> {
    let mut below = export.prefix_match(area)?;
    let (first, second) = (below.next()?, below.next());
    if below.next().is_some() {
        return None;
    }
    let Some(second) = second else {
        return Some((first.as_ref().strip_suffix(EXPORT)?.parse().ok()?, None));
    };
    let number = second.as_ref().strip_suffix(EXPORT)?;
    let is_number = number.len() >= 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    Some((first.as_ref().parse().ok()?, Some(number.parse().ok().filter(|_| is_number)?)))
}

/// The origin of a kept export, or what is wrong with it.
async fn origin_at(
    destination: &Destination,
    export: &Path,
) -> Result<Result<KeptOrigin, Problem>, ArchiveError> {
    let path = origin_of(export);
    let Some(content) = destination.get(&path).await? else {
        return Ok(Err((export.clone(), "nothing says where it came from".to_owned())));
    };
    Ok(serde_json::from_slice(&content).map_err(|error| (path, error.to_string())))
}

fn unusable((path, problem): Problem) -> ArchiveError {
    ArchiveError::Unusable { path, problem }
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
    let mut content = content.ok_or_else(|| unusable((path.clone(), "it is gone".to_owned())))?;
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
            ("_flowlake/landing/run-1.json.zst", Some(("run-1", None))),
            ("_flowlake/landing/run-2/0003.json.zst", Some(("run-2", Some(3)))),
            ("_flowlake/landing/run-1.origin.json", None),
            ("_flowlake/landing/run-2/0003.origin.json", None),
            ("_flowlake/landing/run-2/0003 (copy).json.zst", None),
            ("_flowlake/landing/run-2/3.json.zst", None),
            ("_flowlake/landing/run-2/old/0003.json.zst", None),
            ("_flowlake/landing/run-1.json.zst.bak", None),
            ("_flowlake/landing/run 1 (copy).json.zst", None),
            ("_flowlake/runs/run-1.json", None),
        ] {
            let found = run_and_piece(&area, &Path::from(path));
            let found = found.as_ref().map(|(run, piece)| (run.as_str(), *piece));
            assert_eq!(found, expected, "{path}");
        }
    }
}
