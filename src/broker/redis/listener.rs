//! Subscriptions of many to channels that come and go: the rooms' logs. They share a few connections. One that
//! breaks ends all its subscriptions, and whoever listened subscribes again, since only it knows what it
//! missed. Nobody holds up the others: a message that its listener has no room for is dropped, and the
//! listener told that it missed some.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio::time::interval;

use super::dial::{Address, Link};
use super::inbox::{Event, event, say};
use super::line::{PATIENCE, PING};
use super::outbox::Outbox;
use super::topology;
use super::wire::{Broken, Reader};
use crate::broker::Away;

/// Connections to a single Redis; to each master of a cluster there is one.
const LINES: u16 = 2;
/// Subscriptions that wait for a connection, at most; more wait for room.
const ASKED: usize = 256;
/// Messages that wait for one listener, at most; more are dropped.
const WAITING: usize = 32;

/// See the module.
pub(super) struct Listener {
    outbox: Arc<Outbox>,
    lines: Mutex<HashMap<Line, mpsc::Sender<Ask>>>,
}

/// To which master, and which of the connections there.
type Line = (Option<Address>, u16);

/// Messages of a channel, while it lasts. Dropping it ends it.
pub(super) struct Subscription {
    messages: mpsc::Receiver<Bytes>,
    missed: Arc<AtomicBool>,
}

/// What a listener hears.
pub(super) enum Message {
    One(Bytes),
    /// Some were dropped before the next one.
    Missed,
    /// The subscription is over.
    End,
}

struct Ask {
    channel: Bytes,
    route: Route,
}

struct Route {
    to: mpsc::Sender<Bytes>,
    missed: Arc<AtomicBool>,
    /// Whom to tell once Redis has confirmed it.
    ready: Option<oneshot::Sender<()>>,
}

/// A channel that is subscribed to.
#[derive(Default)]
struct Channel {
    asked: u64,
    confirmed: u64,
    routes: Vec<Route>,
}

#[derive(Default)]
struct Channels {
    /// Those that somebody listens to.
    live: HashMap<Bytes, Channel>,
    /// Those that were left, and how many confirmations of that are to come.
    left: HashMap<Bytes, u64>,
}

impl Subscription {
    pub(super) async fn next(&mut self) -> Message {
        let message = self.messages.recv().await;
        if self.missed.swap(false, Ordering::AcqRel) {
            return Message::Missed;
        }
        message.map_or(Message::End, Message::One)
    }
}

impl Listener {
    pub(super) fn new(outbox: Arc<Outbox>) -> Self {
        Self { outbox, lines: Mutex::default() }
    }

    /// Subscribes, and returns when Redis has confirmed it.
    pub(super) async fn subscribe(&self, channel: &Bytes) -> Result<Subscription, Away> {
        let (to, messages) = mpsc::channel(WAITING);
        let (is_ready, ready) = oneshot::channel();
        let missed = Arc::new(AtomicBool::new(false));
        let route = Route { to, missed: missed.clone(), ready: Some(is_ready) };
        let slot = topology::slot(channel);
        if self.outbox.topology.whom(slot).is_none() {
            self.outbox.topology.refresh().await.map_err(|_| Away)?;
        }
        let line = self.line(slot).ok_or(Away)?;
        line.send(Ask { channel: channel.clone(), route }).await.map_err(|_| Away)?;
        ready.await.map_err(|_| Away)?;
        Ok(Subscription { messages, missed })
    }

    fn line(&self, slot: u16) -> Option<mpsc::Sender<Ask>> {
        let whom = self.outbox.topology.whom(slot)?;
        let number = if whom.is_some() { 0 } else { slot % LINES };
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|_, line| !line.is_closed());
        let line = lines.entry((whom.clone(), number)).or_insert_with(|| {
            let (ask, asked) = mpsc::channel(ASKED);
            let outbox = self.outbox.clone();
            let task = run(self.outbox.clone(), whom, asked);
            outbox.spawn(task);
            ask
        });
        Some(line.clone())
    }
}

/// One connection, from its making to its end.
async fn run(outbox: Arc<Outbox>, whom: Option<Address>, mut asked: mpsc::Receiver<Ask>) {
    let broken = match outbox.topology.door().open(whom.as_ref()).await {
        Ok(link) => {
            outbox.connected.notify_waiters();
            let broken = serve(link, &outbox, &mut asked).await;
            outbox.stats.reconnects.add(1);
            broken
        }
        Err(broken) => broken,
    };
    tracing::debug!(%broken, "a connection for logs");
    if whom.is_some() {
        let _ = outbox.topology.refresh().await;
    }
}

