//! Aside: where files go that are in the way and hold rows. Nothing reads them there, and nothing is lost.

use object_store::path::Path;

use super::{CommitError, layout};
use crate::schema::RunId;
use crate::store::{Destination, FileMove};

/// Moves files out of the readers' way, to a directory of the run that does so. A file that is gone is left out.
pub(super) async fn move_aside(
    destination: &Destination,
    files: &[Path],
    run_id: &RunId,
) -> Result<(), CommitError> {
    let mut moves = Vec::new();
    for file in files {
        if let Some(bytes) = destination.size(file).await? {
            let target = layout::aside(destination, file, run_id);
            moves.push(FileMove::new(file.clone(), target, bytes));
        }
    }
    Ok(destination.publish_all(&moves).await?)
}
