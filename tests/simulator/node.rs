//! The thin code around the server: which link is which party's, what waits for a sink's link, and when
//! there is no room. It is what the hub and the gateway are in the real program, and checks the promises
//! at every step.

use roomdrop::protocol::ErrorCode;
use roomdrop::relay::Budget;

use crate::life::Life;
use crate::plan::{Peer, Plan};
use crate::promises::Promises;
use crate::server::{Machine, Server};
use crate::sink;
use crate::source;
use crate::transcript::Transcript;
use crate::word::{Effect, Event, Who};
use crate::world::Said;

/// A word to a party.
#[derive(Debug, Clone)]
pub enum Post {
    Source(source::Hear),
    Sink(sink::Hear),
}

/// A sink's link as the node sees it.
#[derive(Debug, Default)]
struct Desk {
    era: Option<u64>,
    /// Bytes that wait in its queue or are on their way.
    queued: u64,
    room: u64,
    is_busy: bool,
    has_come: bool,
    is_gone: bool,
}

pub struct Node {
    server: Box<dyn Server>,
    budget: Budget,
    pub transcript: Transcript,
    promises: Promises,
    life: Life,
    is_over: bool,
    answer: Result<(), ErrorCode>,
    people: bool,
    source_era: Option<u64>,
    desks: Vec<Desk>,
    size: Option<u64>,
    posts: Vec<(Peer, u64, Post, u64)>,
}

impl Node {
    pub fn new(plan: &Plan) -> Self {
        let desk = |(habits, _): &(sink::Habits, _)| Desk { room: habits.outbox, ..Desk::default() };
        let budget = Budget::new(plan.setup.budget);
        Self {
            server: plan.setup.server(&budget),
            budget,
            transcript: Transcript::new(plan.setup.clone()),
            promises: Promises::new(plan.setup.clone()),
            life: Life::new(&plan.setup),
            is_over: false,
            answer: Ok(()),
            people: plan.setup.machine == Machine::Session,
            source_era: None,
            desks: plan.sinks.iter().map(desk).collect(),
            size: plan.setup.size,
            posts: Vec::new(),
        }
    }

    pub fn timeout(&self) -> Option<u64> {
        self.server.timeout().map(micros)
    }

    /// Whether a sink has come, and has not gone for good.
    pub fn has_come(&self, sink: usize) -> bool {
        let desk = &self.desks[sink];
        desk.has_come && !desk.is_gone
    }

    pub fn take_posts(&mut self) -> Vec<(Peer, u64, Post, u64)> {
        std::mem::take(&mut self.posts)
    }

    /// Tells the server, and follows what it says.
    pub fn tell(&mut self, now: u64, event: Event) -> Result<(), String> {
        self.apply(now, event)?;
        let answer = self.answer;
        while let Some(effect) = self.transcript.poll(self.server.as_mut()) {
            if let Effect::Send { sink, offset, bytes, .. } = &effect {
                let desk = &mut self.desks[*sink as usize];
                if desk.queued > 0 && desk.queued + bytes.len() as u64 > desk.room {
                    desk.is_busy = true;
                    self.apply(now, Event::Busy { sink: *sink, offset: *offset })?;
                    continue;
                }
            }
            self.promises.on_effect(&effect)?;
            self.life.on_effect(now, &effect)?;
            self.follow(effect);
        }
        self.answer = answer;
        self.life.at_rest(self.server.as_ref())
    }

    fn apply(&mut self, now: u64, event: Event) -> Result<(), String> {
        let answer = self.transcript.handle(self.server.as_mut(), now, event.clone());
        self.answer = answer;
        self.life.on_event(&event, answer)?;
        self.promises.on_event(now, &event, answer, self.server.as_ref(), self.budget.used())
    }

    fn follow(&mut self, effect: Effect) {
        match effect {
            Effect::Ask { lane, from, limit } => self.post_source(source::Hear::Pull { lane, from, limit }),
            Effect::Stop { lane } => self.post_source(source::Hear::Stop { lane }),
            Effect::Send { sink, lane, offset, bytes, .. } => {
                let len = bytes.len() as u64;
                self.desks[sink as usize].queued += len;
                self.post_sink(sink as usize, sink::Hear::Chunk { lane, offset, bytes }, len);
            }
            Effect::End { size } => self.spread_size(size),
            Effect::Close { sink, .. } => {
                self.desks[sink as usize].is_gone = true;
                self.post_sink(sink as usize, sink::Hear::Closed, 0);
            }
            Effect::Over { .. } => {
                self.is_over = true;
                for sink in 0..self.desks.len() {
                    self.desks[sink].is_gone = true;
                    self.post_sink(sink, sink::Hear::Closed, 0);
                }
            }
            Effect::Status { .. } | Effect::Gone => {}
        }
    }

    fn post_source(&mut self, word: source::Hear) {
        if let Some(era) = self.source_era {
            self.posts.push((Peer::Source, era, Post::Source(word), 0));
        }
    }

    fn post_sink(&mut self, sink: usize, word: sink::Hear, len: u64) {
        if let Some(era) = self.desks[sink].era {
            self.posts.push((Peer::Sink(sink), era, Post::Sink(word), len));
        }
    }

    fn spread_size(&mut self, size: u64) {
        self.size = Some(size);
        for sink in 0..self.desks.len() {
            self.post_sink(sink, sink::Hear::End { size }, 0);
        }
    }

    /// A word of a party, on its link's life `era`.
    pub fn hear(&mut self, now: u64, era: u64, said: &Said) -> Result<(), String> {
        match said {
            Said::Source(word) => self.hear_source(now, era, word),
            Said::Sink(sink, word) => self.hear_sink(now, *sink, era, word),
        }
    }

