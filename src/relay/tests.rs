//! Each rule of lanes and credit, one at a time, through the relay's own door.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::protocol::Moment;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const PATIENCE: Duration = Duration::from_secs(2);
const SILENCE: Duration = Duration::from_secs(10);

fn options() -> Options {
    Options {
        window: 8 * MIB,
        chunk_max: 5 * MIB,
        floor: 256 * KIB,
        lanes: 4,
        patience: PATIENCE,
        straggler: Straggler::Wait,
        silence: SILENCE,
    }
}

/// The bytes of every file: each follows from its offset.
fn content(offset: u64, len: u64) -> Bytes {
    static PATTERN: LazyLock<Bytes> = LazyLock::new(|| (0..=250).cycle().take(251 + (16 << 20)).collect());
    let start = (offset % 251) as usize;
    PATTERN.slice(start..start + len as usize)
}

/// A relay, the time, and what it said since it was last asked.
struct Rig {
    relay: Relay,
    budget: Budget,
    now: Moment,
    said: Vec<Output>,
    /// Bytes that the source sent.
    served: u64,
}

impl Rig {
    fn new(options: Options, budget: u64, source: Source, size: Option<u64>) -> Self {
        let budget = Budget::new(budget);
        let relay = Relay::new(options, budget.clone(), source, size);
        Self { relay, budget, now: Moment::from_micros(1), said: Vec::new(), served: 0 }
    }

    /// A file of `size` whose source is connected.
    fn file(size: u64) -> Self {
        let mut rig = Self::new(options(), 512 * MIB, Source::Seekable, Some(size));
        rig.tell(Input::SourceUp);
        rig
    }

    /// A stream of unknown size whose source is connected.
    fn stream(straggler: Straggler) -> Self {
        let options = Options { straggler, ..options() };
        let mut rig = Self::new(options, 512 * MIB, Source::Once, None);
        rig.tell(Input::SourceUp);
        rig
    }

    fn try_tell(&mut self, input: Input) -> Result<(), ErrorCode> {
        let answer = self.relay.handle(self.now, input);
        self.said.extend(std::iter::from_fn(|| self.relay.poll_output()));
        answer
    }

    fn tell(&mut self, input: Input) {
        assert_eq!(self.try_tell(input.clone()), Ok(()), "{input:?}");
    }

    fn pull(&mut self, sink: u64, lane: u64, from: u64, limit: u64) {
        self.tell(Input::Pull { sink: SinkId(sink), lane, from, limit });
    }

    /// A sink comes and asks for all it may.
    fn join(&mut self, sink: u64, from: u64) {
        self.tell(Input::SinkUp(SinkId(sink)));
        self.pull(sink, 1, from, u64::MAX >> 11);
    }

    /// A sink on its first lane holds everything before `from`, and asks for more.
    fn ack(&mut self, sink: u64, from: u64) {
        self.pull(sink, 1, from, u64::MAX >> 11);
    }

    fn try_chunk(&mut self, lane: u64, offset: u64, len: u64) -> Result<(), ErrorCode> {
        self.try_tell(Input::Chunk { lane, offset, bytes: content(offset, len), digest: None })
    }

    fn chunk(&mut self, lane: u64, offset: u64, len: u64) {
        assert_eq!(self.try_chunk(lane, offset, len), Ok(()), "lane {lane}, {len} at {offset}");
    }

    fn take_said(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.said)
    }

    /// The asks since last asked: lane, from, limit.
    fn asks(&mut self) -> Vec<(u64, u64, u64)> {
        let asks = self.take_said().into_iter().filter_map(|output| match output {
            Output::Pull { lane, from, limit } => Some((lane, from, limit)),
            _ => None,
        });
        asks.collect()
    }

    /// What was sent to a sink since last asked, joined: its lane, its offset, its bytes. Panics at a gap.
    fn sent_to(&mut self, to: u64) -> Option<(u64, u64, Vec<u8>)> {
        let mut sent: Option<(u64, u64, Vec<u8>)> = None;
        self.said.retain(|output| match output {
            Output::Chunk { sink, lane, offset, bytes, .. } if *sink == SinkId(to) => {
                let all = sent.get_or_insert((*lane, *offset, Vec::new()));
                assert_eq!((*lane, *offset), (all.0, all.1 + all.2.len() as u64), "a gap");
                all.2.extend_from_slice(bytes);
                false
            }
            _ => true,
        });
        if let Some((_, offset, bytes)) = &sent {
            assert_eq!(*bytes, content(*offset, bytes.len() as u64), "wrong bytes");
        }
        sent
    }

    /// The offset and the length of what was sent to a sink since last asked.
    fn span_to(&mut self, sink: u64) -> Option<(u64, u64)> {
        self.sent_to(sink).map(|(_, offset, bytes)| (offset, bytes.len() as u64))
    }

    /// Lets time pass, ticking when the relay wants it. Panics when it wants it for ever.
    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..100_000 {
            match self.relay.poll_timeout().filter(|at| *at <= until) {
                None => {
                    self.now = until;
                    return;
                }
                Some(at) => {
                    self.now = self.now.max(at);
                    self.tell(Input::Tick);
                }
            }
        }
        panic!("the relay's time never moves on: {:?} at {:?}", self.relay.poll_timeout(), self.now);
    }

    /// The source gives all that it was granted on the lanes it was asked on, in chunks of `len`.
    fn serve(&mut self, lanes: &mut Vec<(u64, u64, u64)>, len: u64) {
        loop {
            for output in
                self.said.extract_if(.., |output| matches!(output, Output::Pull { .. } | Output::Stop { .. }))
            {
                match output {
                    Output::Pull { lane, from, limit } => {
                        match lanes.iter_mut().find(|known| known.0 == lane) {
                            Some(known) => known.2 = limit,
                            None => lanes.push((lane, from, limit)),
                        }
                    }
                    Output::Stop { lane } => lanes.retain(|known| known.0 != lane),
                    _ => {}
                }
            }
            let Some(index) = lanes.iter().position(|(_, next, limit)| next < limit) else { return };
            let (lane, next, limit) = lanes[index];
            let len = len.min(limit - next);
            lanes[index].1 += len;
            self.served += len;
            self.chunk(lane, next, len);
        }
    }
}

