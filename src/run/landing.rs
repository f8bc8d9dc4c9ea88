//! The landing area of the destination: the exports of the last runs, as they were received.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use object_store::path::Path;
use serde::Serialize;

use crate::landing::{ExportHash, Landed};
use crate::plan::Plan;
use crate::run::RunError;
use crate::run::intake::Intake;
use crate::schema::Window;
use crate::source::http::ResponseMetadata;
use crate::store::Destination;

/// What is kept beside an export: where it came from, and what it has to be.
#[derive(Serialize)]
struct Origin<'a> {
    /// What was asked, without the key.
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<Window>,
    #[serde(flatten)]
    response_metadata: &'a ResponseMetadata,
    /// Decompressed.
    bytes: u64,
    /// Of the export as it was received, decompressed.
    blake3: &'a ExportHash,
}

/// The bodies that a run has received, and what was said before each.
pub(super) struct Received {
    answers: Vec<(Landed, ResponseMetadata)>,
}

/// The directory for exports that are still arriving: on the disk that they are to stay on, where there is one.
pub(super) fn directory(destination: &Destination, plan: &Plan) -> PathBuf {
    let of_destination = destination.local_file(&Path::default());
    of_destination.filter(|_| plan.pipeline.landing.keep > 0).unwrap_or_else(std::env::temp_dir)
}

impl Received {
    pub(super) fn of(intake: &Intake) -> Self {
        let answers = intake.landed.iter().cloned().zip(intake.response_metadata.iter().cloned());
        Self { answers: answers.collect() }
    }

    /// Keeps them for as long as the definition says, and those of earlier runs no longer.
    pub(super) async fn keep(self, destination: &Destination, plan: &Plan) -> Result<(), RunError> {
        if plan.pipeline.landing.keep > 0 {
            self.put(destination, plan).await?;
        }
        prune(destination, plan).await
    }

    async fn put(self, destination: &Destination, plan: &Plan) -> Result<(), RunError> {
        let answers = plan.requests.iter().zip(&self.answers);
        for (piece, (request, (landed, response_metadata))) in answers.enumerate() {
            let origin = Origin {
                url: request.url.as_str(),
                window: request.window,
                response_metadata,
                bytes: landed.bytes,
                blake3: &landed.hash,
            };
            let origin = serde_json::to_vec_pretty(&origin).map_err(RunError::Report)?;
            let to = path(plan, piece, EXPORT);
            if !destination.adopt(landed.file(), &to).await? {
                destination.put_stream(&to, landed.compressed()).await?;
            }
            destination.put(&path(plan, piece, ORIGIN), Bytes::from(origin)).await?;
        }
        Ok(())
    }
}

/// How the name of an export ends.
const EXPORT: &str = ".json.zst";
/// How the name of what is kept beside it ends.
const ORIGIN: &str = ".origin.json";

/// Where an export is kept: the pieces of a window lie in a directory of their run.
fn path(plan: &Plan, piece: usize, ending: &str) -> Path {
    let (area, run_id) = (Destination::own("landing"), &plan.run_id);
    match plan.window {
        None => area.join(format!("{run_id}{ending}")),
        Some(_) => area.join(run_id.to_string()).join(format!("{piece:04}{ending}")),
    }
}

/// Removes all but the exports of the last runs. Run ids sort by time, so names do.
async fn prune(destination: &Destination, plan: &Plan) -> Result<(), RunError> {
    let area = Destination::own("landing");
    let mut runs: BTreeMap<String, Vec<Path>> = BTreeMap::new();
    for listed in destination.list(&area).await? {
        let run = listed.path.prefix_match(&area).and_then(|mut parts| parts.next());
        let run = run.map(|part| run_of(part.as_ref()).to_owned());
        runs.entry(run.unwrap_or_default()).or_default().push(listed.path);
    }
    let unchanged = runs.len().saturating_sub(plan.pipeline.landing.keep);
    for path in runs.values().take(unchanged).flatten() {
        destination.delete(path).await?;
    }
    Ok(())
}

/// The run that a name in the landing area belongs to.
fn run_of(name: &str) -> &str {
    [EXPORT, ORIGIN].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}
