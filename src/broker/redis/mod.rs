//! The broker of many nodes: Redis, alone or a cluster. Records and logs go over a pool; publishing, the
//! inboxes, the rooms' subscriptions and the heartbeat have connections of their own, each of which comes
//! back by itself. Nothing here outlives [`Redis::close`], nothing waits without bound, and nothing is said
//! of the URL in the log.
//!
//! | file | what it does |
//! |---|---|
//! | `wire`, `dial` | Redis's protocol, and connections that were let in |
//! | `topology` | which Redis to ask: the only one, or the master of a slot |
//! | `pool`, `records`, `logs` | commands and scripts |
//! | `outbox`, `line`, `credit`, `notices` | what this node says, and how much at once |
//! | `inbox` | what others say to it |
//! | `listener`, `follower` | the rooms' logs as they grow |
//! | `heart`, `roster`, `health` | who is there, and whether Redis is |

mod credit;
mod dial;
mod follower;
mod health;
mod heart;
mod inbox;
mod line;
mod listener;
mod logs;
mod names;
mod notices;
mod outbox;
mod pool;
mod records;
mod retry;
mod roster;
mod stats;
mod topology;
mod wire;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use dashmap::DashMap;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::stats::{Counter, Stats};

use self::credit::INBOXES;
use self::follower::{Follower, Mood};
use self::health::Health;
use self::heart::Heart;
use self::inbox::{Inbox, Taken};
use self::listener::Listener;
use self::logs::Log;
use self::names::Names;
use self::outbox::{Base, Outbox};
use self::pool::Pool;
use self::roster::Roster;
use self::topology::Topology;
use super::{Away, Broker, Delivery, Full, Heard, Key, NotAppended, Position, Record, Story, Written};
use crate::protocol::RoomId;
use crate::protocol::frame::Message;
use crate::protocol::node::{Frame, Node, NodeId};

/// Deliveries that wait for the node, at most. The readers of its inboxes wait for room; the bytes that may
/// pile up behind them are bounded by credit.
const INBOX: usize = 512;
/// What a follower has waiting for it, at most. It waits for room.
const HEARD: usize = 32;
/// For farewells to go out.
const FAREWELL: Duration = Duration::from_millis(500);

/// Where Redis is.
#[derive(Clone)]
pub struct Options {
    /// `redis://` or `rediss://`, with user and password where it wants them; of a cluster some of its nodes,
    /// with commas between.
    pub url: String,
    /// Whether it is a Redis Cluster.
    pub cluster: bool,
    /// What all keys and channels begin with: 1 to 64 of `A-Z a-z 0-9 _ - . :`. Nodes of one prefix are one
    /// service.
    pub prefix: String,
}

/// Without the URL, which may hold a password.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url: _, cluster, prefix } = self;
        f.debug_struct("Options").field("cluster", cluster).field("prefix", prefix).finish_non_exhaustive()
    }
}

/// Why there can be no broker. None of it can mend itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// Not a URL of Redis.
    #[error("not a URL of Redis; write like redis://user:password@host:6379/0, or rediss:// for TLS")]
    Url,
    /// It asks to trust anybody.
    #[error("a URL of Redis with #insecure is not supported; name its certificate in SSL_CERT_FILE")]
    Insecure,
    /// A prefix that is not one.
    #[error("a prefix is 1 to 64 of A-Z a-z 0-9 _ - . :")]
    Prefix,
    /// This machine trusts nobody.
    #[error("no certificates to trust were found; install ca-certificates, or name them in SSL_CERT_FILE")]
    NoCertificates,
    /// The pool could not be made.
    #[error("the pool of connections could not be made")]
    Pool,
}

/// See the module. Dropping it ends it as a crash would; [`Redis::close`] says farewell.
pub struct Redis {
    me: Node,
    names: Names,
    topology: Arc<Topology>,
    pool: Arc<Pool>,
    health: Arc<Health>,
    outbox: Arc<Outbox>,
    roster: Arc<Roster>,
    listener: Arc<Listener>,
    stats: Arc<Stats>,
    is_leaving: Arc<AtomicBool>,
    inbox: Mutex<Option<mpsc::Receiver<Delivery>>>,
    /// Pokes the followers of a room.
    followed: Arc<DashMap<RoomId, watch::Sender<u64>>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("me", &self.me).finish_non_exhaustive()
    }
}