#[test]
fn nothing_is_asked_before_a_sink_pulls_and_nothing_beyond_its_limit() {
    let mut rig = Rig::file(100 * MIB);
    assert_eq!(rig.asks(), []);
    rig.tell(Input::SinkUp(SinkId(1)));
    assert_eq!(rig.asks(), []);
    rig.pull(1, 1, 500, 1500);
    assert_eq!(rig.asks(), [(1, 500, 1500)]);
    rig.chunk(1, 500, 1000);
    assert_eq!(rig.span_to(1), Some((500, 1000)));
    assert_eq!(rig.asks(), []);
}

#[test]
fn a_limit_is_capped_at_the_window_and_at_the_size() {
    let mut rig = Rig::file(3000);
    rig.join(1, 1000);
    assert_eq!(rig.asks(), [(1, 1000, 3000)]);
    let small = Options { window: 1000, ..options() };
    let mut rig = Rig::new(small, 512 * MIB, Source::Seekable, None);
    rig.tell(Input::SourceUp);
    rig.join(1, 0);
    let mut lanes = Vec::new();
    for _ in 0..60 {
        rig.serve(&mut lanes, 100);
        rig.wait(Duration::from_secs(1));
    }
    assert_eq!(lanes, [(1, 1000, 1000)]);
    assert_eq!(rig.span_to(1), Some((0, 1000)));
}

#[test]
fn a_chunk_that_is_off_is_refused_and_reaches_nobody() {
    let mut rig = Rig::file(100 * MIB);
    rig.join(1, 0);
    let asks = rig.asks();
    let (lane, _, limit) = asks[0];
    rig.chunk(lane, 0, 1000);
    rig.sent_to(1);
    for (wrong_lane, offset, len, error) in [
        (lane + 1, 1000, 10, ErrorCode::UnexpectedChunk),
        (lane, 0, 1000, ErrorCode::UnexpectedChunk),
        (lane, 999, 10, ErrorCode::UnexpectedChunk),
        (lane, 1000, 0, ErrorCode::UnexpectedChunk),
        (lane, 1000, limit - 1000 + 1, ErrorCode::UnexpectedChunk),
        (lane, 1000, 5 * MIB + 1, ErrorCode::TooLarge),
    ] {
        assert_eq!(rig.try_chunk(wrong_lane, offset, len), Err(error), "{wrong_lane} {offset} {len}");
        assert_eq!(rig.sent_to(1), None, "{wrong_lane} {offset} {len}");
    }
    assert_eq!(rig.take_said(), []);
    rig.chunk(lane, 1000, 10);
    assert_eq!(rig.span_to(1), Some((1000, 10)));
}

#[test]
fn a_chunk_beyond_the_size_that_became_known_is_refused() {
    let mut rig = Rig::new(options(), 512 * MIB, Source::Seekable, None);
    rig.tell(Input::SourceUp);
    rig.join(1, 0);
    rig.chunk(1, 0, 1000);
    rig.tell(Input::Size(1500));
    assert_eq!(rig.try_chunk(1, 1000, 501), Err(ErrorCode::UnexpectedChunk));
    rig.chunk(1, 1000, 500);
    assert_eq!(rig.span_to(1), Some((0, 1500)));
    assert!(rig.relay.has_all());
}

#[test]
fn a_chunk_that_differs_from_its_digest_is_asked_for_again_on_a_new_lane() {
    let mut rig = Rig::file(10_000);
    rig.join(1, 0);
    rig.take_said();
    let digest = Digest::Blake3(*blake3::hash(&content(0, 1000)).as_bytes());
    let wrong = Input::Chunk { lane: 1, offset: 0, bytes: content(1, 1000), digest: Some(digest) };
    assert_eq!(rig.try_tell(wrong), Err(ErrorCode::DigestMismatch));
    assert_eq!(rig.take_said(), [Output::Stop { lane: 1 }, Output::Pull { lane: 2, from: 0, limit: 10_000 }]);
    rig.tell(Input::Chunk { lane: 2, offset: 0, bytes: content(0, 1000), digest: Some(digest) });
    assert_eq!(
        rig.take_said(),
        [Output::Chunk {
            sink: SinkId(1),
            lane: 1,
            offset: 0,
            bytes: content(0, 1000),
            digest: Some(digest)
        }]
    );
}

