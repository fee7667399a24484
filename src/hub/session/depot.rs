//! The sink that writes the copy which is to be kept, at the home, and what follows from its end. It is no
//! member's: it counts as no receiver, and a home that becomes an edge lets go of it, for the next home to begin
//! anew.

use super::machine::Session;
use super::{Output, Reply};
use crate::protocol::{Digest, ErrorCode, Moment, Refusal};
use crate::relay::{self, SinkId};
use crate::transfer::{self, Copy};

impl Session {
    pub(super) fn open_depot(&mut self, now: Moment) -> Result<Reply, Refusal> {
        self.must_be_home()?;
        if self.transfer.copy() != Copy::Coming || self.transfer.state().is_final() {
            return Err(ErrorCode::TransferClosed.into());
        }
        self.close_depot(now, ErrorCode::TransferClosed);
        let sink = self.new_sink();
        self.relay.handle(now, relay::Input::SinkUp(sink))?;
        self.depot = Some(sink);
        Ok(Reply::Opened(sink))
    }

    /// Its pull came, and was taken by the relay.
    pub(super) fn pull_by_depot(&mut self, now: Moment, sink: SinkId, from: u64) -> Result<Reply, Refusal> {
        let from = self.relay.received(sink).unwrap_or(from);
        self.outputs.push_back(Output::Acked { sink, from });
        self.note_movement();
        self.tell(now, transfer::Input::Moved)?;
        Ok(Reply::Done)
    }

    pub(super) fn close_depot(&mut self, now: Moment, error: ErrorCode) {
        if let Some(sink) = self.depot.take() {
            self.outputs.retain(|output| !matches!(output, Output::Chunk { sink: to, .. } if *to == sink));
            self.steer_relay(now, relay::Input::SinkGone(sink));
            self.outputs.push_back(Output::CloseSink { sink, error });
        }
    }

    /// The copy is whole: from now on any stretch can be had, now or later.
    pub(super) fn learn_kept(
        &mut self,
        now: Moment,
        size: u64,
        digest: Digest,
        until: Moment,
    ) -> Result<(), Refusal> {
        self.must_be_home()?;
        if !self.relay.may_end_at(size) {
            return Err(ErrorCode::DigestMismatch.into());
        }
        self.tell(now, transfer::Input::Kept { size, digest, until })?;
        self.relay.handle(now, relay::Input::Size(size))?;
        self.relay.serve_any_stretch();
        self.close_depot(now, ErrorCode::TransferClosed);
        Ok(())
    }

