//! The session as a server of the simulator: sinks get members' names, and the numbers that the session
//! gives them are kept apart from the simulator's.

use std::collections::HashMap;
use std::time::Duration;

use roomdrop::hub::session::{Input, Output, Reply, Session, Sharing, SinkKind};
use roomdrop::protocol::node::NodeId;
use roomdrop::protocol::{ErrorCode, MemberId, Moment, Party, Secret, TransferId};
use roomdrop::relay::{self, Relay, SinkId};
use roomdrop::transfer::{self, Transfer};

use crate::server::{Server, Setup};
use crate::word::{Effect, Event, Who};

const STALL: Duration = Duration::from_secs(10);
const LIFETIME: Duration = Duration::from_secs(36_000);

pub struct SessionServer {
    session: Session,
    /// The session's number of each sink that is open.
    open: HashMap<u64, (SinkId, SinkKind)>,
    /// Whose each of the session's numbers is, for good.
    whose: HashMap<SinkId, u64>,
}

impl SessionServer {
    pub fn new(setup: &Setup, relay: Relay) -> Self {
        let source = match setup.source {
            relay::Source::Seekable => transfer::Source::Seekable,
            relay::Source::Once | relay::Source::Upstream => transfer::Source::Once,
        };
        let options = transfer::Options { lifetime: LIFETIME, stall_timeout: STALL };
        let (id, sender) = (TransferId::from_random(1), MemberId::from_random(u64::MAX));
        let now = Moment::default();
        let transfer = Transfer::new(now, id, sender, source, setup.size, [].into(), options);
        Self {
            session: Session::new(now, NodeId(1), Sharing::Alone, transfer, relay),
            open: HashMap::new(),
            whose: HashMap::new(),
        }
    }

    fn number(&self, sink: u64) -> Result<SinkId, ErrorCode> {
        self.open.get(&sink).map(|(id, _)| *id).ok_or(ErrorCode::NotAllowed)
    }

    fn open(&mut self, now: Moment, sink: u64, kind: SinkKind) -> Result<(), ErrorCode> {
        let input = Input::OpenSink { member: member(sink), kind };
        if let Reply::Opened(id) = self.session.handle(now, input).map_err(|refusal| refusal.code)? {
            self.open.insert(sink, (id, kind));
            self.whose.insert(id, sink);
        }
        Ok(())
    }

    fn whose(&self, sink: SinkId) -> u64 {
        self.whose.get(&sink).copied().unwrap_or(u64::MAX)
    }
}

fn member(sink: u64) -> MemberId {
    MemberId::from_random(sink)
}

fn party(who: Who) -> Party {
    match who {
        Who::Sender => Party::Sender,
        Who::Sink(sink) => Party::Receiver(member(sink)),
    }
}

/// A word for a state, as it stands on the wire.
fn wire(state: impl serde::Serialize) -> String {
    serde_json::to_value(state).ok().and_then(|value| value.as_str().map(Into::into)).unwrap_or_default()
}

impl Server for SessionServer {
    fn handle(&mut self, now: Moment, event: Event) -> Result<(), ErrorCode> {
        let input = match event {
            Event::SourceUp => Input::SourceOpened,
            Event::SourceDown => Input::SourceLost,
            Event::SourceFail => Input::SourceFailed,
            Event::Size(size) => Input::SourceEnd { size: Some(size), digest: None },
            Event::Chunk { lane, offset, len, quality } => {
                let (bytes, digest) = Event::payload(offset, len, quality);
                Input::Chunk { lane, offset, bytes, digest }
            }
            Event::Accept(sink) => {
                Input::Accept { member: member(sink), token: Secret::from_random(u128::from(sink)) }
            }
            Event::Reject(sink) => Input::Reject { member: member(sink) },
            Event::SinkUp(sink) => return self.open(now, sink, SinkKind::Link),
            Event::Download { sink, from } => return self.open(now, sink, SinkKind::Download { from }),
            Event::Pull { sink, lane, from, limit } => {
                Input::Pull { sink: self.number(sink)?, lane, from, limit }
            }
            Event::Busy { sink, offset } => Input::SinkBusy { sink: self.number(sink)?, offset },
            Event::Ready(sink) => Input::SinkReady(self.number(sink)?),
            Event::SinkAway(sink) => Input::SinkLost(self.number(sink)?),
            Event::Done(sink) => match self.open.get(&sink) {
                Some((id, SinkKind::Download { .. })) => Input::DownloadEnded(*id),
                Some((id, SinkKind::Link)) => Input::SinkDone { sink: *id, digest: None },
                None => return Err(ErrorCode::NotAllowed),
            },
            Event::Pause(who) => Input::Pause(party(who)),
            Event::Resume(who) => Input::Resume(party(who)),
            Event::Cancel(who) => Input::Cancel(party(who)),
            Event::Tick => Input::Tick,
        };
        self.session.handle(now, input).map(drop).map_err(|refusal| refusal.code)
    }

    fn poll(&mut self) -> Option<Effect> {
        loop {
            return Some(match self.session.poll_output()? {
                Output::Pull { lane, from, limit } => Effect::Ask { lane, from, limit },
                Output::Stop { lane } => Effect::Stop { lane },
                Output::Chunk { sink, lane, offset, bytes, digest, .. } => {
                    Effect::Send { sink: self.whose(sink), lane, offset, bytes, digest }
                }
                // Of a lone node, nothing but what was acknowledged.
                Output::Acked { .. }
                | Output::Answered { .. }
                | Output::SourceTaken
                | Output::SourceDropped
                | Output::Send { .. }
                | Output::SendAll(_)
                | Output::Save
                | Output::Look
                | Output::Claim => continue,
                Output::End { size, .. } => Effect::End { size },
                Output::CloseSink { sink, error } => Effect::Close { sink: self.whose(sink), error },
                Output::Ended { error } => Effect::Over { error },
                Output::Gone => Effect::Gone,
                Output::Status(status) => Effect::Status {
                    state: wire(status.state),
                    size: status.size,
                    receivers: (status.receivers.iter())
                        .map(|receiver| {
                            let sink = u64::from_str_radix(receiver.member.as_str(), 16);
                            (sink.unwrap_or(u64::MAX), wire(receiver.state), receiver.received)
                        })
                        .collect(),
                },
            });
        }
    }

    fn timeout(&self) -> Option<Moment> {
        self.session.poll_timeout()
    }

    fn state(&self) -> Option<String> {
        Some(wire(self.session.transfer().state()))
    }
}