#[test]
fn a_gap_is_asked_for_again_on_a_new_lane_from_what_is_held() {
    let mut rig = Rig::file(10_000);
    rig.join(1, 0);
    rig.chunk(1, 0, 1000);
    rig.take_said();
    assert_eq!(rig.try_chunk(1, 1001, 10), Err(ErrorCode::UnexpectedChunk));
    assert_eq!(
        rig.take_said(),
        [Output::Stop { lane: 1 }, Output::Pull { lane: 2, from: 1000, limit: 10_000 }]
    );
    assert_eq!(rig.try_chunk(1, 1000, 10), Err(ErrorCode::UnexpectedChunk), "of the old lane");
}

#[test]
fn a_source_that_is_silent_while_it_owes_bytes_is_asked_again_each_time_after_twice_as_long() {
    let mut rig = Rig::file(10_000);
    rig.join(1, 0);
    rig.take_said();
    rig.wait(SILENCE - Duration::from_millis(1));
    assert_eq!(rig.asks(), []);
    rig.wait(Duration::from_millis(1));
    assert_eq!(rig.asks(), [(2, 0, 10_000)]);
    rig.wait(SILENCE * 2 - Duration::from_millis(1));
    assert_eq!(rig.asks(), []);
    rig.wait(Duration::from_millis(1));
    assert_eq!(rig.asks(), [(3, 0, 10_000)]);
    rig.chunk(3, 0, 10);
    rig.wait(SILENCE);
    assert_eq!(rig.asks(), [(4, 10, 10_000)]);
}

#[test]
fn one_upload_serves_many_sinks() {
    let mut rig = Rig::file(1000);
    for sink in 1..=3 {
        rig.join(sink, 0);
    }
    assert_eq!(rig.asks(), [(1, 0, 1000)]);
    rig.chunk(1, 0, 1000);
    for sink in 1..=3 {
        assert_eq!(rig.span_to(sink), Some((0, 1000)));
    }
    assert_eq!(rig.relay.sent(), 1000);
}

#[test]
fn a_sink_that_comes_within_the_keep_rides_along_and_one_that_comes_later_gets_a_lane_of_its_own() {
    let mut rig = Rig::file(100 * MIB);
    rig.join(1, 0);
    rig.chunk(1, 0, MIB);
    rig.ack(1, MIB);
    rig.take_said();
    rig.wait(lane::KEEP - Duration::from_millis(1));
    rig.join(2, 0);
    assert_eq!(rig.span_to(2), Some((0, MIB)));
    assert_eq!(rig.asks(), []);
    rig.ack(2, MIB);
    rig.wait(Duration::from_millis(1));
    rig.take_said();
    rig.join(3, 0);
    assert_eq!(rig.span_to(3), None);
    assert!(matches!(rig.asks()[..], [(2, 0, _)]));
}

#[test]
fn a_slow_sink_is_split_off_after_the_patience_and_not_before() {
    let mut rig = Rig::file(100 * MIB);
    let mut lanes = Vec::new();
    rig.join(1, 0);
    rig.join(2, 0);
    let mut held = 0;
    let mut stopped_at = None;
    for _ in 0..400 {
        rig.serve(&mut lanes, 256 * KIB);
        if let Some((offset, len)) = rig.span_to(1) {
            held = offset + len;
        } else {
            stopped_at.get_or_insert(rig.now);
        }
        rig.ack(1, held);
        rig.wait(Duration::from_millis(10));
        if lanes.len() > 1 || lanes.first().is_some_and(|lane| lane.2 > 8 * MIB) {
            break;
        }
    }
    let waited = rig.now.since(stopped_at.unwrap());
    assert!(waited > PATIENCE - Duration::from_millis(500), "{waited:?}");
    assert!(waited < PATIENCE + Duration::from_millis(500), "{waited:?}");
    for _ in 0..1000 {
        rig.serve(&mut lanes, 256 * KIB);
        if let Some((offset, len)) = rig.span_to(1) {
            held = offset + len;
        }
        rig.ack(1, held);
        rig.wait(Duration::from_millis(1));
    }
    assert_eq!(held, 100 * MIB, "the other has all of it although this one holds nothing");
    assert!(rig.budget.used() <= 2 * 8 * MIB);
}

#[test]
fn a_lane_that_has_caught_up_with_another_merges_with_it() {
    let mut rig = Rig::file(100 * MIB);
    rig.join(1, 3 * MIB);
    rig.chunk(1, 3 * MIB, MIB);
    rig.take_said();
    rig.join(2, 2 * MIB);
    let [(second, from, _)] = rig.asks()[..] else { panic!() };
    assert_eq!((second, from), (2, 2 * MIB));
    rig.chunk(2, 2 * MIB, MIB);
    rig.sent_to(2);
    rig.ack(2, 3 * MIB);
    assert_eq!(rig.span_to(2), Some((3 * MIB, MIB)), "what the other lane holds, at once");
    assert!(rig.take_said().contains(&Output::Stop { lane: 2 }));
    assert_eq!(rig.try_chunk(2, 3 * MIB, 10), Err(ErrorCode::UnexpectedChunk));
    rig.chunk(1, 4 * MIB, 1000);
    assert!(rig.sent_to(1).is_some() && rig.sent_to(2).is_some());
}

