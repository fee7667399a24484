//! The hands: bodies that break off, servers that die and start again, two that go on at once, what nobody comes
//! back for.

use std::collections::HashSet;

use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::hub::test_options;
use crate::protocol::rooms::{Join, Joined};
use crate::protocol::{RoomId, TransferState};
use crate::room::Event;
use crate::store::{self, GRACE, ManifestId, Place};

const LIFETIME: Duration = Duration::from_secs(3600);
const PATIENCE: Duration = Duration::from_secs(60);

fn store() -> Store {
    let options = store::Options {
        place: Place::Memory,
        lifetime: LIFETIME,
        max_size: 100 << 20,
        quota: 1 << 30,
        grace: GRACE,
    };
    Store::open(options, []).unwrap()
}

/// A node that keeps things in `store`.
fn node(store: &Store) -> Tus {
    let hub = Hub::new(test_options(Duration::from_secs(10)));
    let depot = Depot::new(store.clone(), 1 << 20, 1);
    hub.keep_with(Arc::new(depot.clone()));
    Tus::new(store.clone(), depot, hub, Options { at_once: 8, patience: PATIENCE })
}

fn wish(length: u64, metadata: &str) -> Wish {
    Wish { kind: Kind::Single(Some(length)), metadata: metadata.to_owned(), door: Door::default() }
}

type Body = std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, ()>> + Send>>;

fn body(pieces: impl IntoIterator<Item = Result<Bytes, ()>>) -> Body {
    stream::iter(pieces.into_iter().collect::<Vec<_>>()).boxed()
}

