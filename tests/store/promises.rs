//! What every adapter promises.

use std::time::Duration;

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use roomdrop::protocol::Digest;
use roomdrop::store::{CHUNK, Ingest, Manifest, ManifestId, Options, RecordKey, Store, StoreError, Whole};

use crate::wait::eventually;
use crate::{QUOTA, Shelf};

pub(crate) fn bytes(seed: u64, count: usize) -> Bytes {
    let mut bytes = vec![0; count];
    SmallRng::seed_from_u64(seed).fill(&mut bytes[..]);
    bytes.into()
}

pub(crate) fn whole(id: u128) -> Whole {
    Whole { id: ManifestId::from_random(id), size: None, lifetime: None }
}

async fn begin(store: &Store, id: u128) -> Ingest {
    store.ingest(whole(id)).await.unwrap()
}

pub(crate) async fn keep(store: &Store, id: u128, bytes: &Bytes) -> Manifest {
    let mut ingest = begin(store, id).await;
    ingest.write(bytes.clone()).await.unwrap();
    ingest.finish().await.unwrap()
}

async fn read(store: &Store, manifest: &Manifest, stretch: std::ops::Range<u64>) -> Vec<u8> {
    let mut reader = store.reader(manifest, stretch);
    let mut all = Vec::new();
    while let Some(part) = reader.next(1 << 20).await.unwrap() {
        assert!((1..=1 << 20).contains(&part.len()));
        all.extend_from_slice(&part);
    }
    all
}

pub(crate) async fn is_here(store: &Store, id: u128, bytes: &Bytes) {
    let manifest = store.manifest(&ManifestId::from_random(id)).await.unwrap();
    assert_eq!(manifest.digest, Digest::Blake3(*blake3::hash(bytes).as_bytes()));
    assert!(read(store, &manifest, 0..u64::MAX).await == *bytes, "the bytes are those that were written");
}

pub(crate) async fn a_whole_reads_back_in_any_stretch(shelf: Shelf) {
    let store = shelf.open();
    let mut random = SmallRng::seed_from_u64(7);
    for (id, size) in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 777].into_iter().enumerate() {
        let bytes = bytes(id as u64, size);
        let mut ingest = begin(&store, id as u128).await;
        let mut left = bytes.clone();
        while !left.is_empty() {
            let part = random.random_range(1..=(3 * CHUNK / 2).min(left.len()));
            ingest.write(left.split_to(part)).await.unwrap();
        }
        assert_eq!(ingest.taken(), size as u64);
        let manifest = ingest.finish().await.unwrap();
        assert_eq!(manifest.size, size as u64);
        // Another process finds it.
        let other = shelf.open();
        let store = if let roomdrop::store::Place::Memory = other.options().place { &store } else { &other };
        is_here(store, id as u128, &bytes).await;
        for _ in 0..5 {
            let from = random.random_range(0..=size);
            let to = random.random_range(from..=size + 10);
            let part = read(store, &manifest, from as u64..to as u64).await;
            assert!(part == bytes[from..to.min(size)], "{from}..{to} of {size}");
        }
    }
}

pub(crate) async fn nothing_is_seen_before_it_is_whole(shelf: Shelf) {
    let store = shelf.open();
    let mut ingest = begin(&store, 1).await;
    ingest.write(bytes(1, CHUNK + 5)).await.unwrap();
    assert!(store.manifests().await.unwrap().is_empty());
    let sealed = ingest.seal().await.unwrap();
    assert!(store.manifests().await.unwrap().is_empty());
    assert_eq!(store.manifest(&ManifestId::from_random(1)).await.unwrap_err(), StoreError::NotFound);
    drop(sealed);
    assert!(store.manifests().await.unwrap().is_empty());
    keep(&store, 1, &bytes(2, 10)).await;
    assert_eq!(store.manifests().await.unwrap(), [ManifestId::from_random(1)]);
    let mut again = begin(&store, 1).await;
    again.write(bytes(3, 10)).await.unwrap();
    assert_eq!(again.finish().await.unwrap_err(), StoreError::Exists);
    is_here(&store, 1, &bytes(2, 10)).await;
    store.delete(&ManifestId::from_random(1)).await.unwrap();
    store.delete(&ManifestId::from_random(1)).await.unwrap();
    assert!(store.manifests().await.unwrap().is_empty());
}

pub(crate) async fn the_same_bytes_are_stored_once(shelf: Shelf) {
    let size = 2 * CHUNK + 9;
    let store = shelf.open_with(Options { quota: size as u64 + CHUNK as u64, ..shelf.options() });
    let bytes = bytes(1, size);
    for id in 1..5 {
        keep(&store, id, &bytes).await;
        is_here(&store, id, &bytes).await;
    }
    store.has_room_for(CHUNK as u64).await.unwrap();
    assert_eq!(store.has_room_for(CHUNK as u64 + 1).await.unwrap_err(), StoreError::Quota);
}