#[test]
fn lanes_are_bounded_and_one_too_many_shares_the_slowest() {
    let mut rig = Rig::file(100 * MIB);
    for sink in 1..=4 {
        rig.join(sink, sink * 20 * MIB);
    }
    let lanes: Vec<u64> = rig.asks().iter().map(|(lane, ..)| *lane).collect();
    assert_eq!(lanes, [1, 2, 3, 4]);
    rig.join(5, 10 * MIB);
    let said = rig.take_said();
    assert!(said.contains(&Output::Stop { lane: 1 }), "{said:?}");
    assert!(matches!(said[..], [_, Output::Pull { lane: 5, from: 10_485_760, .. }]), "{said:?}");
}

#[test]
fn who_comes_late_and_is_fast_catches_up_and_the_source_sends_the_rest_once() {
    let (size, late) = (256 * MIB, 64 * MIB);
    let mut rig = Rig::file(size);
    rig.join(1, 0);
    let (mut lanes, mut held, mut begins) = (Vec::new(), [0, 0], 0);
    for _ in 0..20_000 {
        rig.serve(&mut lanes, 256 * KIB);
        for (index, sink) in [1, 2].into_iter().enumerate() {
            held[index] = rig.span_to(sink).map_or(held[index], |(offset, len)| offset + len);
            if held[index] > 0 {
                rig.ack(sink, held[index]);
            }
        }
        if begins == 0 && held[0] >= late {
            begins = held[0];
            rig.join(2, 0);
        }
        rig.wait(Duration::from_millis(5));
    }
    assert_eq!(held, [size, size]);
    let served = rig.served;
    assert!(served < size + begins + 16 * MIB, "{served} bytes were sent for {size}, {begins} behind");
}

#[test]
fn a_sink_that_is_stuck_where_no_lane_is_free_gives_up_its_place_until_it_asks_again() {
    let options = Options { lanes: 1, ..options() };
    let mut rig = Rig::new(options, 512 * MIB, Source::Seekable, Some(64 * MIB));
    rig.tell(Input::SourceUp);
    rig.join(1, 0);
    rig.join(2, 0);
    let (mut lanes, mut held) = (Vec::new(), 0);
    for _ in 0..2000 {
        rig.serve(&mut lanes, 256 * KIB);
        held = rig.span_to(1).map_or(held, |(offset, len)| offset + len);
        rig.ack(1, held);
        rig.wait(Duration::from_millis(5));
    }
    assert_eq!(held, 64 * MIB);
    let (_, _, bytes) = rig.sent_to(2).unwrap();
    let had = bytes.len() as u64;
    rig.ack(2, had);
    rig.serve(&mut lanes, 256 * KIB);
    assert_eq!(rig.span_to(2).map(|(offset, _)| offset), Some(had));
}

#[test]
fn a_source_that_cannot_go_back_serves_one_lane_and_refuses_those_who_are_late() {
    let mut rig = Rig::stream(Straggler::Wait);
    rig.join(1, 0);
    assert!(rig.relay.can_begin());
    let (mut lanes, mut held) = (Vec::new(), 0);
    while held < 20 * MIB {
        rig.serve(&mut lanes, 256 * KIB);
        held = rig.span_to(1).map_or(held, |(offset, len)| offset + len);
        rig.ack(1, held);
    }
    assert!(!rig.relay.can_begin());
    rig.take_said();
    rig.join(2, 0);
    let closed = Output::SinkEnded { sink: SinkId(2), error: ErrorCode::TransferClosed };
    assert_eq!(rig.take_said(), [closed]);
    assert_eq!(lanes.len(), 1);
}

#[test]
fn on_a_source_that_cannot_go_back_all_wait_for_the_slowest_where_the_policy_is_to_wait() {
    let mut rig = Rig::stream(Straggler::Wait);
    let held = stall_one_of_two(&mut rig);
    assert!(held <= 8 * MIB, "{held}");
    let (_, sent) = rig.span_to(2).unwrap();
    assert!(rig.take_said().is_empty());
    rig.ack(2, sent);
    assert!(!rig.asks().is_empty());
}

#[test]
fn on_a_source_that_cannot_go_back_the_slowest_is_ended_where_the_policy_is_to_drop() {
    let mut rig = Rig::stream(Straggler::Drop);
    let held = stall_one_of_two(&mut rig);
    assert!(held >= 30 * MIB, "{held}");
}

/// Two sinks of a stream, one of which never acknowledges; what the other holds after a while.
fn stall_one_of_two(rig: &mut Rig) -> u64 {
    rig.join(1, 0);
    rig.join(2, 0);
    let (mut lanes, mut held) = (Vec::new(), 0);
    for _ in 0..1000 {
        rig.serve(&mut lanes, 256 * KIB);
        held = rig.span_to(1).map_or(held, |(offset, len)| offset + len);
        rig.ack(1, held);
        rig.wait(Duration::from_millis(10));
        let end = Output::SinkEnded { sink: SinkId(2), error: ErrorCode::TooSlow };
        if rig.said.extract_if(.., |output| *output == end).count() > 0 {
            rig.tell(Input::SinkGone(SinkId(2)));
        }
    }
    held
}