    /// There is to be no copy, or it is lost.
    pub(super) fn learn_not_kept(&mut self, now: Moment, error: ErrorCode) -> Result<(), Refusal> {
        self.must_be_home()?;
        self.close_depot(now, error);
        self.tell(now, transfer::Input::NotKept(error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::hub::session::{Input, Sharing, SinkKind};
    use crate::protocol::node::NodeId;
    use crate::protocol::{MemberId, Secret, TransferId};
    use crate::relay::{Budget, Relay, Straggler};
    use crate::transfer::{Source, Transfer};

    const NOW: Moment = Moment::from_micros(1_000_000);
    const UNTIL: Moment = Moment::from_micros(2_000_000);

    fn session(source: Source, size: Option<u64>) -> Session {
        let options =
            transfer::Options { lifetime: Duration::from_secs(60), stall_timeout: Duration::from_secs(10) };
        let sender = MemberId::from_random(1);
        let transfer =
            Transfer::new(NOW, TransferId::from_random(1), sender, source, size, [].into(), options);
        let options = relay::Options {
            window: 1000,
            chunk_max: 100,
            floor: 100,
            lanes: 4,
            patience: Duration::from_secs(2),
            straggler: Straggler::Wait,
            silence: Duration::from_secs(10),
        };
        let bytes = match source {
            Source::Seekable => relay::Source::Seekable,
            Source::Once => relay::Source::Once,
        };
        let relay = Relay::new(options, Budget::new(10_000), bytes, size);
        Session::new(NOW, NodeId(1), Sharing::Alone, transfer, relay)
    }

    fn outputs(session: &mut Session) -> Vec<Output> {
        std::iter::from_fn(|| session.poll_output()).collect()
    }

    fn do_all(session: &mut Session, inputs: impl IntoIterator<Item = Input>) -> Vec<Output> {
        inputs.into_iter().for_each(|input| drop(session.handle(NOW, input).unwrap()));
        outputs(session)
    }

    fn open(session: &mut Session) -> SinkId {
        match session.handle(NOW, Input::OpenDepot) {
            Ok(Reply::Opened(sink)) => sink,
            other => panic!("{other:?}"),
        }
    }

    fn chunk(lane: u64, offset: u64, bytes: &'static [u8]) -> Input {
        Input::Chunk { lane, offset, bytes: Bytes::from_static(bytes), digest: None }
    }

    #[test]
    fn a_copy_is_written_like_any_sink_and_is_no_receiver() {
        let mut session = session(Source::Seekable, Some(4));
        do_all(&mut session, [Input::Keep, Input::SourceOpened]);
        let sink = open(&mut session);
        let pulled = do_all(&mut session, [Input::Pull { sink, lane: 1, from: 0, limit: 4 }]);
        let lane = pulled.iter().find_map(|output| match output {
            Output::Pull { lane, .. } => Some(*lane),
            _ => None,
        });
        let sent = do_all(&mut session, [chunk(lane.unwrap(), 0, b"abcd")]);
        assert!(
            sent.iter()
                .any(|output| matches!(output, Output::Chunk { sink: to, edge: None, .. } if *to == sink))
        );
        assert!(session.describe(NOW).receivers.is_empty());
        let digest = Digest::Md5([1; 16]);
        let over = do_all(&mut session, [Input::Kept { size: 4, digest, until: UNTIL }]);
        assert!(
            over.iter().any(|output| matches!(output, Output::CloseSink { sink: of, .. } if *of == sink))
        );
        assert_eq!(session.transfer().digest(), Some(digest));
    }

    #[test]
    fn a_sink_for_a_copy_opens_while_one_is_wanted_and_only_then() {
        let mut session = session(Source::Seekable, Some(4));
        assert!(session.handle(NOW, Input::OpenDepot).is_err());
        do_all(&mut session, [Input::Keep]);
        let first = open(&mut session);
        let second = open(&mut session);
        assert_ne!(first, second);
        let closed = |output: &Output| matches!(output, Output::CloseSink { sink, .. } if *sink == first);
        assert!(outputs(&mut session).iter().any(closed), "the newer takes the place of the older");
        do_all(&mut session, [Input::NotKept(ErrorCode::StorageFull)]);
        assert!(session.handle(NOW, Input::OpenDepot).is_err());
    }

    #[test]
    fn a_live_stream_that_is_stored_serves_any_stretch() {
        let mut session = session(Source::Once, None);
        do_all(&mut session, [Input::Keep, Input::SourceOpened]);
        let sink = open(&mut session);
        let pulled = do_all(&mut session, [Input::Pull { sink, lane: 1, from: 0, limit: 1000 }]);
        let lane = pulled.iter().find_map(|output| match output {
            Output::Pull { lane, .. } => Some(*lane),
            _ => None,
        });
        let lane = lane.unwrap();
        do_all(&mut session, [chunk(lane, 0, b"abcd"), Input::Pull { sink, lane: 1, from: 4, limit: 1000 }]);
        do_all(&mut session, [chunk(lane, 4, b"efgh"), Input::SourceEnd { size: Some(8), digest: None }]);
        do_all(&mut session, [Input::Pull { sink, lane: 1, from: 8, limit: 8 }]);
        do_all(&mut session, [Input::Kept { size: 8, digest: Digest::Md5([1; 16]), until: UNTIL }]);
        do_all(&mut session, [Input::SourceLost, Input::SourceOpened]);
        // By then nothing of it is held any more.
        let later = NOW + Duration::from_secs(30);
        session.handle(later, Input::Tick).unwrap();
        session.handle(later, Input::Tick).unwrap();
        let (member, token) = (MemberId::from_random(2), Secret::from_random(3));
        do_all(&mut session, [Input::Accept { member: member.clone(), token }]);
        let open = Input::OpenSink { member, kind: SinkKind::Download { from: 2 } };
        let Ok(Reply::Opened(late)) = session.handle(NOW, open) else { panic!() };
        let asked = do_all(&mut session, [Input::Pull { sink: late, lane: 1, from: 2, limit: 5 }]);
        assert!(asked.iter().any(|output| matches!(output, Output::Pull { from: 2, .. })), "{asked:?}");
    }
}
