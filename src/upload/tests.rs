//! Uploads over a store in memory: what comes in which way becomes the file, and nothing else does.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::protocol::{Digest, Digester};
use crate::store::{GRACE, Options, Place};

const MAX: u64 = 1000;

pub(super) fn uploads(lifetime: Duration) -> Uploads {
    let options = Options { place: Place::Memory, lifetime, max_size: MAX, quota: 5 * MAX, grace: GRACE };
    Uploads::new(Store::open(options, []).unwrap(), 32)
}

fn md5(bytes: &[u8]) -> String {
    let mut digester = Digester::Md5(Default::default());
    digester.update(bytes);
    let Digest::Md5(digest) = digester.finish() else { unreachable!() };
    hex::encode(digest)
}

/// Someone with a file.
pub(super) struct Client {
    uploads: Uploads,
    pub(super) file: FileId,
    pub(super) ids: Vec<ChunkId>,
    chunks: Vec<Bytes>,
}

impl Client {
    /// Ids with an index.
    pub(super) fn new(uploads: &Uploads, chunks: &[&[u8]]) -> Self {
        let ids = chunks.iter().enumerate().map(|(index, chunk)| format!("{}{index}", md5(chunk)));
        Self::with_ids(uploads, chunks, ids.collect())
    }

    fn with_ids(uploads: &Uploads, chunks: &[&[u8]], ids: Vec<String>) -> Self {
        let file = FileId::new(&md5(&chunks.concat())).unwrap();
        let ids = ids.iter().map(|id| ChunkId::new(id.as_str()).unwrap()).collect();
        let chunks = chunks.iter().map(|chunk| Bytes::copy_from_slice(chunk)).collect();
        Self { uploads: uploads.clone(), file, ids, chunks }
    }

    pub(super) async fn handshake(&self) -> Result<Outcome, Refusal> {
        self.handshake_as(".bin").await
    }

    async fn handshake_as(&self, ext: &str) -> Result<Outcome, Refusal> {
        let turn = self.uploads.turn_for_handshake().await?;
        self.uploads.handshake(self.file, Extension::new(ext).unwrap(), self.ids.clone(), turn).await
    }

    pub(super) async fn send(&self, index: usize) -> Result<Outcome, Refusal> {
        self.send_bytes(index, self.chunks[index].clone()).await
    }

    async fn send_bytes(&self, index: usize, bytes: Bytes) -> Result<Outcome, Refusal> {
        let chunk = &self.ids[index];
        let mut incoming = self.uploads.begin(Some((self.file, chunk))).await?;
        incoming.write(bytes).await?;
        self.uploads.accept(self.file, chunk, incoming, self.uploads.turn_for_chunk().await?).await
    }

    fn needs(&self, indices: &[usize]) -> Outcome {
        Outcome::Needed(indices.iter().map(|index| self.ids[*index].clone()).collect())
    }

    async fn is_here(&self) {
        let upload = self.uploads.find(self.file).await.unwrap().unwrap();
        let mut reader = self.uploads.reader(&upload.manifest, 0..u64::MAX);
        let mut found = Vec::new();
        while let Some(bytes) = reader.next(3).await.unwrap() {
            found.extend_from_slice(&bytes);
        }
        assert_eq!(found, self.chunks.concat());
    }
}

fn here() -> Outcome {
    Outcome::Here(Extension::new(".bin").unwrap())
}