#[test]
fn a_sink_whose_link_is_lost_keeps_its_place_on_the_only_lane_for_a_while() {
    let mut rig = Rig::stream(Straggler::Wait);
    rig.join(1, 0);
    rig.join(2, 0);
    rig.chunk(1, 0, MIB);
    rig.ack(1, MIB);
    rig.take_said();
    rig.tell(Input::SinkAway(SinkId(2)));
    rig.wait(SILENCE - Duration::from_millis(1));
    rig.tell(Input::SinkUp(SinkId(2)));
    rig.pull(2, 1, 1000, MIB);
    assert_eq!(rig.span_to(2), Some((1000, MIB - 1000)));
    rig.tell(Input::SinkAway(SinkId(2)));
    rig.take_said();
    rig.wait(SILENCE);
    let closed = Output::SinkEnded { sink: SinkId(2), error: ErrorCode::TransferClosed };
    assert!(rig.take_said().contains(&closed));
}

#[test]
fn holding_all_and_going_on_loses_and_repeats_nothing() {
    for source in [Source::Seekable, Source::Once] {
        let mut rig = Rig::new(options(), 512 * MIB, source, Some(10_000));
        rig.tell(Input::SourceUp);
        rig.join(1, 0);
        rig.chunk(1, 0, 1000);
        assert_eq!(rig.span_to(1), Some((0, 1000)));
        rig.take_said();
        rig.tell(Input::Hold);
        let stopped = rig.take_said().contains(&Output::Stop { lane: 1 });
        assert_eq!(stopped, source == Source::Seekable);
        let late = rig.try_chunk(1, 1000, 500);
        assert_eq!(late.is_ok(), source == Source::Once, "what cannot be had again is not thrown away");
        rig.ack(1, 500);
        assert_eq!(rig.take_said(), []);
        rig.wait(Duration::from_secs(100));
        assert_eq!(rig.take_said(), []);
        rig.tell(Input::Release);
        match source {
            Source::Seekable => {
                assert_eq!(rig.asks(), [(2, 1000, 10_000)]);
                rig.chunk(2, 1000, 9000);
                assert_eq!(rig.span_to(1), Some((1000, 9000)));
            }
            Source::Once | Source::Upstream => {
                rig.chunk(1, 1500, 8500);
                assert_eq!(rig.span_to(1), Some((1000, 9000)));
            }
        }
    }
}

#[test]
fn what_was_not_handed_out_when_all_were_held_is_sent_when_they_go_on() {
    for (hold, release) in
        [(Input::Hold, Input::Release), (Input::HoldSink(SinkId(1)), Input::ReleaseSink(SinkId(1)))]
    {
        let mut rig = Rig::new(options(), 512 * MIB, Source::Once, Some(10_000));
        rig.tell(Input::SourceUp);
        rig.join(1, 0);
        let chunk = Input::Chunk { lane: 1, offset: 0, bytes: content(0, 1000), digest: None };
        rig.relay.handle(rig.now, chunk).unwrap();
        rig.take_said();
        rig.tell(hold);
        assert_eq!(rig.sent_to(1), None);
        rig.tell(release);
        assert_eq!(rig.span_to(1), Some((0, 1000)));
    }
}

#[test]
fn nobody_is_blamed_for_being_slow_while_the_source_is_away() {
    let mut rig = Rig::stream(Straggler::Drop);
    rig.join(1, 0);
    rig.join(2, 0);
    let mut lanes = Vec::new();
    rig.serve(&mut lanes, 256 * KIB);
    rig.ack(1, 2 * MIB);
    rig.serve(&mut lanes, 256 * KIB);
    rig.wait(Duration::from_secs(1));
    rig.tell(Input::SourceDown);
    rig.wait(Duration::from_secs(100));
    assert!(!rig.said.iter().any(|output| matches!(output, Output::SinkEnded { .. })));
}

#[test]
fn a_lane_whose_slowest_sink_leaves_goes_on_where_the_others_are() {
    let options = Options { lanes: 1, ..options() };
    let mut rig = Rig::new(options, 512 * MIB, Source::Seekable, Some(100 * MIB));
    rig.tell(Input::SourceUp);
    rig.join(1, 50 * MIB);
    rig.join(2, 0);
    assert!(matches!(rig.asks()[..], [(1, ..), (2, 0, _)]), "they share the only lane");
    rig.tell(Input::SinkGone(SinkId(2)));
    assert!(matches!(rig.asks()[..], [(3, 52_428_800, _)]));
}

#[test]
fn holding_one_sink_and_going_on_loses_and_repeats_nothing_and_leaves_the_others_alone() {
    let mut rig = Rig::file(10_000);
    rig.join(1, 0);
    rig.join(2, 0);
    rig.chunk(1, 0, 1000);
    rig.tell(Input::HoldSink(SinkId(1)));
    rig.take_said();
    rig.chunk(1, 1000, 1000);
    assert_eq!(rig.sent_to(1), None);
    assert_eq!(rig.span_to(2), Some((1000, 1000)));
    rig.ack(1, 1000);
    assert_eq!(rig.sent_to(1), None);
    rig.tell(Input::ReleaseSink(SinkId(1)));
    assert_eq!(rig.span_to(1), Some((1000, 1000)));
}

