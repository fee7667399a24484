//! Why the storage did not do what it was asked. Each reason has its place among the protocol's codes, so
//! that nobody above has to look into an error of the storage again.

use std::error::Error;
use std::io;

use crate::protocol::{ErrorCode, Refusal};

/// Why nothing was kept, or nothing read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The place cannot be meant.
    #[error("store.url: {0}")]
    Place(String),
    /// One whole may not be that large.
    #[error("more than the {most} bytes that one file may have to be kept")]
    TooLarge {
        /// Bytes, at most.
        most: u64,
    },
    /// All of it together may not be that large.
    #[error("no more is kept at once; try again when something has expired")]
    Quota,
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// There is no such thing.
    #[error("there is no such thing here")]
    NotFound,
    /// There is one of this name already.
    #[error("there is one of this name already")]
    Exists,
    /// A record is not what it was when it was read.
    #[error("the record has changed")]
    Stale,
    /// What was to be kept is not of the size that was said.
    #[error("these are not as many bytes as were announced")]
    WrongSize,
    /// The bytes that lie there are not those that were written.
    #[error("what lies in the storage is damaged")]
    Damaged,
    /// The storage cannot be reached, or failed.
    #[error("the storage failed: {0}")]
    Away(String),
}

impl StoreError {
    /// The code that tells it to a peer.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::Quota | Self::Full => ErrorCode::StorageFull,
            Self::NotFound => ErrorCode::NotFound,
            Self::WrongSize => ErrorCode::BadRequest,
            Self::Damaged => ErrorCode::SourceFailed,
            Self::Away(_) => ErrorCode::StorageUnavailable,
            Self::Place(_) | Self::Exists | Self::Stale => ErrorCode::Internal,
        }
    }

    /// The code, with a sentence of its own where it can say more.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::TooLarge { most } => Refusal::new(
                ErrorCode::TooLarge,
                format!("A file to be kept may have {most} bytes at most; offer it without keep."),
            ),
            other => other.code().into(),
        }
    }
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        match &error {
            object_store::Error::NotFound { .. } => Self::NotFound,
            object_store::Error::AlreadyExists { .. } => Self::Exists,
            object_store::Error::Precondition { .. } => Self::Stale,
            _ if is_full(&error) => Self::Full,
            _ => Self::Away(error.to_string()),
        }
    }
}

impl From<tokio::task::JoinError> for StoreError {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Away(error.to_string())
    }
}

fn is_full(error: &object_store::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
            return full.contains(&error.kind());
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_known_as_one_and_another_fault_is_not() {
        for (kind, is_full) in [
            (io::ErrorKind::StorageFull, true),
            (io::ErrorKind::QuotaExceeded, true),
            (io::ErrorKind::PermissionDenied, false),
        ] {
            let source = Box::new(io::Error::from(kind));
            let error = StoreError::from(object_store::Error::Generic { store: "disk", source });
            assert_eq!(error == StoreError::Full, is_full, "{kind}");
            assert_eq!(error.code() == ErrorCode::StorageFull, is_full, "{kind}");
        }
    }
}