#[tokio::test]
async fn chunks_in_any_order_repeated_and_from_several_become_the_file() {
    let uploads = uploads(Duration::from_secs(60));
    let client = Client::new(&uploads, &[b"one", b"two", b"two", b"three"]);
    assert_eq!(client.handshake().await, Ok(client.needs(&[0, 1, 2, 3])));
    assert_eq!(client.send(2).await, Ok(client.needs(&[0, 1, 3])));
    assert_eq!(client.send(2).await, Ok(client.needs(&[0, 1, 3])), "once more is the same");
    let other = Client::new(&uploads, &[b"one", b"two", b"two", b"three"]);
    assert_eq!(other.handshake().await, Ok(client.needs(&[0, 1, 3])));
    assert_eq!(other.send(0).await, Ok(client.needs(&[1, 3])));
    assert_eq!(client.send(3).await, Ok(client.needs(&[1])));
    assert!(uploads.find(client.file).await.unwrap().is_none(), "nobody has half of it");
    let (first, second) = tokio::join!(client.send(1), other.send(1));
    assert_eq!((first, second), (Ok(here()), Ok(here())));
    assert_eq!(other.send(3).await, Ok(here()), "it is said again to whoever comes late");
    assert_eq!(other.handshake_as(".txt").await, Ok(Outcome::Here(Extension::new(".txt").unwrap())));
    client.is_here().await;
    uploads.close().await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_for_another_process_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let place = Place::Folder(folder.path().join("data"));
        let options =
            Options { place, lifetime: Duration::from_secs(60), max_size: MAX, quota: MAX, grace: GRACE };
        Uploads::new(Store::open(options, []).unwrap(), 32)
    };
    let chunks: [&[u8]; 3] = [b"one", b"two", b"three"];
    let before = Client::new(&open(), &chunks);
    before.handshake().await.unwrap();
    before.send(1).await.unwrap();
    let mut cut = before.uploads.begin(Some((before.file, &before.ids[0]))).await.unwrap();
    cut.write(before.chunks[0].clone()).await.unwrap();
    drop(cut);
    before.uploads.close().await;
    let later = Client::new(&open(), &chunks);
    assert_eq!(later.send(2).await, Ok(later.needs(&[0])), "without another handshake");
    assert_eq!(later.handshake().await, Ok(later.needs(&[0])));
    assert_eq!(later.send(0).await, Ok(here()));
    later.uploads.close().await;
    let last = Client::new(&open(), &chunks);
    assert_eq!(last.handshake().await, Ok(here()));
    last.is_here().await;
    last.uploads.close().await;
}

#[tokio::test]
async fn parts_and_plans_go_when_the_file_is_here() {
    let uploads = uploads(Duration::from_secs(60));
    let (one, two) = (Client::new(&uploads, &[b"ab", b"c"]), Client::new(&uploads, &[b"a", b"bc"]));
    for client in [&one, &two] {
        client.handshake().await.unwrap();
        client.send(0).await.unwrap();
    }
    assert_eq!(two.send(1).await, Ok(here()), "however it was cut");
    assert_eq!(one.send(1).await, Ok(here()));
    let cleared = async {
        while !(uploads.store().records([shelf::PARTS]).await.unwrap().is_empty()
            && uploads.store().records([shelf::PLANS]).await.unwrap().is_empty())
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), cleared).await.unwrap();
    assert_eq!(uploads.store().manifests().await.unwrap().len(), 1);
    one.is_here().await;
    uploads.close().await;
}

#[tokio::test]
async fn a_crash_before_the_last_step_is_made_good_by_the_next_handshake() {
    let uploads = uploads(Duration::from_secs(60));
    let client = Client::new(&uploads, &[b"a", b"b"]);
    client.handshake().await.unwrap();
    client.send(0).await.unwrap();
    let known = uploads.plan_with(client.file, &client.ids[1]).await.unwrap();
    let mut incoming = uploads.begin(None).await.unwrap();
    incoming.write(client.chunks[1].clone()).await.unwrap();
    let (sealed, nonce) = incoming.end().await.unwrap().stored.unwrap();
    uploads.add_part(&known.plan, &client.ids[1], sealed, nonce).await.unwrap();
    assert_eq!(client.handshake().await, Ok(here()));
    client.is_here().await;
    uploads.close().await;
}

#[tokio::test]
async fn a_chunk_that_is_not_its_md5_or_that_nobody_named_is_refused_and_leaves_nothing() {
    let uploads = uploads(Duration::from_secs(60));
    let client = Client::new(&uploads, &[b"a", b"b"]);
    assert_eq!(client.send(0).await.unwrap_err().code, ErrorCode::UnexpectedChunk, "before a handshake");
    client.handshake().await.unwrap();
    let wrong = client.send_bytes(0, Bytes::from_static(b"A")).await;
    assert_eq!(wrong.unwrap_err().code, ErrorCode::DigestMismatch);
    let other = Client { ids: Client::new(&uploads, &[b"x"]).ids, ..Client::new(&uploads, &[b"a", b"b"]) };
    assert_eq!(other.send(0).await.unwrap_err().code, ErrorCode::UnexpectedChunk);
    assert!(uploads.store().manifests().await.unwrap().is_empty());
    assert_eq!(client.handshake().await, Ok(client.needs(&[0, 1])));
    client.send(0).await.unwrap();
    let wrong = client.send_bytes(0, Bytes::from_static(b"A")).await;
    assert_eq!(wrong.unwrap_err().code, ErrorCode::DigestMismatch, "also of one that is here");
    uploads.close().await;
}