#[test]
fn a_wish_to_wait_outlives_a_lost_link() {
    let mut rig = Rig::file(10_000);
    rig.join(1, 0);
    rig.tell(Input::HoldSink(SinkId(1)));
    rig.tell(Input::SinkAway(SinkId(1)));
    rig.join(1, 0);
    let asks = rig.asks();
    assert_eq!(asks.len(), 1, "before it was held, and not since: {asks:?}");
    rig.tell(Input::ReleaseSink(SinkId(1)));
    assert_eq!(rig.asks(), [(2, 0, 10_000)]);
    rig.tell(Input::SinkAway(SinkId(1)));
    rig.tell(Input::HoldSink(SinkId(1)));
    rig.tell(Input::ReleaseSink(SinkId(1)));
    assert_eq!(rig.asks(), [], "there is no link");
}

#[test]
fn a_sink_that_acknowledges_only_now_and_then_is_never_left_waiting() {
    // Chunks of any size, so that one lies across what is acknowledged; strides up to the whole window.
    for stride in [64 * KIB, 4 * MIB, 5 * MIB, 8 * MIB] {
        for len in [100 * KIB, 700 * KIB, MIB + 12_345, 5 * MIB] {
            let mut rig = Rig::file(60 * MIB);
            rig.join(1, 0);
            let (mut lanes, mut held, mut acked) = (Vec::new(), 0, 0);
            for _ in 0..10_000 {
                rig.serve(&mut lanes, len);
                held = rig.span_to(1).map_or(held, |(offset, len)| offset + len);
                if held >= acked + stride || held == 60 * MIB {
                    acked = held / stride * stride;
                    rig.ack(1, acked);
                } else {
                    rig.wait(Duration::from_millis(100));
                }
                if held == 60 * MIB {
                    break;
                }
            }
            assert_eq!(held, 60 * MIB, "stride {stride}, chunks of {len}");
            let seconds = rig.now.since(Moment::from_micros(0)).as_secs();
            assert!(seconds < 10, "stride {stride}, chunks of {len}: {seconds} s");
        }
    }
}

#[test]
fn a_source_may_run_a_window_ahead_of_sinks_that_take_all_and_acknowledge_each_mebibyte() {
    let mut rig = Rig::file(100 * MIB);
    rig.join(1, 0);
    let (mut lanes, mut acked, mut ahead) = (Vec::new(), 0, 0);
    while acked < 60 * MIB {
        rig.serve(&mut lanes, 256 * KIB);
        ahead = ahead.max(lanes[0].2 - acked);
        let held = rig.span_to(1).map_or(acked, |(offset, len)| offset + len);
        rig.now = rig.now + Duration::from_millis(1);
        // The last of it is still on its way.
        acked = (held - MIB) / MIB * MIB;
        rig.ack(1, acked);
    }
    assert_eq!(ahead, 8 * MIB);
}

#[test]
fn a_stalled_sink_costs_no_more_than_its_window() {
    let mut rig = Rig::file(1000 * MIB);
    rig.join(1, 0);
    let mut lanes = Vec::new();
    for _ in 0..100 {
        rig.serve(&mut lanes, MIB);
        rig.wait(Duration::from_secs(1));
    }
    assert!(rig.span_to(1).unwrap().1 <= 8 * MIB);
    assert!(rig.budget.used() <= 8 * MIB, "{}", rig.budget.used());
    assert_eq!(lanes, [(1, 8 * MIB, 8 * MIB)]);
}

#[test]
fn a_used_up_budget_gives_each_lane_its_floor_and_all_of_it_comes_back() {
    let mut rig = Rig::new(options(), 0, Source::Seekable, Some(100 * MIB));
    rig.tell(Input::SourceUp);
    rig.join(1, 0);
    rig.join(2, 50 * MIB);
    assert_eq!(rig.asks(), [(1, 0, 256 * KIB), (2, 50 * MIB, 50 * MIB + 256 * KIB)]);
    assert_eq!(rig.budget.used(), 512 * KIB);
    rig.wait(Duration::from_secs(1));
    rig.chunk(1, 0, 256 * KIB);
    rig.ack(1, 256 * KIB);
    assert!(rig.asks().contains(&(1, 256 * KIB, 512 * KIB)));
    assert_eq!(rig.budget.used(), 512 * KIB);
    assert_eq!(rig.budget.used(), options().most(0).min(512 * KIB));
    drop(rig.relay);
    assert_eq!(rig.budget.used(), 0);
}

#[test]
fn a_starved_lane_grows_when_the_budget_is_free_again() {
    let budget = Budget::new(MIB);
    let relay = || Relay::new(options(), budget.clone(), Source::Seekable, Some(100 * MIB));
    let rig = |relay| Rig {
        relay,
        budget: budget.clone(),
        now: Moment::from_micros(1),
        said: Vec::new(),
        served: 0,
    };
    let (mut first, mut second) = (rig(relay()), rig(relay()));
    first.tell(Input::SourceUp);
    first.join(1, 0);
    assert_eq!(first.asks(), [(1, 0, MIB)]);
    second.tell(Input::SourceUp);
    second.join(1, 0);
    assert_eq!(second.asks(), [(1, 0, 256 * KIB)]);
    drop(first.relay);
    second.wait(Duration::from_millis(100));
    assert_eq!(second.asks(), [(1, 0, MIB)]);
}

