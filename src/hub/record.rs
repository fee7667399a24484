//! What the record of a transfer says, beyond how it stands: enough for any node to be its home. It is
//! written as JSON, and one of a form that this version does not know is none.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::session::Situation;
use crate::protocol::rooms::OfferedTransfer;
use crate::protocol::{DropId, FileName, FolderPath, MediaType, RoomId, Secret};
use crate::room::Shelved;

/// What is known of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// Its name.
    pub name: FileName,
    /// The folder it lies in.
    pub path: Option<FolderPath>,
    /// Its media type.
    pub media_type: MediaType,
    /// Bytes, or none while not known.
    pub size: Option<u64>,
    /// When it was last changed, in milliseconds since the Unix epoch.
    pub modified: Option<u64>,
}

impl File {
    /// What an offer says of it.
    pub(super) fn of(offered: &OfferedTransfer) -> Self {
        Self {
            name: offered.name.clone(),
            path: offered.path.clone(),
            media_type: offered.media_type.clone(),
            size: offered.size,
            modified: offered.modified,
        }
    }
}

/// What never changes of a transfer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct About {
    /// Where it was offered.
    pub(super) room: RoomId,
    /// With which drop.
    pub(super) drop: DropId,
    /// What.
    pub(super) file: Arc<File>,
    /// What is written down of it, where it is to be kept.
    #[serde(default)]
    pub(super) kept: Option<Arc<Shelved>>,
    /// Who holds this is its source.
    pub(super) source_token: Secret,
}

/// All of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Story {
    pub(super) about: About,
    pub(super) situation: Situation,
}

impl Story {
    pub(super) fn write(&self) -> Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    pub(super) fn read(bytes: &Bytes) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}
