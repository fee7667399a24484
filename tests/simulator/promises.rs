//! What a server promises, checked at its very edge after every word. It knows nothing of how the server
//! works: only what was said to it and what it said.

use std::collections::HashMap;

use roomdrop::protocol::ErrorCode;
use roomdrop::relay::{Source, Straggler};

use crate::content;
use crate::server::{Server, Setup};
use crate::word::{Effect, Event, Quality, Who};

/// Ticks at one moment without effect, at most: more is a loop.
const MOST_TICKS: u32 = 12;

#[derive(Debug)]
pub struct Promises {
    setup: Setup,
    size: Option<u64>,
    source_up: bool,
    held: bool,
    asked: HashMap<u64, Asked>,
    newest: u64,
    sinks: HashMap<u64, SinkView>,
    ticks: (u64, u32),
}

/// A lane as the source sees it.
#[derive(Debug)]
struct Asked {
    next: u64,
    limit: u64,
    stopped: bool,
}

/// A sink as its link sees it.
#[derive(Debug, Default)]
struct SinkView {
    up: bool,
    asked: bool,
    paused: bool,
    busy: bool,
    lane: u64,
    from: u64,
    next: u64,
    limit: u64,
}

impl Promises {
    pub fn new(setup: Setup) -> Self {
        Self {
            size: setup.size,
            setup,
            source_up: false,
            held: false,
            asked: HashMap::new(),
            newest: 0,
            sinks: HashMap::new(),
            ticks: (0, 0),
        }
    }

    /// After an event and its answer.
    pub fn on_event(
        &mut self,
        now: u64,
        event: &Event,
        answer: Result<(), ErrorCode>,
        server: &dyn Server,
        used: u64,
    ) -> Result<(), String> {
        if used > self.setup.memory_bound() {
            return Err(format!("{used} bytes booked, the bound is {}", self.setup.memory_bound()));
        }
        match *event {
            Event::Tick => return self.on_tick(now, server),
            Event::Chunk { lane, offset, len, quality } => {
                return self.on_chunk(lane, offset, len, quality, answer);
            }
            _ if answer.is_err() => {}
            Event::SourceUp | Event::SourceDown => {
                self.source_up = *event == Event::SourceUp;
                self.asked.clear();
            }
            Event::Size(size) => self.size = Some(size),
            Event::SinkUp(sink) | Event::Download { sink, .. } => {
                let view = self.sinks.entry(sink).or_default();
                (view.up, view.asked, view.busy) = (true, false, false);
            }
            Event::SinkAway(sink) => {
                self.sink(sink)?.up = false;
            }
            Event::Done(sink) | Event::Reject(sink) | Event::Cancel(Who::Sink(sink)) => {
                self.sinks.remove(&sink);
            }
            Event::Pause(Who::Sender) => self.held = true,
            Event::Resume(Who::Sender) => self.held = false,
            Event::Pause(Who::Sink(sink)) | Event::Resume(Who::Sink(sink)) => {
                if let Some(view) = self.sinks.get_mut(&sink) {
                    view.paused = matches!(event, Event::Pause(_));
                }
            }
            Event::Busy { sink, offset } => {
                let view = self.sink(sink)?;
                (view.busy, view.next) = (true, offset);
            }
            Event::Ready(sink) => self.sink(sink)?.busy = false,
            Event::Pull { sink, lane, from, limit } => self.on_pull(sink, lane, from, limit)?,
            _ => {}
        }
        Ok(())
    }

    fn sink(&mut self, sink: u64) -> Result<&mut SinkView, String> {
        self.sinks.get_mut(&sink).ok_or_else(|| format!("the run speaks of sink {sink}, which is not there"))
    }

    fn on_tick(&mut self, now: u64, server: &dyn Server) -> Result<(), String> {
        self.ticks = if self.ticks.0 == now { (now, self.ticks.1 + 1) } else { (now, 1) };
        if self.ticks.1 > MOST_TICKS {
            return Err(format!("a loop of timers at {now}: {:?}", server.timeout()));
        }
        Ok(())
    }

    fn on_chunk(
        &mut self,
        lane: u64,
        offset: u64,
        len: u64,
        quality: Quality,
        answer: Result<(), ErrorCode>,
    ) -> Result<(), String> {
        if answer.is_err() {
            return Ok(());
        }
        let taken = format!("a chunk of {len} at {offset} on lane {lane} was taken");
        let size = self.size.unwrap_or(u64::MAX);
        let most = self.setup.options.chunk_max;
        let asked = self.asked.get_mut(&lane).filter(|asked| !asked.stopped);
        let asked = asked.ok_or_else(|| format!("{taken} although nobody asked"))?;
        if offset != asked.next || offset + len > asked.limit.min(size) {
            return Err(format!("{taken} although {asked:?}, size {size}"));
        }
        if len == 0 || len > most || quality == Quality::Junk {
            return Err(format!("{taken} although it is {quality:?} and chunks have at most {most}"));
        }
        asked.next += len;
        Ok(())
    }

