//! What only a folder can be tormented with: damage, what a crash leaves, many who write at once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use roomdrop::store::{CHUNK, Options, RecordKey, StoreError};
use walkdir::WalkDir;

use crate::Shelf;
use crate::promises::{bytes, is_here, keep};

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = WalkDir::new(folder).into_iter().map(Result::unwrap);
    entries.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

#[tokio::test]
async fn nothing_is_made_before_something_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = Shelf::folder(folder.path()).open();
    store.has_room_for(1).await.unwrap();
    store.sweep().await.unwrap();
    assert!(store.manifests().await.unwrap().is_empty());
    assert!(!folder.path().join("data").exists());
}

#[tokio::test]
async fn damage_is_found_and_no_byte_of_it_given_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = Shelf::folder(folder.path()).open();
    for (id, damage) in [
        (1, (|bytes: &mut Vec<u8>| bytes[77] ^= 1) as fn(&mut Vec<u8>)),
        (2, |bytes| bytes.truncate(5)),
        (3, Vec::clear),
        (4, |bytes| bytes.push(0)),
    ] {
        let manifest = keep(&store, id, &bytes(id as u64, 1000)).await;
        let chunks = files(&folder.path().join("data/chunks"));
        let [chunk] = chunks.as_slice() else { panic!("{chunks:?}") };
        let mut content = std::fs::read(chunk).unwrap();
        damage(&mut content);
        std::fs::write(chunk, content).unwrap();
        let mut reader = store.reader(&manifest, 0..1000);
        assert_eq!(reader.next(10).await.unwrap_err(), StoreError::Damaged);
        std::fs::remove_file(chunk).unwrap();
        let mut reader = store.reader(&manifest, 0..1000);
        assert_eq!(reader.next(10).await.unwrap_err(), StoreError::Damaged);
    }
}

#[tokio::test]
async fn what_a_crash_left_is_removed_and_nothing_that_is_not_ours() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::folder(folder.path());
    let kept = bytes(1, 100);
    keep(&shelf.open(), 1, &kept).await;
    let store = shelf.open_with(Options { grace: Duration::ZERO, ..shelf.options() });
    let data = folder.path().join("data");
    for name in ["chunks/ab", "mine"] {
        std::fs::create_dir_all(data.join(name)).unwrap();
    }
    let left = ["manifests/half#1", "chunks/ab/abc#12"].map(|name| data.join(name));
    let others = ["manifests/a#b", "mine/half#1", "half#1"].map(|name| data.join(name));
    for file in left.iter().chain(&others) {
        std::fs::write(file, "half").unwrap();
    }
    assert_eq!(store.manifests().await.unwrap().len(), 1);
    assert_eq!(store.sweep().await.unwrap().staged, 2);
    assert!(left.iter().all(|file| !file.exists()) && others.iter().all(|file| file.exists()));
    is_here(&store, 1, &kept).await;
}

#[tokio::test]
async fn while_a_manifest_cannot_be_read_no_chunk_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::folder(folder.path());
    let store = shelf.open_with(Options { grace: Duration::ZERO, ..shelf.options() });
    keep(&store, 1, &bytes(1, 100)).await;
    let [manifest] = files(&folder.path().join("data/manifests")).try_into().unwrap();
    let good = std::fs::read(&manifest).unwrap();
    std::fs::write(&manifest, r#"{"form":2}"#).unwrap();
    for _ in 0..3 {
        assert_eq!(store.sweep().await.unwrap().unreadable, 1);
    }
    std::fs::write(&manifest, good).unwrap();
    is_here(&store, 1, &bytes(1, 100)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_create_or_change_a_record_at_once_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let store = Shelf::folder(folder.path()).open();
    let key = RecordKey::new(["kind", "name"]).unwrap();
    let all = |round: u8, tag: Option<roomdrop::store::Tag>| {
        let tasks: Vec<_> = (0..16_u8)
            .map(|number| {
                let (store, key, tag) = (store.clone(), key.clone(), tag.clone());
                let value = Bytes::from(vec![round, number]);
                tokio::spawn(async move {
                    match tag {
                        None => store.create_record(&key, value).await.ok(),
                        Some(tag) => store.replace_record(&key, &tag, value).await.ok(),
                    }
                })
            })
            .collect();
        async move {
            let mut winners = Vec::new();
            for task in tasks {
                winners.extend(task.await.unwrap());
            }
            let [winner] = winners.try_into().unwrap();
            winner
        }
    };
    let mut tag = all(0, None).await;
    for round in 1..6 {
        tag = all(round, Some(tag)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_keep_the_same_bytes_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Shelf::folder(folder.path()).open();
    let bytes = bytes(1, CHUNK + 100);
    let tasks: Vec<_> = (0..8)
        .map(|id| {
            let (store, bytes) = (store.clone(), bytes.clone());
            tokio::spawn(async move { drop(keep(&store, id, &bytes).await) })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    for id in 0..8 {
        is_here(&store, id, &bytes).await;
    }
    assert_eq!(files(&folder.path().join("data/chunks")).len(), 2);
}
