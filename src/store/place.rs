//! Where things are kept: a folder, S3-compatible storage, or memory for tests. Each is an adapter of
//! `object_store`; here stands only how it is opened and how it can compare and set. Credentials and
//! endpoint of S3 come from the usual `AWS_*` environment, never from the configuration.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use tokio::sync::Mutex;

use super::error::StoreError;

/// Where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this folder, which is made with the first thing that is kept.
    Folder(PathBuf),
    /// In this bucket, under this prefix, which may be empty.
    S3 {
        /// The bucket.
        bucket: String,
        /// What all keys begin with.
        prefix: String,
    },
    /// In memory, until the process ends.
    Memory,
}

/// How a record is compared and set.
#[derive(Debug)]
pub(super) enum Swaps {
    /// The storage does it.
    Conditional,
    /// Under one of these locks.
    Locked(Box<[Mutex<()>; LOCKS]>),
}

const LOCKS: usize = 64;
/// Time for one request to S3.
const REQUEST: Duration = Duration::from_secs(30);
/// Time for all tries of one request.
const TRIES: Duration = Duration::from_secs(60);

pub(super) fn open(
    place: &Place,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(Arc<dyn ObjectStore>, Swaps), StoreError> {
    match place {
        Place::Memory => Ok((Arc::new(InMemory::new()), Swaps::Conditional)),
        Place::Folder(folder) => {
            let absolute = std::path::absolute(folder).map_err(refused)?;
            let prefix = Path::from_absolute_path(absolute).map_err(refused)?;
            let files = LocalFileSystem::new().with_fsync(true);
            Ok((Arc::new(PrefixStore::new(files, prefix)), Swaps::locked()))
        }
        Place::S3 { bucket, prefix } => {
            let bucket = s3(bucket, environment)?;
            let prefix = Path::parse(prefix).map_err(refused)?;
            Ok((Arc::new(PrefixStore::new(bucket, prefix)), Swaps::Conditional))
        }
    }
}

fn s3(
    bucket: &str,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<AmazonS3, StoreError> {
    // The program has one provider of cryptography; whoever needs it first says which.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let retry = RetryConfig { max_retries: 5, retry_timeout: TRIES, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new().with_bucket_name(bucket).with_retry(retry);
    let mut client = ClientOptions::new().with_timeout(REQUEST);
    for (key, value) in environment {
        let (Some(key), Some(value)) = (key.to_str(), value.to_str()) else { continue };
        if !key.starts_with("AWS_") {
            continue;
        }
        if key.starts_with("AWS_ENDPOINT") && value.starts_with("http://") {
            client = client.with_allow_http(true);
        }
        if let Ok(key) = key.to_ascii_lowercase().parse() {
            builder = builder.with_config(key, value);
        }
    }
    builder.with_client_options(client).build().map_err(refused)
}

impl Swaps {
    pub(super) fn is_conditional(&self) -> bool {
        matches!(self, Self::Conditional)
    }

    fn locked() -> Self {
        Self::Locked(Box::new(std::array::from_fn(|_| Mutex::new(()))))
    }

    /// The lock of this name, where there is need of one.
    pub(super) fn lock_of(&self, name: &str) -> Option<&Mutex<()>> {
        let Self::Locked(locks) = self else { return None };
        let number = name.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        locks.get(number % LOCKS)
    }
}

fn refused(error: impl std::fmt::Display) -> StoreError {
    StoreError::Place(error.to_string())
}