#[test]
fn a_slow_sink_is_split_off_even_while_the_budget_is_used_up() {
    let mut rig = Rig::new(options(), 0, Source::Seekable, Some(10 * MIB));
    rig.tell(Input::SourceUp);
    rig.join(1, 0);
    rig.join(2, 0);
    let (mut lanes, mut held) = (Vec::new(), 0);
    for _ in 0..500 {
        rig.serve(&mut lanes, 64 * KIB);
        held = rig.span_to(1).map_or(held, |(offset, len)| offset + len);
        rig.ack(1, held);
        rig.wait(Duration::from_millis(10));
    }
    assert_eq!(held, 10 * MIB);
}

#[test]
fn a_sink_whose_queue_is_full_gets_the_same_again_when_there_is_room() {
    let mut rig = Rig::file(10_000);
    rig.join(1, 0);
    rig.relay
        .handle(rig.now, Input::Chunk { lane: 1, offset: 0, bytes: content(0, 4000), digest: None })
        .unwrap();
    let Some(Output::Pull { .. }) = rig.said.pop() else { panic!() };
    assert!(matches!(rig.relay.poll_output(), Some(Output::Chunk { offset: 0, .. })));
    rig.tell(Input::SinkBusy { sink: SinkId(1), offset: 0 });
    assert_eq!(rig.sent_to(1), None);
    rig.chunk(1, 4000, 1000);
    assert_eq!(rig.sent_to(1), None);
    rig.tell(Input::SinkReady(SinkId(1)));
    assert_eq!(rig.span_to(1), Some((0, 5000)));
}

#[test]
fn what_waits_behind_a_full_queue_is_not_sent_out_of_order() {
    let mut rig = Rig::file(100 * MIB);
    rig.join(1, 0);
    rig.take_said();
    let one = Input::Chunk { lane: 1, offset: 0, bytes: content(0, 2 * MIB), digest: None };
    rig.relay.handle(rig.now, one).unwrap();
    let mut offsets = Vec::new();
    while let Some(output) = rig.relay.poll_output() {
        if let Output::Chunk { offset, .. } = output {
            if offset > 0 && offsets.len() == 1 {
                rig.relay.handle(rig.now, Input::SinkBusy { sink: SinkId(1), offset }).unwrap();
                offsets.push(offset);
            } else {
                offsets.push(offset);
            }
        }
    }
    assert_eq!(offsets.len(), 2, "{offsets:?}");
    rig.tell(Input::SinkReady(SinkId(1)));
    assert_eq!(rig.span_to(1).map(|(offset, _)| offset), Some(offsets[1]));
}

#[test]
fn repeated_and_late_pulls_do_no_harm() {
    let mut rig = Rig::file(10_000);
    rig.join(1, 0);
    rig.chunk(1, 0, 4000);
    rig.ack(1, 3000);
    rig.take_said();
    rig.pull(1, 1, 3000, 10_000);
    rig.pull(1, 1, 1000, 2000);
    assert_eq!(rig.take_said(), []);
    assert_eq!(rig.relay.received(SinkId(1)), Some(3000));
    rig.pull(1, 5, 2000, 10_000);
    assert_eq!(rig.relay.received(SinkId(1)), Some(2000));
    rig.take_said();
    rig.pull(1, 4, 4000, 10_000);
    rig.pull(1, 1, 4000, 10_000);
    assert_eq!(rig.take_said(), []);
    assert_eq!(rig.relay.received(SinkId(1)), Some(2000));
}

#[test]
fn a_new_lane_begins_where_it_says_and_ends_the_old() {
    let mut rig = Rig::file(10_000);
    rig.join(1, 0);
    rig.chunk(1, 0, 4000);
    rig.take_said();
    rig.pull(1, 2, 1000, 10_000);
    let (lane, offset, bytes) = rig.sent_to(1).unwrap();
    assert_eq!((lane, offset, bytes.len()), (2, 1000, 3000));
    rig.pull(1, 9, 6000, 10_000);
    rig.chunk(2, 6000, 100);
    let (lane, offset, _) = rig.sent_to(1).unwrap();
    assert_eq!((lane, offset), (9, 6000));
}

#[test]
fn after_a_new_link_a_sink_may_count_its_lanes_anew() {
    let mut rig = Rig::file(10_000);
    rig.tell(Input::SinkUp(SinkId(1)));
    rig.pull(1, 7, 0, 10_000);
    rig.chunk(1, 0, 1000);
    rig.tell(Input::SinkUp(SinkId(1)));
    rig.take_said();
    rig.pull(1, 0, 500, 10_000);
    let (lane, offset, bytes) = rig.sent_to(1).unwrap();
    assert_eq!((lane, offset, bytes.len()), (0, 500, 500));
}

#[test]
fn a_pull_that_comes_late_from_a_lost_link_starts_nothing() {
    let mut rig = Rig::file(10_000);
    rig.join(1, 0);
    rig.tell(Input::SinkAway(SinkId(1)));
    rig.take_said();
    rig.ack(1, 0);
    rig.pull(1, 2, 0, 10_000);
    assert_eq!(rig.take_said(), []);
}