fn bytes(count: usize) -> Bytes {
    (0..count).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

fn at(offset: u64) -> Append {
    Append { offset, length: None, bytes: None, checksum: None }
}

/// A body whose pieces come as they are sent.
fn live() -> (mpsc::Sender<Bytes>, Body) {
    let (sender, pieces) = mpsc::channel(8);
    let pieces = stream::unfold(pieces, async |mut pieces| Some((Ok(pieces.recv().await?), pieces)));
    (sender, pieces.boxed())
}

/// A sender of one body, and what becomes of it.
fn begin_to_send(tus: &Tus, id: &Secret) -> (mpsc::Sender<Bytes>, JoinHandle<Outcome<Upload>>) {
    let (sender, body) = live();
    let (tus, id) = (tus.clone(), id.clone());
    (sender, tokio::spawn(async move { tus.append(&id, at(0), body).await.0 }))
}

async fn content(tus: &Tus, id: &Secret) -> Vec<u8> {
    let (_, manifest) = tus.whole(id).await.unwrap();
    let mut reader = tus.reader(&manifest, 0..manifest.size);
    let mut all = Vec::new();
    while let Some(bytes) = reader.next(usize::MAX).await.unwrap() {
        all.extend_from_slice(&bytes);
    }
    all
}

#[tokio::test]
async fn what_came_before_a_body_broke_off_is_there_after_a_restart() {
    let (store, whole) = (store(), bytes(1000));
    let first = node(&store);
    let (id, _) = first.create(wish(1000, "")).await.unwrap();
    let (outcome, _) = first.append(&id, at(0), body([Ok(whole.slice(..300)), Err(())])).await;
    assert_eq!(outcome.unwrap_err().code, ErrorCode::BadRequest);
    let second = node(&store);
    assert_eq!(second.look(&id).await.unwrap().offset(), 300);
    let (outcome, _) = second.append(&id, at(300), body([Ok(whole.slice(300..))])).await;
    assert!(outcome.unwrap().is_done());
    assert_eq!(content(&second, &id).await, whole);
}

#[tokio::test(start_paused = true)]
async fn a_long_body_is_safe_soon_and_one_that_is_silent_is_ended() {
    let tus = node(&store());
    let (id, _) = tus.create(wish(1000, "")).await.unwrap();
    let (sender, sending) = begin_to_send(&tus, &id);
    sender.send(bytes(200)).await.unwrap();
    let key = Key::of(&id).unwrap();
    let (began, mut moments) =
        (tokio::time::Instant::now(), tokio::time::interval(Duration::from_millis(100)));
    while tus.0.load(&key).await.unwrap().upload.offset() == 0 {
        moments.tick().await;
    }
    assert!(began.elapsed() <= Duration::from_secs(6), "{:?}", began.elapsed());
    sender.send(bytes(100)).await.unwrap();
    assert_eq!(sending.await.unwrap().unwrap_err().code, ErrorCode::TooSlow);
    assert!(began.elapsed() >= PATIENCE);
    assert_eq!(tus.look(&id).await.unwrap().offset(), 300);
}

#[tokio::test]
async fn a_server_that_ends_makes_safe_what_came() {
    let store = store();
    let tus = node(&store);
    let (id, _) = tus.create(wish(1000, "")).await.unwrap();
    let (sender, sending) = begin_to_send(&tus, &id);
    sender.send(bytes(200)).await.unwrap();
    sender.reserve_many(8).await.unwrap();
    tus.close().await;
    assert_eq!(sending.await.unwrap().unwrap_err().code, ErrorCode::Overloaded);
    assert_eq!(node(&store).look(&id).await.unwrap().offset(), 200);
}

#[tokio::test]
async fn of_two_nodes_that_go_on_at_once_one_wins_and_nothing_is_mixed() {
    let (store, whole) = (store(), bytes(1000));
    let (one, two) = (node(&store), node(&store));
    for _ in 0..20 {
        let (id, _) = one.create(wish(1000, "")).await.unwrap();
        let other: Bytes = whole.iter().map(|byte| byte ^ 1).collect();
        let (first, second) = tokio::join!(
            one.append(&id, at(0), body([Ok(whole.slice(..600))])),
            two.append(&id, at(0), body([Ok(other.slice(..500))])),
        );
        let (is_first, rest) = match (&first.0, &second.0) {
            (Ok(upload), Err(refusal)) | (Err(refusal), Ok(upload)) => {
                assert_eq!(refusal.code, ErrorCode::UnexpectedChunk);
                (first.0.is_ok(), upload.offset())
            }
            other => panic!("{other:?}"),
        };
        let won = if is_first { &whole } else { &other };
        let rest = usize::try_from(rest).unwrap();
        let (last, _) = two.append(&id, at(rest as u64), body([Ok(won.slice(rest..))])).await;
        assert!(last.unwrap().is_done());
        assert_eq!(content(&one, &id).await, *won);
    }
}

struct Ear(mpsc::UnboundedSender<Event>);

impl crate::hub::PeerPort for Ear {
    fn tell(&self, event: &Event) {
        let _ = self.0.send(event.clone());
    }
}

/// Someone in a room, and what it is told.
async fn enter(tus: &Tus, room: &str) -> (Box<Joined>, mpsc::UnboundedReceiver<Event>) {
    let (told, events) = mpsc::unbounded_channel();
    let join = Join { room: RoomId::new(room).unwrap(), name: None, key: None, passphrase: None };
    let hub = &tus.0.hub;
    let joined = ask(|answer| hub.join(hub.next_peer(), Arc::new(Ear(told)), join, answer)).await;
    (joined.unwrap(), events)
}

/// `room calm`, `filename a.txt`.
const IN_ROOM: &str = "room Y2FsbQ==,filename YS50eHQ=";

/// An upload that has all its bytes, whose server died before it was published.
async fn due(store: &Store) -> (Tus, Secret) {
    let tus = node(store);
    let (id, _) = tus.create(wish(5, IN_ROOM)).await.unwrap();
    let whole = store::Whole { id: ManifestId::from_random(9), size: None, lifetime: None };
    let mut ingest = store.ingest(whole).await.unwrap();
    ingest.write(bytes(5)).await.unwrap();
    let manifest = ingest.finish().await.unwrap();
    let mut kept = tus.0.load(&Key::of(&id).unwrap()).await.unwrap();
    let mut next = kept.upload.clone();
    next.parts.push(Part { id: manifest.id, size: 5 });
    tus.0.save(&mut kept, next).await.unwrap();
    (tus, id)
}

#[tokio::test]
async fn who_asks_for_an_upload_that_was_not_published_has_it_published() {
    let (tus, id) = due(&store()).await;
    let (_, mut events) = enter(&tus, "calm").await;
    assert!(tus.look(&id).await.unwrap().is_done());
    let Ok(Event::Offered(drop)) = events.try_recv() else { panic!() };
    assert_eq!(drop.transfers[0].size, Some(5));
    assert_eq!(drop.transfers[0].state, TransferState::Offered);
    assert!(tus.look(&id).await.unwrap().is_done(), "and once is enough");
    let (joined, _) = enter(&tus, "calm").await;
    assert_eq!(joined.drops.len(), 1);
}

#[tokio::test]
async fn what_nobody_comes_back_for_is_published_and_what_has_expired_goes() {
    let store = store();
    let (tus, id) = due(&store).await;
    let seen = tus.0.look_at_all(&HashSet::new()).await.unwrap();
    assert_eq!(seen, HashSet::from([Key::of(&id).unwrap()]), "someone may be about to");
    assert!(tus.0.look_at_all(&seen).await.unwrap().is_empty());
    assert_eq!(enter(&tus, "calm").await.0.drops.len(), 1);
    let (half, _) = tus.create(wish(10, "")).await.unwrap();
    tus.append(&half, at(0), body([Ok(bytes(5))])).await.0.unwrap();
    let mut kept = tus.0.load(&Key::of(&half).unwrap()).await.unwrap();
    let over = Upload { expires: Moment::from_micros(1), ..kept.upload.clone() };
    tus.0.save(&mut kept, over).await.unwrap();
    assert_eq!(tus.look(&half).await.unwrap_err().code, ErrorCode::Expired);
    let before = store.manifests().await.unwrap().len();
    tus.0.look_at_all(&HashSet::new()).await.unwrap();
    assert_eq!(tus.look(&half).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(store.manifests().await.unwrap().len(), before - 1);
}

#[tokio::test]
async fn a_drop_that_the_room_would_not_have_any_more_is_refused_for_good_and_deleted() {
    let store = store();
    let (tus, id) = due(&store).await;
    let join = Join {
        room: RoomId::new("calm").unwrap(),
        name: None,
        key: None,
        passphrase: Passphrase::new("sesame"),
    };
    let (told, _events) = mpsc::unbounded_channel();
    let hub = &tus.0.hub;
    ask(|answer| hub.join(hub.next_peer(), Arc::new(Ear(told)), join, answer)).await.unwrap();
    for _ in 0..2 {
        assert_eq!(tus.look(&id).await.unwrap_err().code, ErrorCode::NotAllowed);
    }
    assert!(store.manifests().await.unwrap().is_empty());
}