pub(crate) async fn too_much_is_refused_before_any_byte_is_taken(shelf: Shelf) {
    let store = shelf.open_with(Options { max_size: 1000, quota: 1500, ..shelf.options() });
    let of = |size| Whole { size: Some(size), ..whole(1) };
    assert_eq!(store.ingest(of(1001)).await.unwrap_err(), StoreError::TooLarge { most: 1000 });
    let first = store.ingest(of(1000)).await.unwrap();
    assert_eq!(store.ingest(of(501)).await.unwrap_err(), StoreError::Quota);
    drop(first);
    let mut unknown = begin(&store, 2).await;
    unknown.write(bytes(1, 1000)).await.unwrap();
    assert_eq!(unknown.write(bytes(1, 1)).await.unwrap_err(), StoreError::TooLarge { most: 1000 });
    drop(unknown);
    keep(&store, 3, &bytes(1, 1000)).await;
    let mut unknown = begin(&store, 4).await;
    unknown.write(bytes(2, 501)).await.unwrap();
    assert_eq!(unknown.finish().await.unwrap_err(), StoreError::Quota);
    // Whoever opens it later counts what is there.
    let place = shelf.options().place;
    if place != roomdrop::store::Place::Memory {
        let later = shelf.open_with(Options { max_size: 1000, quota: 1500, ..shelf.options() });
        assert_eq!(later.has_room_for(501).await.unwrap_err(), StoreError::Quota);
        later.has_room_for(500).await.unwrap();
    }
}

pub(crate) async fn room_that_was_set_aside_is_given_back(shelf: Shelf) {
    let store = shelf.open();
    for id in 0..20 {
        let half = Whole { size: Some(QUOTA / 2), ..whole(id) };
        let mut ingest = eventually("room", async || store.ingest(half.clone()).await.ok()).await;
        ingest.write(bytes(1, CHUNK)).await.unwrap();
    }
    eventually("room for what was given up", async || {
        store.sweep().await.unwrap();
        store.has_room_for(QUOTA - CHUNK as u64).await.ok()
    })
    .await;
}

pub(crate) async fn another_number_of_bytes_than_announced_is_refused(shelf: Shelf) {
    let store = shelf.open();
    let of = |id| Whole { size: Some(10), ..whole(id) };
    let mut more = store.ingest(of(1)).await.unwrap();
    assert_eq!(more.write(bytes(1, 11)).await.unwrap_err(), StoreError::WrongSize);
    let mut fewer = store.ingest(of(2)).await.unwrap();
    fewer.write(bytes(1, 9)).await.unwrap();
    assert_eq!(fewer.finish().await.unwrap_err(), StoreError::WrongSize);
    assert!(store.manifests().await.unwrap().is_empty());
}

pub(crate) async fn a_digest_of_any_kind_is_checked(shelf: Shelf) {
    let store = shelf.open();
    let mut ingest = begin(&store, 1).await;
    ingest.write(Bytes::from_static(b"abc")).await.unwrap();
    let sealed = ingest.seal().await.unwrap();
    for (digest, is_it) in [
        ("blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85", true),
        ("md5:900150983cd24fb0d6963f7d28e17f72", true),
        ("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", true),
        ("md5:900150983cd24fb0d6963f7d28e17f73", false),
    ] {
        let digest = Digest::parse(digest).unwrap();
        assert_eq!(sealed.matches(&digest).await.unwrap(), is_it, "{digest}");
    }
}

pub(crate) async fn wholes_join_without_being_written_again(shelf: Shelf) {
    let size = 2 * CHUNK + 100;
    let store = shelf.open_with(Options { quota: size as u64, ..shelf.options() });
    let bytes = bytes(1, size);
    let first = keep(&store, 1, &bytes.slice(..CHUNK + 50)).await;
    let second = keep(&store, 2, &bytes.slice(CHUNK + 50..)).await;
    let joined = store.join(whole(3), &[first, second]).await.unwrap();
    assert!(joined.matches(&Digest::Blake3(*blake3::hash(&bytes).as_bytes())).await.unwrap());
    let manifest = joined.publish().await.unwrap();
    is_here(&store, 3, &bytes).await;
    let part = read(&store, &manifest, CHUNK as u64..CHUNK as u64 + 100).await;
    assert!(part == bytes[CHUNK..CHUNK + 100]);
}

fn key(parts: &[&str]) -> RecordKey {
    RecordKey::new(parts.iter().copied()).unwrap()
}