#[test]
fn a_pull_that_makes_no_sense_is_refused_and_changes_nothing() {
    let mut rig = Rig::file(10_000);
    rig.join(1, 0);
    rig.chunk(1, 0, 1000);
    rig.take_said();
    for (lane, from, limit) in [(1, 5, 4), (1, 1001, 2000), (2, 10_001, 10_002), (2, 7, 6)] {
        let pull = Input::Pull { sink: SinkId(1), lane, from, limit };
        assert_eq!(rig.try_tell(pull), Err(ErrorCode::BadRequest), "{lane} {from} {limit}");
    }
    let stranger = Input::Pull { sink: SinkId(9), lane: 1, from: 0, limit: 1 };
    assert_eq!(rig.try_tell(stranger), Err(ErrorCode::NotAllowed));
    assert_eq!(rig.take_said(), []);
    assert_eq!(rig.relay.received(SinkId(1)), Some(0));
}

#[test]
fn a_size_that_contradicts_what_is_known_is_refused() {
    let mut rig = Rig::stream(Straggler::Wait);
    rig.join(1, 0);
    rig.chunk(1, 0, 1000);
    assert_eq!(rig.try_tell(Input::Size(999)), Err(ErrorCode::BadRequest));
    rig.tell(Input::Size(1000));
    rig.tell(Input::Size(1000));
    assert_eq!(rig.try_tell(Input::Size(1001)), Err(ErrorCode::BadRequest));
    rig.ack(1, 1000);
    rig.take_said();
    rig.wait(Duration::from_secs(1000));
    assert_eq!(rig.take_said(), [], "nothing is owed");
}

#[test]
fn an_empty_file_asks_for_nothing() {
    for source in [Source::Seekable, Source::Once] {
        let mut rig = Rig::new(options(), 512 * MIB, source, Some(0));
        rig.tell(Input::SourceUp);
        rig.join(1, 0);
        rig.pull(1, 2, 0, 0);
        rig.wait(Duration::from_secs(1000));
        assert_eq!(rig.take_said(), []);
        assert!(rig.relay.has_all());
    }
    let mut rig = Rig::stream(Straggler::Wait);
    rig.join(1, 0);
    rig.tell(Input::Size(0));
    assert!(rig.relay.has_all());
    assert_eq!(rig.budget.used(), 0);
}

#[test]
fn a_source_that_is_back_is_asked_for_what_is_missing_under_new_numbers() {
    let mut rig = Rig::file(10_000);
    rig.join(1, 0);
    rig.chunk(1, 0, 1000);
    rig.take_said();
    rig.tell(Input::SourceDown);
    assert_eq!(rig.try_chunk(1, 1000, 10), Err(ErrorCode::UnexpectedChunk));
    rig.ack(1, 700);
    rig.wait(Duration::from_secs(100));
    assert_eq!(rig.take_said(), []);
    rig.tell(Input::SourceUp);
    assert_eq!(rig.asks(), [(2, 1000, 10_000)]);
    rig.tell(Input::SourceUp);
    assert_eq!(rig.asks(), [(3, 1000, 10_000)], "a newcomer wins at once");
}

#[test]
fn a_range_that_is_done_holds_nobody_back() {
    let mut rig = Rig::file(100 * MIB);
    rig.tell(Input::SinkUp(SinkId(1)));
    rig.pull(1, 1, 0, 1000);
    rig.join(2, 0);
    let mut lanes = Vec::new();
    let mut held = 0;
    rig.serve(&mut lanes, MIB);
    rig.pull(1, 1, 1000, 1000);
    while held < 100 * MIB {
        rig.serve(&mut lanes, MIB);
        held = rig.span_to(2).map(|(offset, len)| offset + len).expect("it goes on without a pause");
        rig.ack(2, held);
    }
    assert_eq!(rig.span_to(1), Some((0, 1000)));
}

#[test]
fn what_is_over_holds_nothing_and_says_nothing() {
    let mut rig = Rig::stream(Straggler::Wait);
    rig.join(1, 0);
    rig.chunk(1, 0, MIB);
    rig.take_said();
    rig.tell(Input::End);
    assert_eq!(rig.budget.used(), 0);
    assert_eq!(rig.try_chunk(1, MIB, 10), Err(ErrorCode::UnexpectedChunk));
    rig.wait(Duration::from_secs(1000));
    assert_eq!(rig.take_said(), []);
}

#[test]
fn time_always_moves_on() {
    // With everything going on that has a deadline, `wait` panics when a deadline stays in the past.
    let options = Options { lanes: 2, straggler: Straggler::Drop, ..options() };
    for source in [Source::Seekable, Source::Once] {
        for budget in [0, 512 * MIB] {
            let mut rig = Rig::new(options.clone(), budget, source, None);
            rig.tell(Input::SourceUp);
            for sink in 1..=5 {
                rig.join(sink, 0);
            }
            let mut lanes = Vec::new();
            rig.serve(&mut lanes, 100 * KIB);
            rig.ack(1, MIB.min(rig.relay.sent()));
            rig.tell(Input::SinkAway(SinkId(2)));
            rig.wait(Duration::from_secs(3));
            rig.tell(Input::HoldSink(SinkId(3)));
            rig.tell(Input::SourceDown);
            rig.wait(Duration::from_secs(500));
            rig.tell(Input::SourceUp);
            for sink in 1..=5 {
                rig.wait(Duration::from_secs(500));
                rig.tell(Input::SinkGone(SinkId(sink)));
            }
            rig.wait(Duration::from_secs(500));
        }
    }
}
