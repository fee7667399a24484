//! What the simulator drives: anything that takes events and is polled for effects. The relay alone is
//! one; the session is another; a node with a broker will be a third.

use roomdrop::protocol::{ErrorCode, Moment};
use roomdrop::relay::{Budget, Input, Options, Output, Relay, SinkId, Source, Straggler};

use crate::flaws::{Flaw, Flawed};
use crate::session::SessionServer;
use crate::word::{Effect, Event, Who};

/// The machine under test.
pub trait Server {
    /// As `Relay::handle`.
    fn handle(&mut self, now: Moment, event: Event) -> Result<(), ErrorCode>;
    /// As `Relay::poll_output`.
    fn poll(&mut self) -> Option<Effect>;
    /// As `Relay::poll_timeout`.
    fn timeout(&self) -> Option<Moment>;
    /// Where the transfer stands, where the server knows it.
    fn state(&self) -> Option<String> {
        None
    }
}

/// What a server is made from.
#[derive(Debug, Clone)]
pub struct Setup {
    pub machine: Machine,
    pub options: Options,
    pub source: Source,
    pub size: Option<u64>,
    pub budget: u64,
    /// What it gets wrong, for tests of the simulator itself. Not written down.
    pub flaw: Option<Flaw>,
}

/// Which machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// The bytes alone.
    Relay,
    /// The bytes and the life of the transfer.
    Session,
}

impl Setup {
    /// A fresh server, whose memory is booked in `budget`.
    pub fn server(&self, budget: &Budget) -> Box<dyn Server> {
        let server: Box<dyn Server> = match self.machine {
            Machine::Relay => Box::new(RelayServer(self.relay(budget))),
            Machine::Session => Box::new(SessionServer::new(self, self.relay(budget))),
        };
        match self.flaw {
            None => server,
            Some(flaw) => Box::new(Flawed::new(server, flaw)),
        }
    }

    fn relay(&self, budget: &Budget) -> Relay {
        Relay::new(self.options.clone(), budget.clone(), self.source, self.size)
    }

    /// The bound on memory that the relay's documentation gives, for one relay.
    pub fn memory_bound(&self) -> u64 {
        self.options.most(self.budget)
    }

    /// As one line that [`Self::parse`] reads.
    pub fn to_line(&self) -> String {
        let machine = match self.machine {
            Machine::Relay => "relay",
            Machine::Session => "session",
        };
        let source = if self.source == Source::Once { "once" } else { "seekable" };
        let straggler = if self.options.straggler == Straggler::Drop { "drop" } else { "wait" };
        let size = self.size.map_or("unknown".into(), |size| size.to_string());
        let Options { window, chunk_max, floor, lanes, patience, silence, .. } = self.options;
        format!(
            "{machine} {source} {size} {window} {chunk_max} {floor} {lanes} {} {} {straggler} {}",
            patience.as_micros(),
            silence.as_micros(),
            self.budget
        )
    }

    /// Reads [`Self::to_line`].
    pub fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize| words.get(index)?.parse::<u64>().ok();
        let time = |index: usize| number(index).map(std::time::Duration::from_micros);
        Some(Self {
            machine: match *words.first()? {
                "relay" => Machine::Relay,
                "session" => Machine::Session,
                _ => return None,
            },
            source: if *words.get(1)? == "once" { Source::Once } else { Source::Seekable },
            size: number(2),
            options: Options {
                window: number(3)?,
                chunk_max: number(4)?,
                floor: number(5)?,
                lanes: usize::try_from(number(6)?).ok()?,
                patience: time(7)?,
                silence: time(8)?,
                straggler: if *words.get(9)? == "drop" { Straggler::Drop } else { Straggler::Wait },
            },
            budget: number(10)?,
            flaw: None,
        })
    }
}

struct RelayServer(Relay);

impl Server for RelayServer {
    fn handle(&mut self, now: Moment, event: Event) -> Result<(), ErrorCode> {
        let input = match event {
            Event::SourceUp => Input::SourceUp,
            Event::SourceDown => Input::SourceDown,
            Event::Size(size) => Input::Size(size),
            Event::Chunk { lane, offset, len, quality } => {
                let (bytes, digest) = Event::payload(offset, len, quality);
                Input::Chunk { lane, offset, bytes, digest }
            }
            Event::SinkUp(sink) | Event::Download { sink, .. } => Input::SinkUp(SinkId(sink)),
            Event::Pull { sink, lane, from, limit } => Input::Pull { sink: SinkId(sink), lane, from, limit },
            Event::Busy { sink, offset } => Input::SinkBusy { sink: SinkId(sink), offset },
            Event::Ready(sink) => Input::SinkReady(SinkId(sink)),
            Event::SinkAway(sink) => Input::SinkAway(SinkId(sink)),
            Event::Done(sink) | Event::Cancel(Who::Sink(sink)) => Input::SinkGone(SinkId(sink)),
            Event::Pause(Who::Sender) => Input::Hold,
            Event::Resume(Who::Sender) => Input::Release,
            Event::Pause(Who::Sink(sink)) => Input::HoldSink(SinkId(sink)),
            Event::Resume(Who::Sink(sink)) => Input::ReleaseSink(SinkId(sink)),
            Event::Tick => Input::Tick,
            // The relay knows nothing of people.
            Event::Accept(_) | Event::Reject(_) | Event::Cancel(Who::Sender) | Event::SourceFail => {
                return Ok(());
            }
        };
        self.0.handle(now, input)
    }

    fn poll(&mut self) -> Option<Effect> {
        Some(match self.0.poll_output()? {
            Output::Pull { lane, from, limit } => Effect::Ask { lane, from, limit },
            Output::Stop { lane } => Effect::Stop { lane },
            Output::Chunk { sink, lane, offset, bytes, digest } => {
                Effect::Send { sink: sink.0, lane, offset, bytes, digest }
            }
            Output::SinkEnded { sink, error } => Effect::Close { sink: sink.0, error },
        })
    }

    fn timeout(&self) -> Option<Moment> {
        self.0.poll_timeout()
    }
}
