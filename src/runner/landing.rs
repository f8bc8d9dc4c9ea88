//! The landing area of the destination: the exports of the last runs, as they were received.

use std::collections::BTreeMap;

use bytes::Bytes;
use object_store::path::Path;

use super::RunError;
use crate::destination::Destination;
use crate::land::{LandError, Landed};
use crate::plan::Plan;
use crate::runtime::on_cpu;

/// Keeps the exports of a run, unless the definition says not to.
pub(super) async fn keep(
    destination: &Destination,
    plan: &Plan,
    landed: &[Landed],
) -> Result<(), RunError> {
    if plan.pipeline.landing.keep == 0 {
        return Ok(());
    }
    for (piece, landed) in landed.iter().enumerate() {
        let content = Bytes::from(compressed(landed).await?);
        destination.put(&path(plan, piece), content).await?;
    }
    Ok(())
}

/// Where an export is kept: the pieces of a window lie in a directory of their run.
fn path(plan: &Plan, piece: usize) -> Path {
    let (area, run_id) = (Destination::own("landing"), &plan.run_id);
    match plan.window {
        None => area.join(format!("{run_id}.json.zst")),
        Some(_) => area.join(run_id.to_string()).join(format!("{piece:04}.json.zst")),
    }
}

async fn compressed(landed: &Landed) -> Result<Vec<u8>, LandError> {
    let mut file = landed.open()?;
    let content = on_cpu(move || {
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut content).map(|_| content)
    });
    Ok(content.await?)
}

/// Removes all but the exports of the last runs. Run ids sort by time, so names do.
pub(super) async fn prune(destination: &Destination, plan: &Plan) -> Result<(), RunError> {
    let area = Destination::own("landing");
    let mut runs: BTreeMap<String, Vec<Path>> = BTreeMap::new();
    for listed in destination.list(&area).await? {
        let run = listed.path.prefix_match(&area).and_then(|mut parts| parts.next());
        let run = run.map(|part| part.as_ref().trim_end_matches(".json.zst").to_owned());
        runs.entry(run.unwrap_or_default()).or_default().push(listed.path);
    }
    let surplus = runs.len().saturating_sub(plan.pipeline.landing.keep);
    for path in runs.values().take(surplus).flatten() {
        destination.delete(path).await?;
    }
    Ok(())
}