    fn hear_source(&mut self, now: u64, era: u64, word: &source::Say) -> Result<(), String> {
        if matches!(word, source::Say::Open) {
            if self.source_era == Some(era) {
                return Ok(());
            }
            self.source_era = Some(era);
            self.tell(now, Event::SourceUp)?;
            if self.answer.is_err() {
                self.source_era = None;
            }
            return Ok(());
        }
        if self.source_era != Some(era) {
            return Ok(());
        }
        match *word {
            source::Say::Chunk { lane, offset, len, quality } => {
                self.tell(now, Event::Chunk { lane, offset, len, quality })
            }
            source::Say::End { size } => {
                self.tell(now, Event::Size(size))?;
                if !self.people && self.answer.is_ok() {
                    self.spread_size(size);
                }
                Ok(())
            }
            source::Say::Fail => self.tell(now, Event::SourceFail),
            source::Say::Open => Ok(()),
        }
    }

    fn hear_sink(&mut self, now: u64, sink: usize, era: u64, word: &sink::Say) -> Result<(), String> {
        let id = sink as u64;
        if self.desks[sink].is_gone {
            self.desks[sink].era = Some(era);
            self.post_sink(
                sink,
                if matches!(word, sink::Say::Done) { sink::Hear::Thanks } else { sink::Hear::Closed },
                0,
            );
            return Ok(());
        }
        if let sink::Say::Open { download } = word {
            return self.open_sink(now, sink, era, *download);
        }
        if self.desks[sink].era != Some(era) {
            return Ok(());
        }
        match *word {
            sink::Say::Pull { lane, from, limit } => {
                self.tell(now, Event::Pull { sink: id, lane, from, limit })
            }
            sink::Say::Done => {
                self.tell(now, Event::Done(id))?;
                // While the server does not know the size, it cannot be done; it says so again.
                if self.answer.is_ok() {
                    self.desks[sink].is_gone = true;
                    self.post_sink(sink, sink::Hear::Thanks, 0);
                }
                Ok(())
            }
            sink::Say::Open { .. } => Ok(()),
        }
    }

    /// A sink's new link. A download is a request of its own: the one before has ended.
    fn open_sink(&mut self, now: u64, sink: usize, era: u64, download: Option<u64>) -> Result<(), String> {
        let id = sink as u64;
        if self.desks[sink].era == Some(era) {
            return Ok(());
        }
        if download.is_some() && self.desks[sink].era.is_some() {
            self.tell(now, Event::SinkAway(id))?;
        }
        if self.people && !std::mem::replace(&mut self.desks[sink].has_come, true) {
            self.tell(now, Event::Accept(id))?;
        }
        let desk = &mut self.desks[sink];
        desk.has_come = true;
        (desk.era, desk.queued, desk.is_busy) = (Some(era), 0, false);
        match download {
            Some(from) => self.tell(now, Event::Download { sink: id, from })?,
            None => self.tell(now, Event::SinkUp(id))?,
        }
        if self.answer.is_err() {
            self.desks[sink].is_gone = true;
            self.post_sink(sink, sink::Hear::Closed, 0);
        } else if let Some(size) = self.size {
            self.post_sink(sink, sink::Hear::End { size }, 0);
        }
        Ok(())
    }

    /// The node notices that a link's life is over, unless a newer one has taken its place.
    pub fn notice(&mut self, now: u64, peer: Peer, era: u64) -> Result<(), String> {
        match peer {
            Peer::Source if self.source_era == Some(era) => {
                self.source_era = None;
                self.tell(now, Event::SourceDown)
            }
            Peer::Sink(sink) if self.desks[sink].era == Some(era) && !self.desks[sink].is_gone => {
                self.desks[sink].era = None;
                self.tell(now, Event::SinkAway(sink as u64))
            }
            _ => Ok(()),
        }
    }

    /// A sink says that it wants nothing more, or does not want it at all.
    pub fn leave(&mut self, now: u64, sink: usize) -> Result<(), String> {
        if std::mem::replace(&mut self.desks[sink].is_gone, true) {
            return Ok(());
        }
        let id = sink as u64;
        let came = self.desks[sink].has_come;
        self.tell(now, if came { Event::Cancel(Who::Sink(id)) } else { Event::Reject(id) })
    }

    /// Whether the transfer has ended.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// A sink's link took bytes: there may be room again.
    pub fn take(&mut self, now: u64, sink: usize, era: u64, len: u64) -> Result<(), String> {
        self.drop_bytes(sink, era, len);
        let desk = &mut self.desks[sink];
        if desk.is_busy && desk.queued <= desk.room / 2 && !desk.is_gone {
            desk.is_busy = false;
            return self.tell(now, Event::Ready(sink as u64));
        }
        Ok(())
    }

    pub fn drop_bytes(&mut self, sink: usize, era: u64, len: u64) {
        let desk = &mut self.desks[sink];
        if desk.era == Some(era) {
            desk.queued = desk.queued.saturating_sub(len);
        }
    }

    /// The end of the server: all that it booked is given back.
    pub fn end(&mut self, plan: &Plan) -> Result<(), String> {
        self.life.at_end(self.server.as_ref())?;
        if self.is_over && self.budget.used() > 0 {
            return Err(format!("{} bytes are booked although it is over", self.budget.used()));
        }
        self.server = plan.setup.server(&Budget::new(0));
        match self.budget.used() {
            0 => Ok(()),
            left => Err(format!("{left} bytes are booked after the end")),
        }
    }
}

/// Microseconds, as the simulator counts.
fn micros(moment: roomdrop::protocol::Moment) -> u64 {
    u64::try_from(moment.since(roomdrop::protocol::Moment::default()).as_micros()).unwrap_or(u64::MAX)
}
