//! The contract of the storage, held against every adapter: memory, a folder, and a real S3-compatible server
//! that the tests start; and what only a folder can be tormented with.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says by panicking what is wrong"
)]

mod crash;
mod folder;
mod promises;
mod s3;
#[path = "../broker/wait.rs"]
mod wait;

use std::time::Duration;

use roomdrop::store::{GRACE, Options, Place, Store};

/// Bytes that a store of the tests may keep.
const QUOTA: u64 = 64 << 20;
/// Each promise as a test of its own, with each adapter.
macro_rules! promises {
    ($($promise:ident,)*) => {
        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    crate::promises::$promise(crate::Shelf::memory()).await;
                }
            )*
        }

        mod a_folder {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let folder = tempfile::tempdir().unwrap();
                    crate::promises::$promise(crate::Shelf::folder(folder.path())).await;
                }
            )*
        }

        mod a_bucket {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let server = crate::s3::Server::start().await;
                    crate::promises::$promise(server.shelf()).await;
                }
            )*
        }
    };
}

promises! {
    a_whole_reads_back_in_any_stretch,
    nothing_is_seen_before_it_is_whole,
    the_same_bytes_are_stored_once,
    too_much_is_refused_before_any_byte_is_taken,
    room_that_was_set_aside_is_given_back,
    another_number_of_bytes_than_announced_is_refused,
    a_digest_of_any_kind_is_checked,
    wholes_join_without_being_written_again,
    records_are_created_once_and_changed_by_who_knows_them,
    records_are_listed_by_what_they_begin_with,
    what_expired_or_is_referred_to_by_nothing_goes,
    old_chunks_that_are_wanted_again_stay,
    an_ingest_may_take_longer_than_the_grace,
}

/// Where a test keeps things, and how it opens that place.
pub(crate) struct Shelf {
    place: Place,
    environment: Vec<(String, String)>,
}

impl Shelf {
    fn memory() -> Self {
        Self { place: Place::Memory, environment: Vec::new() }
    }

    pub(crate) fn folder(folder: &std::path::Path) -> Self {
        Self { place: Place::Folder(folder.join("data")), environment: Vec::new() }
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            place: self.place.clone(),
            lifetime: Duration::from_secs(3600),
            max_size: QUOTA,
            quota: QUOTA,
            grace: GRACE,
        }
    }

    pub(crate) fn open(&self) -> Store {
        self.open_with(self.options())
    }

    pub(crate) fn open_with(&self, options: Options) -> Store {
        let environment = self.environment.iter().map(|(key, value)| (key.into(), value.into()));
        Store::open(options, environment).unwrap()
    }
}
