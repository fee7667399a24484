//! Each rule of a transfer's life, by name.

use std::time::Duration;

use super::*;
use crate::protocol::{Moment, ReceiverState, Refusal, TransferId};
use ReceiverState as R;
use TransferState as T;

const STALL: Duration = Duration::from_secs(10);
const LIFETIME: Duration = Duration::from_secs(36_000);
const SECOND: Duration = Duration::from_secs(1);

/// A transfer, its clock, and what it said to do.
struct Rig {
    transfer: Transfer,
    now: Moment,
    expiry: Moment,
}

fn rig(source: Source, size: Option<u64>) -> Rig {
    let now = Moment::from_micros(1_000_000_000);
    let invited = [who("ann"), who("ben")].into();
    let options = Options { lifetime: LIFETIME, stall_timeout: STALL };
    let id = TransferId::from_random(1);
    let transfer = Transfer::new(now, id, who("sender"), source, size, invited, options);
    Rig { transfer, now, expiry: now + LIFETIME }
}

/// A seekable file whose source is open.
fn file() -> Rig {
    let mut rig = rig(Source::Seekable, Some(100));
    rig.ok(Input::SourceOpened);
    rig
}

/// As [`file`], and ann has accepted and opened her sink.
fn under_way() -> Rig {
    let mut rig = file();
    rig.accept("ann");
    rig.open("ann");
    rig
}

/// As [`under_way`], and ann has all.
fn complete() -> Rig {
    let mut rig = under_way();
    rig.done("ann");
    rig
}

fn who(name: &str) -> MemberId {
    MemberId::new(name).unwrap()
}

fn ann() -> Party {
    Party::Receiver(who("ann"))
}

fn md5(byte: u8) -> Digest {
    Digest::Md5([byte; 16])
}

impl Rig {
    fn try_do(&mut self, input: Input) -> Result<(Reply, Vec<Output>), Refusal> {
        let reply = self.transfer.handle(self.now, input);
        let outputs = std::iter::from_fn(|| self.transfer.poll_output()).collect();
        reply.map(|reply| (reply, outputs))
    }

    /// Takes it in; what is to be done.
    #[track_caller]
    fn ok(&mut self, input: Input) -> Vec<Output> {
        let (reply, outputs) = self.try_do(input).unwrap();
        assert!(!matches!(reply, Reply::Failed(_)), "{reply:?}");
        outputs
    }

    #[track_caller]
    fn refused(&mut self, input: Input, code: ErrorCode) {
        let before = self.transfer.clone();
        assert_eq!(self.transfer.handle(self.now, input).unwrap_err().code, code);
        assert_eq!(self.transfer, before, "a refused input changed something");
    }

