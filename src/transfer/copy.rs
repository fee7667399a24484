//! The copy that the server keeps of a transfer's bytes, as far as its life depends on it. Once all of it is
//! there, any byte can be had at any time, whatever becomes of the sender; when there is to be none, the
//! transfer goes on as if nobody had asked for one.

use serde::{Deserialize, Serialize};

use super::machine::Transfer;
use super::{Output, Source};
use crate::protocol::{Digest, ErrorCode, Moment, Refusal};

/// What is known of the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Copy {
    /// Nobody asked for one.
    None,
    /// It is being written.
    Coming,
    /// All of it is there, until then.
    Here {
        /// When it ends.
        until: Moment,
    },
    /// There is none, for this reason.
    Failed(ErrorCode),
}

impl Copy {
    /// Whether all of it is there.
    pub const fn is_here(self) -> bool {
        matches!(self, Self::Here { .. })
    }
}

impl Transfer {
    /// What is known of the copy.
    pub fn copy(&self) -> Copy {
        self.supply.copy()
    }

    /// Whether the sender gave its bytes once and the copy alone can give them again.
    pub fn has_copy_alone(&self) -> bool {
        self.copy().is_here() && self.supply.own() == Source::Once
    }

    /// A copy is whole.
    pub(super) fn kept(&mut self, size: u64, digest: Digest, until: Moment) -> Result<(), Refusal> {
        let other_size = self.size.is_some_and(|known| known != size);
        let other_bytes = self.digest.is_some_and(|known| known.is_comparable(&digest) && known != digest);
        if other_size || other_bytes {
            return Err(ErrorCode::DigestMismatch.into());
        }
        let before = (self.size, self.digest);
        self.size = Some(size);
        self.digest.get_or_insert(digest);
        if before != (self.size, self.digest) {
            self.outputs.push_back(Output::End { size, digest: self.digest });
        }
        self.expires_at = self.expires_at.max(until);
        self.supply.set_copy(Copy::Here { until });
        Ok(())
    }
}
