//! What people are promised of a transfer's states, checked against a model that knows only who said
//! what: complete only when the receivers say so; final states final; no state that contradicts what is.

use std::collections::{HashMap, HashSet};

use roomdrop::protocol::ErrorCode;

use roomdrop::relay::Source;

use crate::server::{Server, Setup};
use crate::word::{Effect, Event, Who};

/// Statuses that only say how far it is come at most this often, in microseconds.
const PROGRESS: u64 = 500_000;

#[derive(Debug, Default)]
pub struct Life {
    size: Option<u64>,
    source: Link,
    is_once: bool,
    /// Bytes that were taken in.
    given: u64,
    wish: Wish,
    /// Who accepted, and has neither all nor given up.
    owed: HashSet<u64>,
    done: HashSet<u64>,
    /// A download that came to its end: whether that was all of it, its pulls say.
    ended_downloads: HashSet<u64>,
    downloads: HashSet<u64>,
    paused: HashSet<u64>,
    claimed: HashMap<u64, u64>,
    end: Option<String>,
    told: Option<(u64, Effect)>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Link {
    #[default]
    Absent,
    Open,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Wish {
    #[default]
    Flow,
    Wait,
}

impl Life {
    pub fn new(setup: &Setup) -> Self {
        let is_once = setup.source == Source::Once;
        Self { size: setup.size, is_once, ..Self::default() }
    }

    /// After an event and its answer.
    pub fn on_event(&mut self, event: &Event, answer: Result<(), ErrorCode>) -> Result<(), String> {
        if answer.is_err() {
            return Ok(());
        }
        match *event {
            Event::SourceUp => self.source = Link::Open,
            Event::SourceDown => self.source = Link::Absent,
            Event::Size(size) => self.size = Some(size),
            Event::Chunk { offset, len, .. } => self.given = self.given.max(offset + len),
            Event::Accept(sink) => {
                if self.end.is_some() {
                    return Err(format!("{event} was taken after the end"));
                }
                if !self.done.contains(&sink) {
                    self.owed.insert(sink);
                }
            }
            Event::Download { sink, .. } => {
                self.downloads.insert(sink);
            }
            Event::Pull { sink, from, .. } => {
                let claimed = self.claimed.entry(sink).or_default();
                *claimed = from.max(*claimed);
            }
            Event::Done(sink) if self.downloads.contains(&sink) => {
                self.ended_downloads.insert(sink);
            }
            Event::Done(sink) => {
                self.owed.remove(&sink);
                self.done.insert(sink);
            }
            Event::Reject(sink) | Event::Cancel(Who::Sink(sink)) => {
                self.owed.remove(&sink);
            }
            Event::Pause(Who::Sender) => self.wish = Wish::Wait,
            Event::Resume(Who::Sender) => self.wish = Wish::Flow,
            Event::Pause(Who::Sink(sink)) => {
                self.paused.insert(sink);
            }
            Event::Resume(Who::Sink(sink)) => {
                self.paused.remove(&sink);
            }
            _ => {}
        }
        Ok(())
    }

    /// For every effect, in order.
    pub fn on_effect(&mut self, now: u64, effect: &Effect) -> Result<(), String> {
        match effect {
            Effect::Send { .. } | Effect::Ask { .. } if self.is_over() => {
                return Err(format!("{effect}: it is over"));
            }
            Effect::Close { sink, .. } => {
                self.owed.remove(sink);
            }
            Effect::Over { .. } if !self.is_over() => {
                return Err(format!("{effect}: no status said so"));
            }
            Effect::Status { state, size, receivers } => {
                self.on_status(state, *size, receivers).map_err(|why| format!("{effect}: {why}"))?;
                self.on_pace(now, effect)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.end.is_some()
    }

    fn on_status(
        &mut self,
        state: &str,
        size: Option<u64>,
        receivers: &[(u64, String, u64)],
    ) -> Result<(), String> {
        if let Some(end) = &self.end
            && end != state
        {
            return Err(format!("it had ended as {end}"));
        }
        for (sink, standing, received) in receivers {
            self.on_receiver(*sink, standing, *received)?;
        }
        let counts = format!("{:?} are owed, {:?} done", self.owed, self.done);
        let fits = match state {
            "complete" => self.owed.is_empty() && !self.done.is_empty() && size == self.size,
            "offered" => self.owed.is_empty() && self.done.is_empty(),
            "paused" => self.wish == Wish::Wait,
            "active" => !self.owed.is_empty() && self.wish == Wish::Flow && self.source_may_rest(),
            "suspended" => !self.owed.is_empty() && self.wish == Wish::Flow,
            "cancelled" | "failed" => {
                self.end = Some(state.into());
                true
            }
            _ => false,
        };
        if fits { Ok(()) } else { Err(format!("{counts}; {self:?}")) }
    }

    /// Whether the source is there. One that cannot go back and has given all may leave.
    fn source_may_rest(&self) -> bool {
        self.source == Link::Open || (self.is_once && self.size == Some(self.given))
    }

    fn on_receiver(&mut self, sink: u64, standing: &str, received: u64) -> Result<(), String> {
        let claimed = self.claimed.get(&sink).copied().unwrap_or(0);
        match standing {
            "complete" if self.ended_downloads.contains(&sink) => {
                if self.size != Some(claimed) {
                    return Err(format!("download {sink} holds {claimed} of {:?}", self.size));
                }
                self.owed.remove(&sink);
                self.done.insert(sink);
            }
            "complete" if !self.done.contains(&sink) => return Err(format!("{sink} did not say so")),
            "paused" if !self.paused.contains(&sink) => return Err(format!("{sink} did not wish so")),
            "complete" => {}
            // One that the relay ended is told so before its sink is closed.
            "failed" | "cancelled" | "rejected" => {
                self.owed.remove(&sink);
            }
            _ => {
                if received > claimed {
                    return Err(format!("{sink} claimed no more than {claimed}"));
                }
            }
        }
        Ok(())
    }

    fn on_pace(&mut self, now: u64, effect: &Effect) -> Result<(), String> {
        let says_more = match (&self.told, effect) {
            (Some((_, old)), new) => facts(old) != facts(new),
            (None, _) => true,
        };
        if let Some((at, _)) = &self.told
            && !says_more
            && now < at + PROGRESS
        {
            return Err(format!("{effect}: nothing but progress, {} us after the last", now - at));
        }
        self.told = Some((now, effect.clone()));
        Ok(())
    }

    /// When the server rests: people know how it stands.
    pub fn at_rest(&self, server: &dyn Server) -> Result<(), String> {
        let state = server.state();
        let told = match &self.told {
            Some((_, Effect::Status { state, .. })) => state.clone(),
            _ => "offered".into(),
        };
        match state {
            Some(state) if state != told => Err(format!("it is {state}, and people were told {told}")),
            _ => Ok(()),
        }
    }

    /// When all is done.
    pub fn at_end(&self, server: &dyn Server) -> Result<(), String> {
        let Some(state) = server.state() else { return Ok(()) };
        let expected: &[&str] = match (&self.end, self.owed.is_empty(), self.done.is_empty()) {
            (Some(end), ..) => &[end.as_str()],
            (None, owed, done) if self.wish == Wish::Wait && (!owed || done) => &["paused"],
            (None, true, false) => &["complete"],
            (None, true, true) => &["offered", "failed"],
            (None, false, _) => &["active", "suspended", "complete"],
        };
        if expected.contains(&state.as_str()) {
            return Ok(());
        }
        Err(format!("it ended as {state} and not as one of {expected:?}: {self:?}"))
    }
}

/// What a status says besides how far it is.
fn facts(status: &Effect) -> Effect {
    let mut facts = status.clone();
    if let Effect::Status { receivers, .. } = &mut facts {
        receivers.iter_mut().for_each(|(_, _, received)| *received = 0);
    }
    facts
}
