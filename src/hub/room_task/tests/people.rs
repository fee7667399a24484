//! Several nodes in one process, and people on them who note what they are told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;

use super::service::Service;
use crate::broker::Broker;
use crate::hooks::Hooks;
use crate::hub::{Answer, Hub, Options, Outcome, PeerPort, RoomCommand, RoomHandle, Source};
use crate::protocol::rooms::{FileOffer, Join, Joined, Offer, OfferTaken, Said, Services};
use crate::protocol::transfers::ChunkSizes;
use crate::protocol::{DisplayName, FileName, MemberId, Passphrase, RoomId, Secret};
use crate::room::{Event, PeerId};
use crate::{relay, room, transfer};

pub(super) const GRACE: Duration = Duration::from_secs(10);

pub(super) fn otter() -> RoomId {
    RoomId::new("otter").unwrap()
}

/// What most tests need not choose.
pub(crate) fn options(presence_grace: Duration) -> Options {
    Options {
        room: room::Options {
            max_members: 64,
            history: 1000,
            presence_grace,
            drops_per_room: 8,
            files_per_drop: 8,
            message_bytes: 1000,
            services: Services { keeps: None, fetches: false },
            max_size: None,
        },
        transfer: transfer::Options {
            lifetime: Duration::from_secs(36_000),
            stall_timeout: Duration::from_secs(10),
        },
        relay: relay::Options {
            window: 8 << 20,
            chunk_max: 5 << 20,
            floor: 400 << 10,
            lanes: 4,
            patience: Duration::from_secs(2),
            straggler: relay::Straggler::Wait,
            silence: Duration::from_secs(10),
        },
        chunk: ChunkSizes { min: 100 << 10, max: 5 << 20 },
        budget: 512 << 20,
        rooms: 100,
        transfers: 1000,
        kept: Duration::ZERO,
        downloads_per_token: 4,
        upload_patience: Duration::from_secs(3600),
        hooks: Hooks::none(),
    }
}

/// The nodes, by number.
pub(super) struct World {
    pub(super) service: Service,
    pub(super) hubs: BTreeMap<u64, Hub>,
}

impl World {
    pub(super) fn of(nodes: u64) -> Self {
        let service = Service::default();
        let brokers = (1..=nodes).map(|node| service.node(node)).collect();
        Self { service: service.clone(), ..Self::by(brokers, GRACE) }
    }

    /// One node for each broker.
    pub(super) fn by(brokers: Vec<Arc<dyn Broker>>, grace: Duration) -> Self {
        let hubs = (1..).zip(brokers.into_iter().map(|broker| Hub::with_broker(options(grace), broker)));
        Self { hubs: hubs.collect(), service: Service::default() }
    }

    /// The node dies without a word, and the others learn of it.
    pub(super) async fn kill(&mut self, node: u64) {
        self.service.kill(node);
        self.hubs.remove(&node).unwrap().close().await;
        self.hold_for_lost(node);
    }

    /// Whoever can reach the service learns that a node gives no sign of life.
    pub(super) fn hold_for_lost(&self, node: u64) {
        for (number, hub) in &self.hubs {
            if *number != node && hub.broker().is_there() {
                hub.node_lost(crate::protocol::node::NodeId(node));
            }
        }
    }

    pub(super) async fn enter(&self, node: u64, name: &'static str) -> Person {
        self.try_enter(node, name, None, None).await.unwrap()
    }

    pub(super) async fn try_enter(
        &self,
        node: u64,
        name: &'static str,
        key: Option<Secret>,
        passphrase: Option<&str>,
    ) -> Outcome<Person> {
        let hub = self.hubs[&node].clone();
        let peer = hub.next_peer();
        let port = Arc::new(Port::default());
        let join = Join {
            room: otter(),
            name: DisplayName::new(name),
            key,
            passphrase: passphrase.and_then(Passphrase::new),
        };
        let (to, answer) = oneshot::channel();
        hub.join(peer, port.clone(), join, Answer::new(|outcome| drop(to.send(outcome))));
        let joined = answer.await.unwrap()?;
        Ok(Person { hub, peer, port, joined, name })
    }

    /// What someone who looks in on each node is shown, without who looks.
    pub(super) async fn looks(&self) -> Vec<Look> {
        let mut looks = Vec::new();
        for node in self.hubs.keys() {
            let looker = self.enter(*node, "looker").await;
            looks.push(look(&looker.joined));
            looker.leave().await;
        }
        looks
    }