    #[track_caller]
    fn accept(&mut self, name: &str) -> Secret {
        let bits = name.bytes().fold(1, |bits, byte| (bits << 8) + u128::from(byte));
        let token = Secret::from_random(bits + u128::from(self.now.unix_millis()));
        match self.try_do(Input::Accept { member: who(name), token }) {
            Ok((Reply::Accepted { token }, _)) => token,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn open(&mut self, name: &str) -> Vec<Output> {
        self.ok(Input::SinkOpened { member: who(name) })
    }

    #[track_caller]
    fn done(&mut self, name: &str) -> Vec<Output> {
        self.ok(Input::SinkDone { member: who(name), digest: None })
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    /// Lets time pass, and ticks when it is due.
    fn wait(&mut self, time: Duration) -> Vec<Output> {
        let end = self.now + time;
        let mut outputs = Vec::new();
        let mut ticks = 0;
        while let Some(due) = self.transfer.poll_timeout()
            && due <= end
        {
            ticks += 1;
            assert!(ticks < 9, "ticks that lead nowhere");
            self.now = self.now.max(due);
            outputs.extend(self.ok(Input::Tick));
        }
        self.now = end;
        outputs
    }

    #[track_caller]
    fn is(&self, state: TransferState) {
        assert_eq!(self.transfer.state(), state);
    }

    #[track_caller]
    fn has(&self, name: &str, state: ReceiverState) {
        let receiver = self.transfer.receivers().find(|(member, _)| **member == who(name));
        assert_eq!(receiver.map(|(_, state)| state), Some(state), "{name}");
    }
}

#[test]
fn it_goes_from_offered_to_complete() {
    let mut rig = rig(Source::Seekable, Some(100));
    rig.is(T::Offered);
    rig.has("ann", R::Invited);
    assert_eq!(rig.ok(Input::SourceOpened), []);
    let token = rig.accept("ann");
    rig.is(T::Active);
    rig.has("ann", R::Accepted);
    assert_eq!(rig.transfer.member_of_token(&token), Some(&who("ann")));
    assert_eq!(rig.transfer.token_of(&who("ann")), Some(&token));
    rig.open("ann");
    rig.has("ann", R::Accepted);
    assert_eq!(rig.ok(Input::Received { member: who("ann") }), [Output::Status]);
    rig.has("ann", R::Receiving);
    assert_eq!(rig.ok(Input::Received { member: who("ann") }), []);
    assert_eq!(rig.done("ann"), [Output::Status]);
    rig.has("ann", R::Complete);
    rig.is(T::Complete);
    rig.has("ben", R::Invited);
}

#[test]
fn all_sent_is_not_complete_until_the_receiver_says_so() {
    let mut rig = under_way();
    rig.ok(Input::Received { member: who("ann") });
    rig.ok(Input::SourceLost { given: Given::All });
    rig.is(T::Suspended);
    rig.done("ann");
    rig.is(T::Complete);
}

#[test]
fn complete_waits_for_everyone_who_is_owed() {
    let mut rig = under_way();
    rig.accept("ben");
    rig.done("ann");
    rig.is(T::Active);
    rig.ok(Input::Cancel(Party::Receiver(who("ben"))));
    rig.is(T::Complete);
}

#[test]
fn a_complete_transfer_takes_late_acceptors_and_is_active_again() {
    let mut rig = complete();
    rig.accept("carol");
    rig.is(T::Active);
    rig.has("carol", R::Accepted);
    rig.has("ann", R::Complete);
    rig.done("carol");
    rig.is(T::Complete);
}

#[test]
fn accepting_twice_gives_the_same_token() {
    let mut rig = file();
    let token = rig.accept("ann");
    rig.pass(SECOND);
    assert_eq!(rig.accept("ann"), token);
    rig.done("ann");
    assert_eq!(rig.accept("ann"), token);
    rig.is(T::Complete);
}

#[test]
fn whoever_said_no_gave_up_or_failed_may_accept_again_with_its_token() {
    let mut rig = file();
    rig.ok(Input::Reject { member: who("ann") });
    rig.has("ann", R::Rejected);
    let token = rig.accept("ann");
    rig.ok(Input::Cancel(ann()));
    rig.has("ann", R::Cancelled);
    assert_eq!(rig.accept("ann"), token);
    rig.ok(Input::SinkEnded { member: who("ann"), error: ErrorCode::TooSlow });
    rig.has("ann", R::Failed);
    assert_eq!(rig.accept("ann"), token);
    rig.has("ann", R::Accepted);
}

#[test]
fn if_all_who_accepted_give_up_it_is_offered_again() {
    let mut rig = under_way();
    assert_eq!(
        rig.ok(Input::Cancel(ann())),
        [Output::Status, Output::CloseSink { member: who("ann"), error: ErrorCode::TransferClosed }]
    );
    rig.is(T::Offered);
}

#[test]
fn to_reject_what_one_had_accepted_is_to_give_up() {
    let mut rig = under_way();
    let outputs = rig.ok(Input::Reject { member: who("ann") });
    assert!(matches!(outputs[..], [Output::Status, Output::CloseSink { .. }]));
    rig.has("ann", R::Cancelled);
    let mut rig = complete();
    assert_eq!(rig.ok(Input::Reject { member: who("ann") }), []);
    rig.has("ann", R::Complete);
}

#[test]
fn the_sender_cannot_accept_its_own() {
    let mut rig = file();
    let token = Secret::from_random(1);
    rig.refused(Input::Accept { member: who("sender"), token }, ErrorCode::NotAllowed);
    rig.refused(Input::Reject { member: who("sender") }, ErrorCode::NotAllowed);
    rig.refused(Input::SinkOpened { member: who("sender") }, ErrorCode::NotAllowed);
}

#[test]
fn the_senders_pause_holds_all_until_it_resumes() {
    let mut rig = under_way();
    assert_eq!(rig.ok(Input::Pause(Party::Sender)), [Output::Status, Output::Hold]);
    rig.is(T::Paused);
    assert!(!rig.transfer.may_send());
    assert_eq!(rig.ok(Input::Pause(Party::Sender)), []);
    assert_eq!(rig.transfer.poll_timeout(), Some(rig.expiry), "a pause must wake nobody");
    assert_eq!(rig.wait(STALL * 3), []);
    rig.is(T::Paused);
    assert_eq!(rig.ok(Input::Resume(Party::Sender)), [Output::Status, Output::Release]);
    assert!(rig.transfer.may_send());
    rig.is(T::Active);
    assert_eq!(rig.ok(Input::Resume(Party::Sender)), []);
}

#[test]
fn a_receivers_pause_holds_its_own_sink_alone() {
    let mut rig = under_way();
    rig.accept("ben");
    assert_eq!(rig.ok(Input::Pause(ann())), [Output::Status, Output::HoldSink { member: who("ann") }]);
    rig.has("ann", R::Paused);
    rig.has("ben", R::Accepted);
    rig.is(T::Active);
    assert_eq!(rig.ok(Input::Pause(ann())), []);
    assert_eq!(rig.ok(Input::Resume(ann())), [Output::Status, Output::ReleaseSink { member: who("ann") }]);
    rig.has("ann", R::Accepted);
}

#[test]
fn a_pause_survives_a_lost_link() {
    let mut rig = under_way();
    rig.ok(Input::Pause(ann()));
    rig.ok(Input::SinkLost { member: who("ann") });
    rig.has("ann", R::Away);
    assert_eq!(rig.open("ann"), [Output::Status, Output::HoldSink { member: who("ann") }]);
    rig.has("ann", R::Paused);
}

#[test]
fn whoever_has_not_accepted_may_not_steer_or_open() {
    let mut rig = file();
    rig.ok(Input::Reject { member: who("ben") });
    for name in ["ann", "ben", "stranger"] {
        let party = Party::Receiver(who(name));
        rig.refused(Input::Pause(party.clone()), ErrorCode::NotAllowed);
        rig.refused(Input::Resume(party.clone()), ErrorCode::NotAllowed);
        rig.refused(Input::Cancel(party), ErrorCode::NotAllowed);
        rig.refused(Input::SinkOpened { member: who(name) }, ErrorCode::NotAllowed);
        rig.refused(Input::SinkDone { member: who(name), digest: None }, ErrorCode::NotAllowed);
    }
    rig.accept("ann");
    rig.ok(Input::Cancel(ann()));
    rig.refused(Input::SinkOpened { member: who("ann") }, ErrorCode::NotAllowed);
    rig.refused(Input::Resume(ann()), ErrorCode::NotAllowed);
}

#[test]
fn to_steer_what_one_has_all_of_does_nothing() {
    let mut rig = complete();
    for input in [Input::Pause(ann()), Input::Resume(ann()), Input::Cancel(ann())] {
        assert_eq!(rig.ok(input), []);
    }
    assert_eq!(rig.open("ann"), []);
    rig.is(T::Complete);
}

#[test]
fn the_senders_cancellation_is_the_end() {
    let mut rig = under_way();
    assert_eq!(
        rig.ok(Input::Cancel(Party::Sender)),
        [Output::Status, Output::Ended { state: T::Cancelled, error: None }]
    );
    rig.is(T::Cancelled);
    rig.has("ann", R::Cancelled);
    rig.has("ben", R::Invited);
    assert!(!rig.transfer.is_owed(&who("ann")));
    assert!(!rig.transfer.may_send());
}

#[test]
fn after_a_final_state_peers_are_refused_and_late_facts_pass() {
    let mut rig = under_way();
    rig.ok(Input::Cancel(Party::Sender));
    for input in [
        Input::SourceOpened,
        Input::SourceEnd { size: None, digest: None },
        Input::SourceFailed,
        Input::Accept { member: who("ben"), token: Secret::from_random(1) },
        Input::Reject { member: who("ben") },
        Input::Pause(Party::Sender),
        Input::Resume(ann()),
        Input::Cancel(Party::Sender),
        Input::SinkOpened { member: who("ann") },
        Input::SinkDone { member: who("ann"), digest: None },
    ] {
        rig.refused(input, ErrorCode::TransferClosed);
    }
    for input in [
        Input::SourceLost { given: Given::Part },
        Input::StartPassed,
        Input::SinkLost { member: who("ann") },
        Input::SinkEnded { member: who("ann"), error: ErrorCode::TooSlow },
        Input::Moved,
        Input::Received { member: who("ann") },
        Input::Tick,
    ] {
        assert_eq!(rig.ok(input), []);
    }
}

#[test]
fn without_a_source_it_is_suspended_and_goes_on_by_itself() {
    let mut rig = rig(Source::Seekable, Some(100));
    rig.accept("ann");
    rig.is(T::Suspended);
    assert_eq!(rig.transfer.poll_timeout(), Some(rig.expiry), "nothing is due without a source");
    assert_eq!(rig.ok(Input::SourceOpened), [Output::Status]);
    rig.is(T::Active);
    assert_eq!(rig.ok(Input::SourceLost { given: Given::Part }), [Output::Status]);
    rig.is(T::Suspended);
    assert_eq!(rig.ok(Input::SourceOpened), [Output::Status]);
    rig.is(T::Active);
}

#[test]
fn a_lost_source_suspends_nothing_that_nobody_is_owed() {
    let mut rig = file();
    assert_eq!(rig.ok(Input::SourceLost { given: Given::Part }), []);
    rig.is(T::Offered);
    let mut rig = complete();
    assert_eq!(rig.ok(Input::SourceLost { given: Given::Part }), []);
    rig.is(T::Complete);
}

#[test]
fn when_nothing_moves_for_the_stall_time_out_it_is_suspended_until_something_does() {
    let mut rig = under_way();
    rig.pass(STALL - SECOND);
    rig.ok(Input::Moved);
    assert_eq!(rig.wait(STALL - SECOND), []);
    rig.is(T::Active);
    assert_eq!(rig.wait(SECOND), [Output::Status]);
    rig.is(T::Suspended);
    assert_eq!(rig.wait(STALL * 9), []);
    assert_eq!(rig.ok(Input::Moved), [Output::Status]);
    rig.is(T::Active);
    assert_eq!(rig.wait(STALL), [Output::Status]);
    rig.ok(Input::Received { member: who("ann") });
    rig.is(T::Active);
}

#[test]
fn a_source_that_takes_anothers_place_ends_a_stall() {
    let mut rig = under_way();
    rig.wait(STALL);
    rig.is(T::Suspended);
    assert_eq!(rig.ok(Input::SourceOpened), [Output::Status]);
    rig.is(T::Active);
}

#[test]
fn whoever_comes_to_want_bytes_ends_a_stall() {
    let mut rig = under_way();
    rig.accept("ben");
    rig.ok(Input::Pause(Party::Receiver(who("ben"))));
    rig.wait(STALL);
    rig.is(T::Suspended);
    rig.ok(Input::Resume(Party::Receiver(who("ben"))));
    rig.is(T::Active);
    rig.wait(STALL);
    rig.is(T::Suspended);
    rig.accept("carol");
    rig.is(T::Active);
}

#[test]
fn a_sink_that_opens_anew_while_bytes_flow_is_receiving_still() {
    let mut rig = under_way();
    rig.ok(Input::Received { member: who("ann") });
    assert_eq!(rig.open("ann"), []);
    rig.has("ann", R::Receiving);
}

#[test]
fn a_source_that_never_opened_cannot_be_lost() {
    let mut rig = rig(Source::Once, None);
    assert_eq!(rig.ok(Input::SourceLost { given: Given::Part }), []);
    rig.is(T::Offered);
    let mut rig = complete();
    rig.ok(Input::SourceFailed);
    rig.ok(Input::SourceLost { given: Given::Part });
    rig.refused(Input::SourceOpened, ErrorCode::TransferClosed);
}

#[test]
fn a_sink_that_is_back_ends_a_stall() {
    let mut rig = under_way();
    rig.ok(Input::SinkLost { member: who("ann") });
    rig.has("ann", R::Away);
    rig.is(T::Active);
    rig.wait(STALL);
    rig.is(T::Suspended);
    assert_eq!(rig.open("ann"), [Output::Status]);
    rig.has("ann", R::Accepted);
    rig.is(T::Active);
}

#[test]
fn receivers_that_all_wish_to_wait_do_not_stall() {
    let mut rig = under_way();
    rig.ok(Input::Pause(ann()));
    assert_eq!(rig.wait(STALL * 9), []);
    rig.is(T::Active);
    rig.accept("ben");
    rig.wait(STALL);
    rig.is(T::Suspended);
    rig.ok(Input::Cancel(Party::Receiver(who("ben"))));
    rig.is(T::Active);
}

#[test]
fn the_time_of_a_pause_does_not_count_as_a_stall() {
    let mut rig = under_way();
    rig.pass(STALL - SECOND);
    rig.ok(Input::Pause(Party::Sender));
    rig.wait(STALL);
    rig.ok(Input::Resume(Party::Sender));
    assert_eq!(rig.wait(STALL - SECOND), []);
    rig.is(T::Active);
}

#[test]
fn a_late_byte_does_not_bring_back_one_that_is_away() {
    let mut rig = under_way();
    rig.ok(Input::SinkLost { member: who("ann") });
    assert_eq!(rig.ok(Input::Received { member: who("ann") }), []);
    rig.has("ann", R::Away);
    rig.wait(STALL);
    rig.ok(Input::Received { member: who("ann") });
    rig.has("ann", R::Away);
}

#[test]
fn a_source_that_cannot_go_back_and_is_lost_before_its_end_fails_at_once() {
    let mut rig = rig(Source::Once, None);
    rig.ok(Input::SourceOpened);
    rig.accept("ann");
    assert_eq!(
        rig.ok(Input::SourceLost { given: Given::Part }),
        [Output::Status, Output::Ended { state: T::Failed, error: Some(ErrorCode::SourceLost) }]
    );
    assert_eq!(rig.transfer.error(), Some(ErrorCode::SourceLost));
    rig.has("ann", R::Failed);
    rig.has("ben", R::Invited);
}

#[test]
fn a_source_that_cannot_go_back_may_go_once_all_its_bytes_were_taken_in() {
    let mut rig = rig(Source::Once, None);
    rig.ok(Input::SourceOpened);
    rig.accept("ann");
    rig.open("ann");
    rig.ok(Input::SourceEnd { size: Some(7), digest: None });
    assert_eq!(rig.ok(Input::SourceLost { given: Given::All }), []);
    rig.is(T::Active);
    rig.done("ann");
    rig.is(T::Complete);
}

#[test]
fn a_source_that_gave_nothing_yet_may_come_back_and_begin() {
    let mut rig = rig(Source::Once, None);
    rig.ok(Input::SourceOpened);
    rig.accept("ann");
    rig.ok(Input::SourceLost { given: Given::Nothing });
    rig.is(T::Suspended);
    rig.ok(Input::SourceOpened);
    rig.is(T::Active);
}

#[test]
fn once_the_start_has_passed_only_those_who_accepted_before_get_it() {
    let mut rig = rig(Source::Once, None);
    rig.ok(Input::SourceOpened);
    rig.accept("ann");
    rig.accept("ben");
    rig.ok(Input::StartPassed);
    rig.ok(Input::StartPassed);
    let token = Secret::from_random(1);
    rig.refused(Input::Accept { member: who("carol"), token }, ErrorCode::TransferClosed);
    rig.accept("ann");
    rig.ok(Input::Cancel(ann()));
    rig.is(T::Active);
    let outputs = rig.ok(Input::Cancel(Party::Receiver(who("ben"))));
    assert_eq!(
        outputs.last(),
        Some(&Output::Ended { state: T::Failed, error: Some(ErrorCode::TransferClosed) })
    );
}

#[test]
fn the_start_of_a_file_never_passes() {
    let mut rig = under_way();
    rig.ok(Input::StartPassed);
    rig.accept("carol");
    rig.is(T::Active);
}

#[test]
fn a_complete_live_stream_takes_no_more() {
    let mut rig = rig(Source::Once, Some(7));
    rig.ok(Input::SourceOpened);
    rig.accept("ann");
    rig.done("ann");
    let token = Secret::from_random(1);
    rig.refused(Input::Accept { member: who("ben"), token }, ErrorCode::TransferClosed);
    rig.ok(Input::SourceLost { given: Given::Part });
    rig.is(T::Complete);
}

#[test]
fn a_source_that_fails_fails_the_transfer() {
    let mut rig = under_way();
    let outputs = rig.ok(Input::SourceFailed);
    assert_eq!(
        outputs,
        [Output::Status, Output::Ended { state: T::Failed, error: Some(ErrorCode::SourceFailed) }]
    );
    rig.has("ann", R::Failed);
}

#[test]
fn a_source_that_fails_when_all_have_it_only_closes_it_to_others() {
    let mut rig = complete();
    assert_eq!(rig.ok(Input::SourceFailed), []);
    rig.is(T::Complete);
    let token = Secret::from_random(1);
    rig.refused(Input::Accept { member: who("ben"), token }, ErrorCode::TransferClosed);
    rig.refused(Input::SourceOpened, ErrorCode::TransferClosed);
}

#[test]
fn the_end_is_told_when_it_is_known_and_when_more_is_known() {
    let mut rig = rig(Source::Seekable, None);
    rig.ok(Input::SourceOpened);
    let digest = Some(md5(1));
    assert_eq!(
        rig.ok(Input::SourceEnd { size: Some(7), digest: None }),
        [Output::Status, Output::End { size: 7, digest: None }]
    );
    assert_eq!(rig.transfer.size(), Some(7));
    assert_eq!(rig.ok(Input::SourceEnd { size: Some(7), digest: None }), []);
    assert_eq!(rig.ok(Input::SourceEnd { size: None, digest }), [Output::End { size: 7, digest }]);
    assert_eq!(rig.ok(Input::SourceEnd { size: Some(7), digest }), []);
    rig.refused(Input::SourceEnd { size: Some(8), digest: None }, ErrorCode::BadRequest);
    rig.refused(Input::SourceEnd { size: None, digest: Some(md5(2)) }, ErrorCode::BadRequest);
}

#[test]
fn the_size_of_a_file_cannot_be_said_otherwise() {
    let mut rig = file();
    rig.refused(Input::SourceEnd { size: Some(99), digest: None }, ErrorCode::BadRequest);
    assert_eq!(rig.ok(Input::SourceEnd { size: Some(100), digest: None }), []);
}

#[test]
fn nobody_is_done_before_the_size_is_known() {
    let mut rig = rig(Source::Once, None);
    rig.ok(Input::SourceOpened);
    rig.accept("ann");
    rig.refused(Input::SinkDone { member: who("ann"), digest: None }, ErrorCode::BadRequest);
    rig.ok(Input::SourceEnd { size: Some(0), digest: None });
    rig.done("ann");
    rig.is(T::Complete);
}

#[test]
fn a_receiver_whose_digest_differs_has_failed_and_may_try_again() {
    let mut rig = under_way();
    rig.ok(Input::SourceEnd { size: None, digest: Some(md5(1)) });
    let (reply, outputs) = rig.try_do(Input::SinkDone { member: who("ann"), digest: Some(md5(2)) }).unwrap();
    assert_eq!(reply, Reply::Failed(ErrorCode::DigestMismatch));
    assert_eq!(
        outputs,
        [Output::Status, Output::CloseSink { member: who("ann"), error: ErrorCode::DigestMismatch }]
    );
    rig.has("ann", R::Failed);
    rig.is(T::Offered);
    rig.accept("ann");
    rig.ok(Input::SinkDone { member: who("ann"), digest: Some(md5(1)) });
    rig.is(T::Complete);
}

#[test]
fn digests_of_two_algorithms_contradict_nothing() {
    let mut rig = under_way();
    rig.ok(Input::SourceEnd { size: None, digest: Some(md5(1)) });
    rig.ok(Input::SinkDone { member: who("ann"), digest: Some(Digest::Blake3([1; 32])) });
    rig.is(T::Complete);
}

#[test]
fn a_source_digest_that_comes_late_fails_those_who_hold_other_bytes() {
    let mut rig = under_way();
    rig.accept("ben");
    rig.ok(Input::SinkDone { member: who("ann"), digest: Some(md5(1)) });
    rig.ok(Input::SinkDone { member: who("ben"), digest: Some(md5(2)) });
    rig.done("ben"); // to say less later takes nothing back
    rig.is(T::Complete);
    assert_eq!(
        rig.ok(Input::SourceEnd { size: None, digest: Some(md5(1)) }),
        [
            Output::Status,
            Output::End { size: 100, digest: Some(md5(1)) },
            Output::CloseSink { member: who("ben"), error: ErrorCode::DigestMismatch }
        ]
    );
    rig.has("ann", R::Complete);
    rig.has("ben", R::Failed);
}

#[test]
fn to_be_done_twice_is_fine() {
    let mut rig = complete();
    assert_eq!(rig.done("ann"), []);
    rig.is(T::Complete);
}

#[test]
fn one_the_relay_cannot_go_on_for_has_failed_and_the_others_go_on() {
    let mut rig = under_way();
    rig.accept("ben");
    let ended = Input::SinkEnded { member: who("ben"), error: ErrorCode::TooSlow };
    assert_eq!(rig.ok(ended.clone()), [Output::Status]);
    rig.has("ben", R::Failed);
    rig.is(T::Active);
    rig.done("ann");
    rig.is(T::Complete);
    assert_eq!(rig.ok(ended), []);
}

#[test]
fn at_the_end_of_its_lifetime_it_fails_as_expired_and_is_remembered_a_while() {
    let mut rig = under_way();
    let outputs = rig.wait(LIFETIME);
    assert_eq!(outputs.last(), Some(&Output::Ended { state: T::Failed, error: Some(ErrorCode::Expired) }));
    assert_eq!(rig.transfer.error(), Some(ErrorCode::Expired));
    assert_eq!(rig.wait(REMEMBERED), [Output::Gone]);
    assert_eq!(rig.transfer.poll_timeout(), None);
    rig.refused(Input::Moved, ErrorCode::TransferNotFound);
    rig.refused(Input::Tick, ErrorCode::TransferNotFound);
    rig.is(T::Failed);
}

#[test]
fn a_complete_one_just_goes_at_the_end_of_its_lifetime() {
    let mut rig = complete();
    assert_eq!(rig.wait(LIFETIME), [Output::Gone]);
    rig.is(T::Complete);
    assert_eq!(rig.transfer.error(), None);
}

#[test]
fn it_is_forgotten_on_demand_only_when_nothing_is_under_way() {
    let mut rig = under_way();
    rig.refused(Input::Forget, ErrorCode::NotAllowed);
    rig.done("ann");
    assert_eq!(rig.ok(Input::Forget), [Output::Gone]);
    let mut rig = under_way();
    rig.ok(Input::Cancel(Party::Sender));
    assert_eq!(rig.ok(Input::Forget), [Output::Gone]);
}

#[test]
fn the_receivers_of_one_transfer_are_bounded() {
    let mut rig = file();
    for n in 0..MAX_RECEIVERS - 2 {
        rig.accept(&format!("m{n}"));
    }
    let token = Secret::from_random(1);
    let more = Input::Accept { member: who("one-more"), token };
    rig.refused(more, ErrorCode::TransferClosed);
    assert_eq!(rig.ok(Input::Reject { member: who("one-more") }), []);
    rig.accept("ann");
    assert_eq!(rig.transfer.receivers().count(), MAX_RECEIVERS);
}

#[test]
fn the_sender_is_never_among_the_receivers() {
    let invited = [who("sender"), who("ann")].into();
    let options = Options { lifetime: LIFETIME, stall_timeout: STALL };
    let (now, id) = (Moment::default(), TransferId::from_random(1));
    let transfer = Transfer::new(now, id, who("sender"), Source::Seekable, None, invited, options);
    assert_eq!(transfer.receivers().count(), 1);
}

const UNTIL: Moment = Moment::from_micros(1_000_000_000 + 100_000 * 1_000_000);

fn kept(size: u64, digest: Digest) -> Input {
    Input::Kept { size, digest, until: UNTIL }
}

#[test]
fn a_copy_that_is_whole_serves_on_when_the_source_is_gone_or_fails() {
    for source in [Source::Seekable, Source::Once] {
        let mut rig = rig(source, Some(100));
        rig.ok(Input::Keep);
        rig.ok(Input::SourceOpened);
        rig.ok(kept(100, md5(1)));
        assert_eq!((rig.transfer.copy(), rig.transfer.digest()), (Copy::Here { until: UNTIL }, Some(md5(1))));
        assert_eq!(rig.transfer.has_copy_alone(), source == Source::Once);
        rig.ok(Input::SourceFailed);
        rig.ok(Input::SourceLost { given: Given::Part });
        rig.accept("ann");
        rig.open("ann");
        assert!(rig.transfer.has_source());
        assert_eq!(rig.transfer.state(), T::Active);
        rig.ok(Input::SourceOpened);
        rig.done("ann");
        rig.accept("ben");
    }
}

#[test]
fn a_program_that_reads_a_copy_is_no_receiver_to_people() {
    let mut rig = rig(Source::Seekable, Some(100));
    rig.ok(Input::Keep);
    rig.ok(Input::SourceOpened);
    rig.ok(kept(100, md5(1)));
    let token = Secret::from_random(77);
    let reader = MemberId::of_reader(&token);
    let accept = Input::Accept { member: reader.clone(), token: token.clone() };
    assert_eq!(rig.ok(accept), [], "nobody is told");
    assert_eq!(rig.transfer.member_of_token(&token), Some(&reader));
    assert_eq!(rig.ok(Input::SinkOpened { member: reader.clone() }), []);
    assert_eq!(rig.ok(Input::Received { member: reader.clone() }), []);
    assert_eq!(rig.transfer.state(), T::Offered);
    assert!(rig.transfer.people().all(|(member, _)| *member != reader));
    rig.accept("ann");
    rig.open("ann");
    rig.done("ann");
    assert_eq!(rig.transfer.state(), T::Complete, "it is not waited for");
    let done = rig.ok(Input::SinkDone { member: reader, digest: None });
    assert_eq!((done, rig.transfer.state()), (vec![], T::Complete));
}

#[test]
fn a_copy_that_is_coming_holds_the_end_of_a_source_that_nobody_took() {
    let mut rig = rig(Source::Once, None);
    rig.ok(Input::SourceOpened);
    rig.ok(Input::Keep);
    rig.ok(Input::StartPassed);
    assert_eq!(rig.transfer.state(), T::Offered);
    rig.ok(Input::SourceEnd { size: Some(7), digest: None });
    rig.ok(Input::SourceLost { given: Given::All });
    assert_eq!(rig.ok(kept(7, md5(1))), [Output::Status, Output::End { size: 7, digest: Some(md5(1)) }]);
    rig.accept("ann");
}

#[test]
fn without_its_copy_a_transfer_is_as_if_nobody_had_asked_for_one() {
    let full = ErrorCode::StorageFull;
    let mut seekable = under_way();
    seekable.ok(Input::Keep);
    assert_eq!(seekable.ok(Input::NotKept(full)), [Output::Status]);
    assert_eq!((seekable.transfer.copy(), seekable.transfer.state()), (Copy::Failed(full), T::Active));
    seekable.accept("ben");

    let mut once = rig(Source::Once, None);
    once.ok(Input::Keep);
    once.ok(Input::SourceOpened);
    once.ok(Input::StartPassed);
    once.ok(Input::NotKept(full));
    assert_eq!(once.transfer.error(), Some(ErrorCode::TransferClosed));
}

#[test]
fn a_copy_that_is_lost_leaves_what_the_sender_has() {
    let lost = ErrorCode::SourceFailed;
    let mut seekable = under_way();
    seekable.ok(kept(100, md5(1)));
    seekable.ok(Input::SourceLost { given: Given::Part });
    seekable.ok(Input::NotKept(lost));
    assert_eq!(seekable.transfer.state(), T::Suspended);
    seekable.ok(Input::SourceOpened);
    assert_eq!(seekable.transfer.state(), T::Active);

    let mut once = rig(Source::Once, None);
    once.ok(Input::SourceOpened);
    once.accept("ann");
    once.ok(kept(100, md5(1)));
    once.ok(Input::NotKept(lost));
    assert_eq!(once.transfer.error(), Some(ErrorCode::SourceLost));
}

#[test]
fn a_copy_of_other_bytes_is_none() {
    let mut rig = under_way();
    rig.ok(Input::SourceEnd { size: Some(100), digest: Some(md5(1)) });
    rig.refused(kept(99, md5(1)), ErrorCode::DigestMismatch);
    rig.refused(kept(100, md5(2)), ErrorCode::DigestMismatch);
    rig.ok(kept(100, Digest::Blake3([7; 32])));
    assert_eq!(rig.transfer.digest(), Some(md5(1)), "what the sender said stands");
}

#[test]
fn a_transfer_lives_as_long_as_its_copy() {
    let mut rig = under_way();
    rig.ok(kept(100, md5(1)));
    rig.done("ann");
    assert_eq!(rig.transfer.poll_timeout(), Some(UNTIL));
    rig.now = UNTIL;
    assert_eq!(rig.ok(Input::Tick), [Output::Gone]);
}
