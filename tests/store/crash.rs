//! A process that keeps things and is killed at any moment, again and again: what it said is kept is there, what it
//! did not say is there whole or not at all, and sweeps leave nothing else on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use roomdrop::store::{CHUNK, GRACE, ManifestId, Options, Store};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::promises::{bytes, is_here, keep, whole};
use crate::wait::eventually;
use crate::{Shelf, folder};

/// What tells this program, started once more, that it is the one to be killed: the folder, and where it counts from.
const WRITER: &str = "ROOMDROP_TEST_WRITER";
const ROUNDS: u128 = 6;
/// Wholes that one round may keep.
const IDS: u128 = 1000;
const SAID: &str = "kept ";

fn open(folder: &Path, grace: Duration) -> Store {
    let shelf = Shelf::folder(folder);
    shelf.open_with(Options { quota: 4 << 30, grace, ..shelf.options() })
}

/// One to three chunks; some of them the same.
fn content(id: u128) -> Bytes {
    let seed = u64::try_from(id % 7).unwrap();
    bytes(seed, CHUNK / 2 * (1 + usize::try_from(id % 5).unwrap()) + usize::try_from(id % 3).unwrap())
}

/// Keeps one after the other and says so, while another is written, chunk by chunk, that never ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writer() {
    let Some(told) = std::env::var_os(WRITER) else { return };
    let told = told.into_string().unwrap();
    let (first, folder) = told.split_once(' ').unwrap();
    let first: u128 = first.parse().unwrap();
    let store = open(Path::new(folder), GRACE);
    let mut endless = store.ingest(whole(first + IDS)).await.unwrap();
    let mut out = std::io::stdout();
    for id in first.. {
        endless.write(bytes(u64::try_from(id).unwrap() + 1000, CHUNK / 2 + 1)).await.unwrap();
        keep(&store, id, &content(id)).await;
        writeln!(out, "{SAID}{id}").unwrap();
    }
}

/// Lets one write until it has said `count` times that something is kept, and a drawn moment longer.
async fn killed_after(folder: &Path, round: u128) -> BTreeSet<u128> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["crash::writer", "--exact", "--nocapture"])
        .env(WRITER, format!("{} {}", round * 2 * IDS, folder.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = BTreeSet::new();
    while said.len() < 2 {
        let line = lines.next_line().await.unwrap().expect("it writes until it is killed");
        said.extend(line.split_once(SAID).and_then(|(_, id)| id.parse::<u128>().ok()));
    }
    // Wherever it is by then: each round has another length of its next write to be caught in.
    let begun = tokio::time::Instant::now();
    let moment = Duration::from_millis(u64::try_from(round * 7).unwrap());
    eventually("the moment is over", async || (begun.elapsed() >= moment).then_some(())).await;
    child.kill().await.unwrap();
    while let Some(line) = lines.next_line().await.unwrap() {
        said.extend(line.split_once(SAID).and_then(|(_, id)| id.parse::<u128>().ok()));
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_to_be_kept_survives_a_kill_and_nothing_else_stays() {
    let place = tempfile::tempdir().unwrap();
    let mut said = BTreeSet::new();
    for round in 0..ROUNDS {
        said.extend(killed_after(place.path(), round).await);
    }
    let store = open(place.path(), GRACE);
    let there: BTreeMap<_, _> =
        (0..2 * ROUNDS * IDS).map(|id| (ManifestId::from_random(id).as_str().to_owned(), id)).collect();
    let kept: BTreeSet<u128> = store.manifests().await.unwrap().iter().map(|id| there[id.as_str()]).collect();
    assert!(said.is_subset(&kept), "{:?} are gone", said.difference(&kept));
    // The last of a round may be whole without its having been said any more.
    assert!(kept.len() - said.len() <= usize::try_from(ROUNDS).unwrap());
    for id in &kept {
        is_here(&store, *id, &content(*id)).await;
    }
    for id in &kept {
        assert!(id % (2 * IDS) < IDS, "what never ended is not seen");
    }
    only_wanted_files_stay(place.path(), &kept).await;
    for id in kept {
        is_here(&store, id, &content(id)).await;
    }
}

async fn only_wanted_files_stay(place: &Path, kept: &BTreeSet<u128>) {
    let mut wanted = BTreeSet::new();
    for id in kept {
        let mut left = content(*id);
        while !left.is_empty() {
            wanted.insert(blake3::hash(&left.split_to(CHUNK.min(left.len()))).to_hex().to_string());
        }
        wanted.insert(ManifestId::from_random(*id).as_str().to_owned());
    }
    // What was written a moment ago may still be wanted, but for those who have no patience.
    let hasty = open(place, Duration::from_millis(20));
    eventually("only what is wanted is on the disk", async || {
        hasty.sweep().await.unwrap();
        let names = folder::files(&place.join("data"));
        let names = names.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
        (names.collect::<BTreeSet<_>>() == wanted).then_some(())
    })
    .await;
}