    /// Asserts that every node shows the same, and says what.
    #[track_caller]
    pub(super) fn agree(looks: &[Look]) -> &Look {
        for look in looks {
            assert_eq!(look, &looks[0]);
        }
        &looks[0]
    }
}

/// A room as shown: who is in and online, what was said, what is offered.
pub(super) type Look = (Vec<(String, bool)>, Vec<String>, Vec<String>);

fn look(joined: &Joined) -> Look {
    let members = joined.members.iter().filter(|member| member.name.as_str() != "looker");
    let mut members: Vec<_> =
        members.map(|member| (member.name.as_str().to_owned(), member.online)).collect();
    members.sort();
    let messages = joined.messages.iter().map(|message| message.text.clone()).collect();
    let drops = joined.drops.iter().map(|drop| {
        let states: Vec<_> = drop.transfers.iter().map(|transfer| transfer.state).collect();
        format!("{} {states:?}", drop.from_name.as_str())
    });
    (members, messages, drops.collect())
}

#[derive(Default)]
struct Port(Mutex<Vec<String>>);

impl PeerPort for Port {
    fn tell(&self, event: &Event) {
        let about = match event {
            Event::Joined(who) => format!("joined {}", who.member.name.as_str()),
            Event::Left(who) => format!("left {}", who.member.name.as_str()),
            Event::Message(message) => message.text.clone(),
            Event::Offered(drop) => format!("offered by {}", drop.from_name.as_str()),
            Event::Status(status) => format!("{:?} {}", status.data.state, status.data.sent),
        };
        if !about.ends_with("looker") {
            self.0.lock().unwrap().push(about);
        }
    }
}

/// Someone in the room, by one link.
pub(super) struct Person {
    hub: Hub,
    pub(super) peer: PeerId,
    port: Arc<Port>,
    pub(super) joined: Box<Joined>,
    pub(super) name: &'static str,
}

impl Person {
    pub(super) fn room(&self) -> RoomHandle {
        self.hub.room(&otter()).unwrap()
    }

    pub(super) fn id(&self) -> MemberId {
        self.joined.member.id.clone()
    }

    pub(super) fn key(&self) -> Option<Secret> {
        Some(self.joined.key.clone())
    }

    /// Says something and does not wait for the answer.
    pub(super) fn say_later(&self, text: impl Into<String>) -> oneshot::Receiver<Outcome<Said>> {
        let (to, answer) = oneshot::channel();
        let answer_to = Answer::new(|outcome| drop(to.send(outcome)));
        let (peer, text) = (self.peer, text.into());
        self.room().try_send(RoomCommand::Say { peer, text, answer: answer_to });
        answer
    }

    pub(super) async fn say(&self, text: impl Into<String>) {
        self.say_later(text).await.unwrap().unwrap();
    }

    pub(super) async fn leave(&self) {
        let (to, answer) = oneshot::channel();
        let answer_to = Answer::new(|outcome| drop(to.send(outcome)));
        self.room().try_send(RoomCommand::Leave { peer: self.peer, answer: answer_to });
        answer.await.unwrap().unwrap();
    }

    pub(super) fn lose(&self) {
        if let Some(room) = self.hub.room(&otter()) {
            self.hub.lose_room(&room, self.peer);
        }
    }

    pub(super) async fn offer(&self) -> Outcome<OfferTaken> {
        let file = FileOffer {
            name: FileName::new("a.txt").unwrap(),
            path: None,
            size: Some(1),
            media_type: None,
            modified: None,
            preview: None,
        };
        let offer = Offer { room: otter(), files: vec![file], to: None, keep: None, note: None };
        let (to, answer) = oneshot::channel();
        let answer_to = Answer::new(|outcome| drop(to.send(outcome)));
        self.room().try_send(RoomCommand::Offer {
            peer: self.peer,
            offer,
            source: Source::Seekable,
            answer: answer_to,
        });
        answer.await.unwrap()
    }

    /// What it was told since the last look.
    pub(super) fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.port.0.lock().unwrap())
    }

    /// How much it was told.
    pub(super) fn count(&self) -> usize {
        self.port.0.lock().unwrap().len()
    }

    pub(super) fn has_heard(&self, what: &str) -> bool {
        self.port.0.lock().unwrap().iter().any(|told| told == what)
    }
}

/// Lets time pass, until everything rests.
pub(super) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}
