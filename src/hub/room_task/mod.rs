//! The task of one room: keeps this node's copy of it, hands what arrives in its mailbox to the room's log,
//! and tells the links of this node whatever follows from what comes back. It decides nothing itself: what
//! an entry means is said by the [`Replica`], the same on every node.
//!
//! **While the service between the nodes is away** people of one node still meet, talk and transfer: each node
//! goes on by a copy of its own, also of a room that it could not look up (a join waits for that at most a
//! second). When the service is back, all that was said is in the log, in the order in which nodes came back.
//! Whoever thereby turns out to be in a room that would not have let it in (another passphrase, full) is told
//! that it has left.
//!
//! | file | what it does |
//! |---|---|
//! | `mod` | waits, keeps the time, ends |
//! | `people` | commands of people and transfers: what becomes an entry, what is read at once, who is answered |
//! | `offering` | offers, and the hooks that are asked about them or told |
//! | `following` | what the log says; being alone when it cannot be reached, and coming back |
//! | `again` | what the log refused because it does not know the link any more |
//! | `queue` | this node's entries on their way |
//! | `line` | the calls to the broker |
//! | `drops` | which drops and transfers are found here |
//! | `shelf` | what is kept of the room, brought back |

mod again;
mod drops;
mod following;
mod line;
mod offering;
mod people;
mod queue;
mod shelf;
#[cfg(test)]
pub(super) mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use self::again::Entered;
use self::drops::Drops;
use self::line::Line;
use self::people::Owed;
use self::queue::Queue;
use self::shelf::Shelf;
use super::port::PeerPort;
use super::room_handle::{Command, RoomHandle};
use super::{Hub, transfer_handle};
use crate::protocol::node::NodeId;
use crate::protocol::{Moment, RoomId, TransferId};
use crate::room::{Entry, Event, Input, Output, PeerId, Replica};

/// How long a room's log outlives the longest transfer.
const AFTERLIFE: Duration = Duration::from_secs(3600);
/// How long a node keeps its copy of a room that it has no part in any more.
const LINGER: Duration = Duration::from_secs(5);
/// How long a last compaction may take.
const FAREWELL: Duration = Duration::from_secs(1);

pub(super) struct Task {
    hub: Hub,
    me: NodeId,
    id: RoomId,
    handle: RoomHandle,
    /// The room as its log has it.
    log: Replica,
    view: View,
    service: Service,
    line: Line,
    queue: Queue<Owed>,
    /// Reads of a link that has said something before which is still on its way.
    held: VecDeque<(u64, Command)>,
    peers: HashMap<PeerId, Arc<dyn PeerPort>>,
    entered: Entered,
    drops: Drops,
    /// Entries that came since the log was compacted, in bytes.
    grown: usize,
    /// A tick of this node's that is on its way.
    ticking: Option<u64>,
    /// When to look whether nodes live that are not known here.
    doubt: Option<Instant>,
    life: Life,
    shelf: Shelf,
}

/// What people of this node are shown.
enum View {
    /// Nothing yet: the log is being found.
    Beginning,
    /// The room as its log has it.
    Together,
    /// A copy of this node's own, while the service is away.
    Alone(Box<Replica>),
    /// Still that copy, until the log has everything that it has. Commands wait for that.
    Returning(Box<Replica>),
}

/// The service between the nodes, as this room knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    /// It answers; and by then, what it was given should have come back, if anything was.
    There { answer_by: Option<Instant> },
    /// It does not; when to try again.
    Away { again: Instant },
    /// The log is another one: the follower hears of it, or follows anew at that time.
    OtherLog { by: Instant },
}

/// Whether this node has a part in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// It has, or may have.
    Open,
    /// It has none; when to look again, and end.
    Idle {
        until: Instant,
    },
    /// The room was left empty.
    Empty,
    Over,
}

impl Task {
    /// Starts the task of a room.
    pub(super) fn start(hub: Hub, id: RoomId) -> RoomHandle {
        let (handle, commands) = RoomHandle::new();
        let lifetime = hub.options().transfer.lifetime.max(hub.options().kept) + AFTERLIFE;
        let task = Self {
            me: hub.me(),
            log: Replica::new(id.clone(), hub.options().room),
            view: View::Beginning,
            service: Service::There { answer_by: None },
            line: Line::new(hub.broker().clone(), id.clone(), lifetime),
            queue: Queue::new(),
            held: VecDeque::new(),
            peers: HashMap::new(),
            entered: Entered::default(),
            drops: Drops::new(hub.clone(), handle.clone()),
            grown: 0,
            ticking: None,
            doubt: None,
            life: Life::Open,
            shelf: Shelf::Unread,
            handle: handle.clone(),
            id,
            hub,
        };
        let (ended, tasks) = (task.hub.ended().clone(), task.hub.tasks().clone());
        tasks.spawn(ended.run_until_cancelled_owned(task.run(commands)));
        handle
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        self.line.follow();
        while self.life != Life::Over {
            let deadline = self.deadline();
            tokio::select! {
                biased;
                news = self.line.next() => self.hear(news),
                command = commands.recv(), if self.is_obeying() => match command {
                    Some(command) => self.hold_or_obey(command),
                    None => return,
                },
                () = wait(deadline) => self.mind_the_time(),
            }
            self.release_held();
            self.append();
            self.judge_life();
        }
        self.end(commands).await;
    }

