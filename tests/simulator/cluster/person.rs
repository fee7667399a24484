//! A person's client: it connects to any node, opens by its token, says what its source or sink says, and
//! comes back elsewhere when its link is lost. A receiver accepts first.

use roomdrop::protocol::{ErrorCode, MemberId, Party, Secret, TransferState};

use crate::cluster::plan::Plan;
use crate::cluster::word::{Line, Word};
use crate::plan::Peer;
use crate::sink::{self, Consumer, Stage};
use crate::source::{self, Producer};

/// What takes part through the link.
#[derive(Debug)]
pub enum Part {
    Source(Box<Producer>),
    Sink(Box<Consumer>),
}

/// How far the link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    None,
    Opening,
    Open,
}

/// What the client says on its link.
#[derive(Debug, Clone)]
pub enum Says {
    Open,
    Source(source::Say),
    Sink(sink::Say),
}

#[derive(Debug)]
pub struct Person {
    pub peer: Peer,
    pub part: Part,
    pub line: Option<Line>,
    pub link: Link,
    /// A receiver's, once it has accepted.
    pub token: Option<Secret>,
    /// Whether its token must be known everywhere: the records were there when it was given.
    pub is_sure: bool,
    is_download: bool,
    /// What it was last told of how it stands.
    pub told: Option<TransferState>,
    /// Its source or sink was ended by the server.
    pub closed: Option<ErrorCode>,
    /// It wants nothing more, by its own wish.
    pub has_left: bool,
    pub wake_at: Option<u64>,
    says: Vec<Says>,
}

/// What the world is to do for a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Need {
    Nothing,
    /// Its link leads nowhere: it comes back after a while.
    Reconnect,
    /// It has no right any more, and asks for it anew.
    AcceptAgain,
}

impl Person {
    pub fn source(plan: &Plan) -> Self {
        let producer = Producer::new(plan.producer.clone(), plan.seed ^ 0x50);
        Self::new(Peer::Source, Part::Source(Box::new(producer)), false)
    }

    pub fn sink(plan: &Plan, sink: usize) -> Self {
        let habits = plan.sinks[sink].clone();
        let is_download = habits.is_download;
        let consumer = Consumer::new(habits, plan.size);
        Self::new(Peer::Sink(sink), Part::Sink(Box::new(consumer)), is_download)
    }

    fn new(peer: Peer, part: Part, is_download: bool) -> Self {
        Self {
            peer,
            part,
            line: None,
            link: Link::None,
            token: None,
            is_sure: peer == Peer::Source,
            is_download,
            told: None,
            closed: None,
            has_left: false,
            wake_at: None,
            says: Vec::new(),
        }
    }

    pub fn member(sink: usize) -> MemberId {
        MemberId::from_random(sink as u64)
    }

    pub fn party(&self) -> Party {
        match self.peer {
            Peer::Source => Party::Sender,
            Peer::Sink(sink) => Party::Receiver(Self::member(sink)),
        }
    }

    /// From where a download begins; none for a link.
    pub fn download(&self) -> Option<u64> {
        match &self.part {
            Part::Sink(consumer) if self.is_download => Some(consumer.held),
            _ => None,
        }
    }

    /// Bytes that it holds.
    pub fn held(&self) -> u64 {
        match &self.part {
            Part::Source(_) => 0,
            Part::Sink(consumer) => consumer.held,
        }
    }

    /// Whether it has all that it came for, or wants nothing more.
    pub fn is_at_rest(&self) -> bool {
        self.has_left
            || self.closed.is_some()
            || match &self.part {
                Part::Source(_) => true,
                Part::Sink(consumer) => consumer.stage == Stage::Done,
            }
    }

    pub fn is_done(&self) -> bool {
        matches!(&self.part, Part::Sink(consumer) if consumer.stage == Stage::Done)
    }

    /// Whether it still wants a link.
    pub fn wants_link(&self) -> bool {
        let is_done_download = self.is_download && self.is_done();
        self.closed.is_none() && !self.has_left && !is_done_download
    }

    pub fn connect(&mut self, now: u64, line: Line) {
        self.line = Some(line);
        self.open(now);
    }

