//! The contract of the port between nodes, held against every adapter, with real Redis servers that the
//! tests start, kill and torment.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says by panicking what is wrong"
)]

mod cluster;
mod doors;
mod faults;
mod memory;
mod node;
mod port;
mod promises;
mod proxy;
mod server;
mod wait;

/// Each promise as a test of its own, with one Redis and with a cluster.
macro_rules! promises {
    ($($promise:ident,)*) => {
        mod alone {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let server = crate::server::Server::start().await;
                    crate::promises::$promise(crate::node::options(&server.url(), false)).await;
                }
            )*
        }

        mod clustered {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let cluster = crate::cluster::Cluster::start().await;
                    crate::promises::$promise(cluster.options()).await;
                }
            )*
        }
    };
}

promises! {
    records_are_owned_by_the_highest_epoch,
    of_many_who_take_over_at_once_one_wins,
    records_expire,
    a_value_may_be_anything,
    nodes_find_each_other_and_hear_who_is_gone,
    a_node_that_dies_is_lost_and_not_for_one_missing_beat,
    every_frame_arrives_as_it_was_sent_and_in_order,
    to_all_is_to_every_other,
    what_reaches_nobody_is_said_to_be_undelivered,
    bytes_under_way_are_bounded_and_all_arrive,
    followers_hear_every_entry_once_and_in_order,
    large_entries_arrive,
    a_follower_that_does_not_listen_misses_nothing_and_holds_up_nobody,
    compaction_keeps_what_came_after,
    an_expired_log_is_seeded_by_the_one_that_knows_most,
    a_log_that_is_followed_does_not_expire,
    who_drops_a_log_is_forgotten,
}