    async fn end(mut self, mut commands: mpsc::Receiver<Command>) {
        // Whoever came while the room was closing gets a new one.
        commands.close();
        self.hub.forget_room(&self.id, &self.handle);
        self.drops.forget_all();
        while let Ok(command) = commands.try_recv() {
            self.hub.redirect(&self.id, command);
        }
        let nobody_follows = self.log.room().links().next().is_none();
        if let Some(state) = self.log.write().filter(|_| nobody_follows && self.grown > 0) {
            self.line.drop_calls();
            let done = self.line.compact_at_last(state);
            let _ = timeout(FAREWELL, done).await;
        }
    }

    fn is_obeying(&self) -> bool {
        matches!(self.view, View::Together | View::Alone(_))
    }

    fn now(&self) -> Moment {
        self.hub.clock().now()
    }

    /// The copy that people of this node are shown.
    fn shown(&self) -> &Replica {
        match &self.view {
            View::Beginning | View::Together => &self.log,
            View::Alone(local) | View::Returning(local) => local,
        }
    }

    fn shown_mut(&mut self) -> &mut Replica {
        match &mut self.view {
            View::Beginning | View::Together => &mut self.log,
            View::Alone(local) | View::Returning(local) => local,
        }
    }

    /// When the time has to be minded next.
    fn deadline(&self) -> Option<Instant> {
        let may_tick = self.is_obeying() && self.ticking.is_none();
        let tick = may_tick.then(|| self.shown().poll_timeout()).flatten();
        let tick = tick.map(|moment| self.hub.clock().instant(moment));
        let service = match self.service {
            Service::There { answer_by } => answer_by,
            Service::Away { again } => Some(again),
            Service::OtherLog { by } => Some(by),
        };
        let service = service.filter(|_| !self.line.is_following());
        let idle = match self.life {
            Life::Idle { until } => Some(until),
            Life::Open | Life::Empty | Life::Over => None,
        };
        [tick, service, self.doubt, idle].into_iter().flatten().min()
    }

    fn mind_the_time(&mut self) {
        let now = Instant::now();
        if self.doubt.is_some_and(|doubt| doubt <= now) {
            self.doubt = None;
            self.check_nodes();
        }
        if !self.line.is_following() {
            match self.service {
                Service::There { answer_by: Some(by) } | Service::OtherLog { by } if by <= now => {
                    self.line.follow();
                }
                Service::Away { again } if again <= now => self.try_again(),
                _ => {}
            }
        }
        if self.is_obeying() && self.ticking.is_none() {
            self.tick_if_due();
        }
    }

    fn tick_if_due(&mut self) {
        let Some(due) = self.shown().due(self.now()) else { return };
        let entry = Entry { now: due, ..self.entry(Input::Tick) };
        if matches!(self.view, View::Together) {
            self.ticking = Some(entry.count);
        }
        self.put(entry, Owed::Nothing);
    }

    fn entry(&self, input: Input) -> Entry {
        Entry { author: self.me, count: self.hub.next_entry(), now: self.now(), input }
    }

    /// Appends what waits, unless an append is under way.
    fn append(&mut self) {
        if matches!(self.service, Service::There { .. }) && self.line.is_up() && !self.line.is_appending() {
            let batch = self.queue.next_batch();
            if !batch.is_empty() {
                self.line.append(batch);
            }
        }
    }

    /// Does what an input led to.
    fn carry_out(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Tell { to, event } => self.tell(&to, &event),
                Output::Forgotten { transfers } => self.let_go(&transfers),
                Output::Empty => {
                    self.life = Life::Empty;
                    self.shelf = Shelf::Unread;
                }
            }
        }
    }

    fn tell(&self, to: &[PeerId], event: &Event) {
        for port in to.iter().filter_map(|peer| self.peers.get(peer)) {
            port.tell(event);
        }
    }

    /// The room knows these transfers no more: they end, where they are in this node's hands.
    fn let_go(&mut self, transfers: &[TransferId]) {
        for transfer in transfers {
            self.drops.forget(transfer);
            if let Some(handle) = self.hub.transfer(transfer) {
                handle.send(transfer_handle::Command::Forget);
            }
        }
    }

    /// A room that was left empty ends at once, if nothing is on its way; one that this node has no part in
    /// any more, in a while.
    fn judge_life(&mut self) {
        // Nobody but this node ever knew of a room whose log was never found.
        let is_unheard_of = matches!(self.view, View::Alone(_)) && self.log.is_new();
        let is_at_rest = (self.queue.is_empty() || is_unheard_of) && self.held.is_empty();
        let room = self.shown().room();
        let has_part = matches!(self.view, View::Beginning | View::Returning(_))
            || matches!(self.shelf, Shelf::Reading(_))
            || !is_at_rest
            || !self.peers.is_empty()
            || room.is_anyone_in_grace();
        let now = Instant::now();
        self.life = match self.life {
            _ if has_part => Life::Open,
            Life::Empty if room.is_empty() => Life::Over,
            Life::Idle { until } if until > now => Life::Idle { until },
            Life::Idle { .. } if !self.drops.are_any_here() => Life::Over,
            _ => Life::Idle { until: now + LINGER },
        };
    }
}

async fn wait(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