impl Redis {
    /// Starts the broker of this node, within a runtime. Redis need not be there: [`Delivery::Back`] says
    /// when it is reached, the first time too.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(options: &Options, me: Node) -> Result<Arc<Self>, StartError> {
        let names = Names::new(&options.prefix).ok_or(StartError::Prefix)?;
        let topology = Arc::new(Topology::new(&options.url, options.cluster)?);
        let health = Arc::new(Health::new());
        let pool = Arc::new(Pool::new(&topology, &options.url, health.clone())?);
        let (to_inbox, inbox) = mpsc::channel(INBOX);
        let (stats, stop, tasks) = (Arc::new(Stats::default()), CancellationToken::new(), TaskTracker::new());
        let outbox = Outbox::new(Base {
            me: me.id,
            names: names.clone(),
            topology: topology.clone(),
            stats: stats.clone(),
            connected: Arc::new(Notify::new()),
            stop: stop.clone(),
            tasks: tasks.clone(),
        });
        let roster = Arc::new(Roster::new(me.clone(), outbox.clone(), &to_inbox));
        let redis = Arc::new(Self {
            me,
            names,
            topology,
            pool,
            health,
            listener: Arc::new(Listener::new(outbox.clone())),
            outbox,
            roster,
            stats,
            is_leaving: Arc::new(AtomicBool::new(false)),
            inbox: Mutex::new(Some(inbox)),
            followed: Arc::default(),
            stop,
            tasks,
        });
        redis.spawn(&to_inbox);
        Ok(redis)
    }

    fn spawn(&self, to_inbox: &mpsc::Sender<Delivery>) {
        self.outbox.prepare();
        for number in 0..INBOXES {
            let inbox = Inbox {
                number,
                channel: self.names.inbox(self.me.id, number),
                outbox: self.outbox.clone(),
                roster: self.roster.clone(),
                health: self.health.clone(),
                to: to_inbox.clone(),
                taken: Taken::default(),
            };
            self.outbox.spawn(inbox.run());
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let heart = Heart {
            me: self.me.clone(),
            started: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            key: self.names.nodes(),
            outbox: self.outbox.clone(),
            roster: self.roster.clone(),
            health: self.health.clone(),
            is_leaving: self.is_leaving.clone(),
        };
        self.outbox.spawn(heart.run());
        let (outbox, to) = (self.outbox.clone(), to_inbox.clone());
        self.outbox.spawn(async move { outbox.notices.tell(&to).await });
        let (health, outbox, roster, to) =
            (self.health.clone(), self.outbox.clone(), self.roster.clone(), to_inbox.clone());
        self.outbox.spawn(async move {
            let greet = || {
                roster.hurry.notify_one();
                let others = roster.others();
                others.into_iter().for_each(|node| outbox.notice(node, health.wholes(), Message::Hello));
            };
            health.tell(&to, greet).await;
        });
    }

    /// What went over it, counted.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The nodes that live and want no new connections ([`Broker::leave`]).
    pub fn leaving(&self) -> Vec<NodeId> {
        self.roster.leaving()
    }

    /// Says farewell, so that the others hear at once that this node is lost, and ends every task, the inbox
    /// and the followed logs with them. Takes two seconds at most.
    async fn end(&self) {
        let farewell = async {
            let key = self.names.nodes();
            let mut link = self.topology.open(topology::slot(key.as_bytes())).await?;
            link.call(&[b"HDEL", key.as_bytes(), self.me.id.to_string().as_bytes()]).await
        };
        if self.is_there() {
            let others = self.roster.others();
            let told = others.into_iter().map(|node| self.outbox.notice(node, 0, Message::Gone)).count();
            tracing::debug!(told, "farewell");
            let _ = tokio::time::timeout(FAREWELL, self.outbox.is_empty()).await;
        }
        self.stop.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(FAREWELL, self.tasks.wait()).await;
        // Last, so that no heartbeat writes it again.
        if self.is_there() {
            let _ = tokio::time::timeout(FAREWELL, farewell).await;
        }
    }

    fn log(&self, room: &RoomId, lifetime: Duration) -> Log {
        let publish = if self.topology.is_cluster() { "SPUBLISH" } else { "PUBLISH" };
        Log { names: self.names.log(room), publish, lifetime }
    }

    /// Has the followers of a room look at its log.
    fn poke(&self, room: &RoomId) {
        if let Some(poke) = self.followed.get(room) {
            poke.send_modify(|times| *times += 1);
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[async_trait]
impl Broker for Redis {
    fn me(&self) -> &Node {
        &self.me
    }

    fn nodes(&self) -> Arc<[Node]> {
        self.roster.nodes()
    }

    fn is_there(&self) -> bool {
        self.health.is_there()
    }

    fn inbox(&self) -> Option<mpsc::Receiver<Delivery>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn post(&self, to: NodeId, frame: Frame) -> Result<(), Full> {
        self.outbox.frame(to, frame)
    }

    fn post_all(&self, frame: Frame) {
        for node in self.roster.others() {
            // A frame that is no chunk is always taken.
            let _ = self.outbox.frame(node, frame.clone());
        }
    }

    async fn read(&self, key: &Key) -> Result<Option<Record>, Away> {
        records::read(&self.pool, &self.names, key).await
    }

    async fn write(&self, key: &Key, over: u64, record: Record, lifetime: Duration) -> Result<Written, Away> {
        records::write(&self.pool, &self.names, key, over, &record, lifetime).await
    }

    async fn remove(&self, key: &Key, over: u64) -> Result<(), Away> {
        records::remove(&self.pool, &self.names, key, over).await
    }

    async fn follow(
        &self,
        room: &RoomId,
        lifetime: Duration,
    ) -> Result<(Story, mpsc::Receiver<Heard>), Away> {
        let log = self.log(room, lifetime);
        let poke = self.followed.entry(room.clone()).or_insert_with(|| watch::Sender::new(0)).subscribe();
        let subscription = self.listener.subscribe(&log.names.channel).await?;
        let story = log.begin(&self.pool).await?;
        let (to, heard) = mpsc::channel(HEARD);
        let follower = Follower {
            log,
            pool: self.pool.clone(),
            listener: self.listener.clone(),
            outbox: self.outbox.clone(),
            poke,
            at: story.at,
            mood: Mood::Whole,
            to,
        };
        let (followed, room) = (self.followed.clone(), room.clone());
        self.outbox.spawn(async move {
            follower.run(subscription).await;
            followed.remove_if(&room, |_, poke| poke.receiver_count() == 0);
        });
        Ok((story, heard))
    }

    async fn append(
        &self,
        room: &RoomId,
        generation: u64,
        entries: Vec<Bytes>,
        lifetime: Duration,
    ) -> Result<(), NotAppended> {
        let done = self.log(room, lifetime).append(&self.pool, generation, &entries).await;
        if done == Err(NotAppended::OtherGeneration) {
            self.poke(room);
        }
        done
    }

    async fn compact(
        &self,
        room: &RoomId,
        at: Position,
        state: Bytes,
        lifetime: Duration,
    ) -> Result<(), NotAppended> {
        let done = self.log(room, lifetime).compact(&self.pool, at, &state).await;
        if done == Err(NotAppended::OtherGeneration) {
            self.poke(room);
        }
        done
    }

    async fn seed(&self, room: &RoomId, count: u64, state: Bytes, lifetime: Duration) -> Result<(), Away> {
        let done = self.log(room, lifetime).seed(&self.pool, count, &state).await;
        self.poke(room);
        done
    }

    async fn close(&self) {
        self.end().await;
    }

    async fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
        self.roster.hurry.notify_one();
    }

    fn leaving(&self) -> Vec<NodeId> {
        self.roster.leaving()
    }
}