#[tokio::test]
async fn chunks_that_are_not_the_file_together_are_refused_and_one_may_begin_anew() {
    let uploads = uploads(Duration::from_secs(60));
    let good = Client::new(&uploads, &[b"a", b"b"]);
    let swapped = Client { file: good.file, ..Client::new(&uploads, &[b"b", b"a"]) };
    swapped.handshake().await.unwrap();
    swapped.send(0).await.unwrap();
    assert_eq!(swapped.send(1).await.unwrap_err().code, ErrorCode::DigestMismatch);
    assert!(uploads.find(good.file).await.unwrap().is_none());
    assert_eq!(swapped.handshake().await, Ok(swapped.needs(&[0, 1])), "nothing of it is left");
    assert_eq!(good.handshake().await, Ok(good.needs(&[0, 1])));
    good.send(1).await.unwrap();
    assert_eq!(good.send(0).await, Ok(here()));
    uploads.close().await;
}

#[tokio::test]
async fn a_part_whose_bytes_are_gone_is_asked_for_again() {
    let uploads = uploads(Duration::from_secs(60));
    let client = Client::new(&uploads, &[b"a", b"b"]);
    client.handshake().await.unwrap();
    client.send(0).await.unwrap();
    let [lost] = &uploads.store().manifests().await.unwrap()[..] else { panic!("one part") };
    uploads.store().delete(lost).await.unwrap();
    assert_eq!(client.send(1).await, Ok(client.needs(&[0])));
    assert_eq!(client.send(0).await, Ok(here()));
    uploads.close().await;
}

#[tokio::test]
async fn a_file_that_becomes_too_large_is_refused_while_it_comes() {
    let uploads = uploads(Duration::from_secs(60));
    let (most, more) = ([1; MAX as usize], [2; 1]);
    let client = Client::new(&uploads, &[&more, &most]);
    client.handshake().await.unwrap();
    client.send(0).await.unwrap();
    assert_eq!(client.send(1).await.unwrap_err().code, ErrorCode::TooLarge);
    assert_eq!(client.handshake().await, Ok(client.needs(&[1])));
    let doubled = Client::with_ids(&uploads, &[&most[..501], &most[..501]], vec![md5(&most[..501]); 2]);
    doubled.handshake().await.unwrap();
    assert_eq!(doubled.send(0).await.unwrap_err().code, ErrorCode::TooLarge, "it stands there twice");
    uploads.close().await;
}

#[tokio::test]
async fn equal_chunks_may_have_one_id_and_an_empty_file_none_or_one() {
    let uploads = uploads(Duration::from_secs(60));
    let doubled =
        Client::with_ids(&uploads, &[b"a", b"a", b"b"], [b"a", b"a", b"b"].map(|c| md5(c)).to_vec());
    assert_eq!(doubled.handshake().await, Ok(doubled.needs(&[0, 1, 2])));
    assert_eq!(doubled.send(0).await, Ok(doubled.needs(&[2])));
    assert_eq!(doubled.send(2).await, Ok(here()));
    doubled.is_here().await;
    let none = Client::new(&uploads, &[]);
    assert_eq!(none.handshake().await, Ok(here()));
    none.is_here().await;
    uploads.close().await;
    let uploads = super::tests::uploads(Duration::from_secs(60));
    let empty = Client::new(&uploads, &[b""]);
    assert_eq!(empty.handshake().await, Ok(empty.needs(&[0])));
    assert_eq!(empty.send(0).await, Ok(here()));
    let nothing = Client { ids: Vec::new(), ..Client::new(&uploads, &[b"a"]) };
    assert_eq!(nothing.handshake().await.unwrap_err().code, ErrorCode::BadRequest);
    uploads.close().await;
}

#[tokio::test]
async fn the_plans_of_one_file_are_bounded() {
    let uploads = uploads(Duration::from_secs(60));
    let good = Client::new(&uploads, &[b"a", b"b"]);
    for number in 0..16 {
        let other = Client { file: good.file, ..Client::new(&uploads, &[&[number]]) };
        other.handshake().await.unwrap();
    }
    assert_eq!(good.handshake().await.unwrap_err().code, ErrorCode::Overloaded);
    uploads.close().await;
}

#[tokio::test]
async fn without_room_a_handshake_says_so() {
    let options = Options {
        place: Place::Memory,
        lifetime: Duration::from_secs(60),
        max_size: 10,
        quota: 10,
        grace: GRACE,
    };
    let uploads = Uploads::new(Store::open(options, []).unwrap(), 32);
    let full = Client::new(&uploads, &[b"0123456789"]);
    full.handshake().await.unwrap();
    assert_eq!(full.send(0).await, Ok(here()));
    let late = Client::new(&uploads, &[b"a"]);
    assert_eq!(late.handshake().await.unwrap_err().code, ErrorCode::StorageFull);
    assert_eq!(full.handshake().await, Ok(here()), "what is here needs no room");
    uploads.close().await;
}
