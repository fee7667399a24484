//! What the storage says, in words for whoever uploads.

use crate::protocol::{ErrorCode, Refusal};
use crate::store::StoreError;

/// The refusal of an upload that the storage does not take. Logged here if an operator must know.
pub(super) fn refusal(error: StoreError) -> Refusal {
    match &error {
        StoreError::TooLarge { most } => {
            Refusal::new(ErrorCode::TooLarge, format!("A file may have {most} bytes at most on this server."))
        }
        StoreError::Quota | StoreError::Full => {
            tracing::warn!(%error, "an upload finds no room");
            let why = "There is no room to keep this; try again when something has expired.";
            Refusal::new(ErrorCode::StorageFull, why)
        }
        _ => {
            tracing::warn!(%error, "an upload cannot be kept");
            error.code().into()
        }
    }
}