    fn open(&mut self, now: u64) {
        self.link = Link::Opening;
        self.says = vec![Says::Open];
        match &mut self.part {
            Part::Source(producer) => producer.connect(),
            Part::Sink(consumer) => consumer.connect(now),
        }
        self.gather();
    }

    pub fn disconnect(&mut self) {
        self.line = None;
        self.link = Link::None;
        self.says.clear();
        self.wake_at = None;
        match &mut self.part {
            Part::Source(producer) => producer.disconnect(),
            Part::Sink(consumer) => consumer.disconnect(),
        }
    }

    pub fn leave(&mut self) {
        self.has_left = true;
        self.disconnect();
    }

    /// What it has to say now: before it is let in, nothing but that it wants to.
    pub fn take_says(&mut self) -> Vec<Says> {
        self.gather();
        match self.link {
            Link::None => Vec::new(),
            Link::Opening => {
                let opens = matches!(self.says.first(), Some(Says::Open));
                if opens { vec![self.says.remove(0)] } else { Vec::new() }
            }
            Link::Open => std::mem::take(&mut self.says),
        }
    }

    fn gather(&mut self) {
        match &mut self.part {
            Part::Source(producer) => {
                let says = std::mem::take(&mut producer.says).into_iter();
                self.says.extend(says.filter(|say| !matches!(say, source::Say::Open)).map(Says::Source));
                self.wake_at = producer.wake_at;
            }
            Part::Sink(consumer) => {
                let says = std::mem::take(&mut consumer.says).into_iter();
                self.says.extend(says.filter(|say| !matches!(say, sink::Say::Open { .. })).map(Says::Sink));
                self.wake_at = consumer.wake_at;
            }
        }
    }

    pub fn wake(&mut self, now: u64) {
        match &mut self.part {
            Part::Source(producer) if producer.wake_at.is_some_and(|at| now >= at) => producer.wake(now),
            Part::Sink(consumer) if consumer.wake_at.is_some_and(|at| now >= at) => consumer.wake(now),
            _ => {}
        }
    }

    pub fn hear(&mut self, now: u64, word: &Word) -> Need {
        match word {
            Word::Opened { size } => {
                self.link = Link::Open;
                if let (Some(size), Part::Sink(consumer)) = (size, &mut self.part) {
                    consumer.hear(now, &sink::Hear::End { size: *size });
                }
            }
            Word::Refused(ErrorCode::TransferClosed) => self.close(now, ErrorCode::TransferClosed),
            Word::Refused(ErrorCode::NotAllowed | ErrorCode::TransferNotFound) => return Need::AcceptAgain,
            Word::Refused(_) => return Need::Reconnect,
            Word::Status(state) => self.told = Some(*state),
            Word::ChunkRefused(ErrorCode::NotAllowed) if self.link == Link::Open => self.open(now),
            Word::ChunkRefused(_) => {}
            Word::Closed(ErrorCode::Expired) => return Need::Reconnect,
            Word::Closed(error) => self.close(now, *error),
            word => self.hear_bytes(now, word),
        }
        Need::Nothing
    }

    fn hear_bytes(&mut self, now: u64, word: &Word) {
        match (&mut self.part, word) {
            (Part::Source(producer), Word::Pull { lane, from, limit }) => {
                producer.hear(now, &source::Hear::Pull { lane: *lane, from: *from, limit: *limit });
            }
            (Part::Source(producer), Word::Stop { lane }) => {
                producer.hear(now, &source::Hear::Stop { lane: *lane });
            }
            (Part::Sink(consumer), Word::Chunk { lane, offset, bytes }) => {
                let (lane, offset, bytes) = (*lane, *offset, bytes.clone());
                consumer.hear(now, &sink::Hear::Chunk { lane, offset, bytes });
            }
            (Part::Sink(consumer), Word::End { size }) => {
                consumer.hear(now, &sink::Hear::End { size: *size });
            }
            (Part::Sink(consumer), Word::Thanks) => {
                consumer.hear(now, &sink::Hear::Thanks);
            }
            _ => {}
        }
    }

    fn close(&mut self, now: u64, error: ErrorCode) {
        if let Part::Sink(consumer) = &mut self.part
            && consumer.stage != Stage::Done
        {
            consumer.hear(now, &sink::Hear::Closed);
            self.closed = Some(error);
        }
        if self.peer == Peer::Source {
            self.closed = Some(error);
        }
    }
}