    fn on_pull(&mut self, sink: u64, lane: u64, from: u64, limit: u64) -> Result<(), String> {
        let window = self.setup.options.window;
        let view = self.sink(sink)?;
        if !view.up || (view.asked && lane < view.lane) {
            return Ok(());
        }
        if !view.asked || lane > view.lane {
            *view = SinkView {
                up: true,
                asked: true,
                paused: view.paused,
                lane,
                from,
                next: from,
                limit: from,
                busy: false,
            };
        }
        view.busy = false;
        view.from = view.from.max(from);
        view.limit = view.limit.max(limit.min(view.from + window));
        Ok(())
    }

    /// For every effect, before it is followed.
    pub fn on_effect(&mut self, effect: &Effect) -> Result<(), String> {
        match effect {
            Effect::Send { sink, lane, offset, bytes, digest } => {
                let wrong = |why: &str| Err(format!("{effect}: {why}"));
                let size = self.size.unwrap_or(u64::MAX);
                let held = self.held;
                let Some(view) = self.sinks.get_mut(sink) else { return wrong("the sink is gone") };
                let end = offset + bytes.len() as u64;
                if held || view.paused || view.busy || !view.up || !view.asked {
                    return wrong(&format!("it may not flow: {view:?}"));
                }
                if *lane != view.lane || *offset != view.next || bytes.is_empty() {
                    return wrong(&format!("a gap, an overlap or an old lane: {view:?}"));
                }
                if end > view.limit.min(size) {
                    return wrong(&format!("beyond what was pulled: {view:?}"));
                }
                if !content::is_true(*offset, bytes) {
                    return wrong("wrong bytes");
                }
                if digest.is_some_and(|digest| !digest.matches(bytes)) {
                    return wrong("the digest is of other bytes");
                }
                view.next = end;
            }
            Effect::Ask { lane, from, limit } => self.on_ask(*lane, *from, *limit)?,
            Effect::Stop { lane } => match self.asked.get_mut(lane) {
                Some(asked) if !asked.stopped => asked.stopped = true,
                _ => return Err(format!("{effect}: there is no such lane")),
            },
            Effect::Close { sink, error } => self.on_close(*sink, *error)?,
            Effect::Over { .. } => self.sinks.clear(),
            _ => {}
        }
        Ok(())
    }

    fn on_ask(&mut self, lane: u64, from: u64, limit: u64) -> Result<(), String> {
        let wrong = |why: String| Err(format!("ask {lane} {from} {limit}: {why}"));
        let Options { window, chunk_max, .. } = Options::of(&self.setup);
        if !self.source_up {
            return wrong("no source is connected".into());
        }
        let wish = |view: &SinkView| view.limit.max(view.from);
        let demand = self.sinks.values().map(wish).max().unwrap_or(0).min(self.size.unwrap_or(u64::MAX));
        let repeats = self.asked.get(&lane).is_some_and(|asked| limit <= asked.limit);
        if limit > demand && !repeats {
            return wrong(format!("beyond the demand of {demand}"));
        }
        match self.asked.get_mut(&lane) {
            None => {
                if lane <= self.newest {
                    return wrong(format!("the newest lane was {}", self.newest));
                }
                self.newest = lane;
                self.asked.insert(lane, Asked { next: from, limit, stopped: false });
            }
            Some(asked) if asked.stopped => return wrong("it was stopped".into()),
            Some(asked) => {
                if limit < asked.limit || from > asked.next {
                    return wrong(format!("{asked:?}"));
                }
                asked.limit = limit;
            }
        }
        let asked = &self.asked[&lane];
        if asked.limit - asked.next > window + chunk_max {
            return wrong(format!("more than a window: {asked:?}"));
        }
        Ok(())
    }

    fn on_close(&mut self, sink: u64, error: ErrorCode) -> Result<(), String> {
        if !self.sinks.contains_key(&sink) {
            return Ok(());
        }
        let once = self.setup.source == Source::Once;
        let drops = self.setup.options.straggler == Straggler::Drop;
        let fair = match error {
            ErrorCode::TransferClosed => once,
            ErrorCode::TooSlow => once && drops,
            _ => false,
        };
        if !fair {
            return Err(format!("close {sink} {error}: not from such a source"));
        }
        self.sinks.remove(&sink);
        Ok(())
    }
}

struct Options {
    window: u64,
    chunk_max: u64,
}

impl Options {
    fn of(setup: &Setup) -> Self {
        Self { window: setup.options.window, chunk_max: setup.options.chunk_max }
    }
}