async fn serve(link: Link, outbox: &Outbox, asked: &mut mpsc::Receiver<Ask>) -> Broken {
    let Link { read, write } = link;
    let channels = Mutex::new(Channels::default());
    let pulse = read.pulse();
    tokio::select! {
        broken = hear(read, &channels) => broken,
        broken = ask_for(write, outbox.topology.is_cluster(), asked, &channels) => broken,
        broken = pulse.stops(PATIENCE) => broken,
    }
}

async fn hear(mut read: Reader<impl AsyncRead + Unpin>, channels: &Mutex<Channels>) -> Broken {
    loop {
        let value = match read.value().await {
            Ok(value) => value,
            Err(broken) => return broken,
        };
        let mut channels = channels.lock().unwrap_or_else(PoisonError::into_inner);
        match event(value) {
            Event::Message { channel, payload } => channels.tell(&channel, &payload),
            Event::Subscribed(channel) => channels.confirm(&channel),
            Event::Unsubscribed(channel) if channels.is_left(&channel) => {}
            Event::Unsubscribed(_) => return Broken::Moved,
            Event::Refused(error) => return Broken::Refused(error),
            Event::Other => {}
        }
    }
}

async fn ask_for(
    mut write: impl AsyncWrite + Unpin,
    is_cluster: bool,
    asked: &mut mpsc::Receiver<Ask>,
    channels: &Mutex<Channels>,
) -> Broken {
    let (subscribe, unsubscribe): (&[u8], &[u8]) =
        if is_cluster { (b"SSUBSCRIBE", b"SUNSUBSCRIBE") } else { (b"SUBSCRIBE", b"UNSUBSCRIBE") };
    let lock = || channels.lock().unwrap_or_else(PoisonError::into_inner);
    let mut ping = interval(PING);
    loop {
        let said = tokio::select! {
            _ = ping.tick() => {
                let left = lock().leave();
                let mut said = say(&mut write, &[b"PING"]).await;
                for channel in left {
                    said = said.and(say(&mut write, &[unsubscribe, &channel]).await);
                }
                said
            }
            ask = asked.recv() => {
                let Some(Ask { channel, route }) = ask else { return Broken::Silent };
                let is_new = lock().add(&channel, route);
                if is_new { say(&mut write, &[subscribe, &channel]).await } else { Ok(()) }
            }
        };
        if let Err(broken) = said {
            return broken;
        }
    }
}

impl Channels {
    /// Whether Redis must be asked.
    fn add(&mut self, channel: &Bytes, mut route: Route) -> bool {
        let channel = self.live.entry(channel.clone()).or_default();
        let is_new = channel.asked == 0;
        channel.asked = 1;
        if channel.confirmed > 0
            && let Some(ready) = route.ready.take()
        {
            let _ = ready.send(());
        }
        channel.routes.push(route);
        is_new
    }

    fn confirm(&mut self, channel: &Bytes) {
        let Some(channel) = self.live.get_mut(channel) else { return };
        channel.confirmed = channel.asked;
        for ready in channel.routes.iter_mut().filter_map(|route| route.ready.take()) {
            let _ = ready.send(());
        }
    }

    fn tell(&mut self, channel: &Bytes, payload: &Bytes) {
        let Some(channel) = self.live.get_mut(channel) else { return };
        for route in &channel.routes {
            // One that is gone is left at the next tick.
            if let Err(mpsc::error::TrySendError::Full(_)) = route.to.try_send(payload.clone()) {
                route.missed.store(true, Ordering::Release);
            }
        }
    }

    /// Forgets those that nobody listens to any more. One whose confirmation is to come stays until then.
    fn leave(&mut self) -> Vec<Bytes> {
        let mut left = Vec::new();
        self.live.retain(|name, channel| {
            channel.routes.retain(|route| !route.to.is_closed());
            let stays = !channel.routes.is_empty() || channel.confirmed < channel.asked;
            if !stays {
                left.push(name.clone());
            }
            stays
        });
        left.iter().for_each(|name| *self.left.entry(name.clone()).or_default() += 1);
        left
    }

    /// Whether it was us who left, and not the cluster that took it from us.
    fn is_left(&mut self, channel: &Bytes) -> bool {
        let Some(count) = self.left.get_mut(channel) else { return false };
        *count -= 1;
        if *count == 0 {
            self.left.remove(channel);
        }
        true
    }
}