pub(crate) async fn records_are_created_once_and_changed_by_who_knows_them(shelf: Shelf) {
    let store = shelf.open();
    let key = key(&["kind", "name"]);
    let of = |text: &'static str| Bytes::from_static(text.as_bytes());
    assert_eq!(store.record(&key).await.unwrap_err(), StoreError::NotFound);
    let first = store.create_record(&key, of("one")).await.unwrap();
    assert_eq!(store.create_record(&key, of("other")).await.unwrap_err(), StoreError::Exists);
    let read = store.record(&key).await.unwrap();
    assert_eq!((read.value, &read.tag), (of("one"), &first));
    let second = store.replace_record(&key, &first, of("two")).await.unwrap();
    assert_eq!(store.replace_record(&key, &first, of("late")).await.unwrap_err(), StoreError::Stale);
    assert_eq!(store.record(&key).await.unwrap().value, of("two"));
    store.replace_record(&key, &second, of("three")).await.unwrap();
    store.put_record(&key, of("four")).await.unwrap();
    let last = store.record(&key).await.unwrap();
    store.delete_record(&key).await.unwrap();
    store.delete_record(&key).await.unwrap();
    assert_eq!(store.replace_record(&key, &last.tag, of("gone")).await.unwrap_err(), StoreError::Stale);
    assert_eq!(store.record(&key).await.unwrap_err(), StoreError::NotFound);
    assert!(RecordKey::new(["kind", "../name"]).is_none() && RecordKey::new(["kind"]).is_none());
}

pub(crate) async fn records_are_listed_by_what_they_begin_with(shelf: Shelf) {
    let store = shelf.open();
    for parts in [["a", "x", "1"], ["a", "x", "2"], ["a", "xx", "3"], ["b", "x", "4"]] {
        store.create_record(&key(&parts), Bytes::new()).await.unwrap();
    }
    let mut found = store.records(["a", "x"]).await.unwrap();
    found.sort();
    assert_eq!(found, [key(&["a", "x", "1"]), key(&["a", "x", "2"])]);
    assert_eq!(store.records(["a"]).await.unwrap().len(), 3);
    assert!(store.records(["c"]).await.unwrap().is_empty());
}

pub(crate) async fn what_expired_or_is_referred_to_by_nothing_goes(shelf: Shelf) {
    let grace = Duration::from_millis(200);
    let store = shelf.open_with(Options { grace, ..shelf.options() });
    let (kept, short) = (bytes(1, CHUNK + 1), bytes(2, CHUNK + 2));
    keep(&store, 1, &kept).await;
    let mut expires = store.ingest(Whole { lifetime: Some(grace), ..whole(2) }).await.unwrap();
    expires.write(short).await.unwrap();
    expires.finish().await.unwrap();
    let mut given_up = begin(&store, 3).await;
    given_up.write(bytes(3, 2 * CHUNK)).await.unwrap();
    drop(given_up);
    let all_but_kept = QUOTA - kept.len() as u64;
    eventually("its room is free", async || {
        store.sweep().await.unwrap();
        store.has_room_for(all_but_kept).await.ok()
    })
    .await;
    assert_eq!(store.manifests().await.unwrap(), [ManifestId::from_random(1)]);
    is_here(&store, 1, &kept).await;
    let swept = store.sweep().await.unwrap();
    assert_eq!((swept.trashed, swept.removed, swept.expired), (0, 0, 0));
}

/// Two nodes sweep all the time with no patience at all, while the same bytes are wanted and given up again.
pub(crate) async fn old_chunks_that_are_wanted_again_stay(shelf: Shelf) {
    // Longer than a busy machine stands still: whoever is silent for a whole grace has died.
    let grace = Duration::from_secs(6);
    let store = shelf.open_with(Options { grace, ..shelf.options() });
    let bytes = bytes(1, CHUNK + 1);
    let sweepers: Vec<_> = (0..2)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                loop {
                    let _ = store.sweep().await;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for id in 1..12 {
        keep(&store, id, &bytes).await;
        is_here(&store, id, &bytes).await;
        if id % 5 == 0 {
            let before = tokio::time::Instant::now();
            eventually("it is old", async || (before.elapsed() > grace * 2).then_some(())).await;
            is_here(&store, id, &bytes).await;
        }
        if id % 2 == 0 {
            store.delete(&ManifestId::from_random(id)).await.unwrap();
            store.delete(&ManifestId::from_random(id - 1)).await.unwrap();
        }
    }
    is_here(&store, 11, &bytes).await;
    for sweeper in sweepers {
        sweeper.abort();
    }
}

pub(crate) async fn an_ingest_may_take_longer_than_the_grace(shelf: Shelf) {
    let grace = Duration::from_secs(4);
    let store = shelf.open_with(Options { grace, ..shelf.options() });
    let (slow, lost) = (bytes(1, 2 * CHUNK), bytes(2, 3 * CHUNK));
    let mut ingest = begin(&store, 1).await;
    ingest.write(slow.slice(..CHUNK)).await.unwrap();
    let mut given_up = begin(&store, 2).await;
    given_up.write(lost.clone()).await.unwrap();
    drop(given_up);
    eventually("what was given up is gone", async || {
        store.sweep().await.unwrap();
        store.has_room_for(QUOTA - CHUNK as u64).await.ok()
    })
    .await;
    ingest.write(slow.slice(CHUNK..)).await.unwrap();
    ingest.finish().await.unwrap();
    is_here(&store, 1, &slow).await;
}
