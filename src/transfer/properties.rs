//! What holds whatever happens: random lives, each word of every party at any moment.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::protocol::{Moment, ReceiverState, TransferId};

fn member() -> impl Strategy<Value = MemberId> {
    prop_oneof![Just("sender"), Just("m1"), Just("m2"), Just("m3"), Just("late")]
        .prop_map(|name| MemberId::new(name).unwrap())
}

fn party() -> impl Strategy<Value = Party> {
    prop_oneof![Just(Party::Sender), member().prop_map(Party::Receiver)]
}

fn digest() -> impl Strategy<Value = Option<Digest>> {
    prop_oneof![
        4 => Just(None),
        1 => (0..2_u8).prop_map(|byte| Some(Digest::Md5([byte; 16]))),
        1 => (0..2_u8).prop_map(|byte| Some(Digest::Blake3([byte; 32]))),
    ]
}

fn error() -> impl Strategy<Value = ErrorCode> {
    prop_oneof![Just(ErrorCode::TooSlow), Just(ErrorCode::TransferClosed)]
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        4 => Just(Input::SourceOpened),
        2 => prop::sample::select(vec![Given::Nothing, Given::Part, Given::All]).prop_map(|given| Input::SourceLost { given }),
        2 => (proptest::option::of(0..3_u64), digest())
            .prop_map(|(size, digest)| Input::SourceEnd { size, digest }),
        1 => Just(Input::StartPassed),
        8 => (member(), any::<u128>())
            .prop_map(|(member, bits)| Input::Accept { member, token: Secret::from_random(bits) }),
        2 => member().prop_map(|member| Input::Reject { member }),
        3 => party().prop_map(Input::Pause),
        3 => party().prop_map(Input::Resume),
        2 => member().prop_map(|member| Input::Cancel(Party::Receiver(member))),
        4 => member().prop_map(|member| Input::SinkOpened { member }),
        2 => member().prop_map(|member| Input::SinkLost { member }),
        6 => (member(), digest()).prop_map(|(member, digest)| Input::SinkDone { member, digest }),
        1 => (member(), error()).prop_map(|(member, error)| Input::SinkEnded { member, error }),
        3 => Just(Input::Moved),
        6 => member().prop_map(|member| Input::Received { member }),
        6 => Just(Input::Tick),
    ]
}

/// The words that end it, rare enough that most lives are long.
fn fatal() -> impl Strategy<Value = Input> {
    prop_oneof![
        Just(Input::SourceFailed),
        Just(Input::Cancel(Party::Sender)),
        Just(Input::Forget),
        Just(Input::SourceLost { given: Given::Part }),
    ]
}

/// Each input with the seconds before it: mostly few, at times beyond every time-out.
fn life() -> impl Strategy<Value = Vec<(u64, Input)>> {
    let seconds = prop_oneof![20 => 0..3_u64, 2 => 9..12_u64, 1 => 300..40_000_u64];
    let input = prop_oneof![40 => input(), 1 => fatal()];
    proptest::collection::vec((seconds, input), 0..80)
}

fn transfer(source: Source, size: Option<u64>) -> Transfer {
    let names = ["m1", "m2", "m3"].map(|name| MemberId::new(name).unwrap());
    Transfer::new(
        Moment::default(),
        TransferId::from_random(1),
        MemberId::new("sender").unwrap(),
        source,
        size,
        names.into(),
        Options { lifetime: Duration::from_secs(36_000), stall_timeout: Duration::from_secs(10) },
    )
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![Just(Source::Seekable), Just(Source::Once)]
}

fn drain(transfer: &mut Transfer) -> Vec<Output> {
    std::iter::from_fn(|| transfer.poll_output()).collect()
}

fn picture(transfer: &Transfer) -> (TransferState, Option<u64>, Vec<ReceiverState>) {
    (transfer.state(), transfer.size(), transfer.receivers().map(|(_, state)| state).collect())
}

/// What must hold of every transfer at every moment.
fn check(transfer: &Transfer) {
    let states: Vec<_> = transfer.receivers().map(|(_, state)| state).collect();
    let owed = states.iter().any(|state| state.is_owed());
    let complete = states.contains(&ReceiverState::Complete);
    let state = transfer.state();
    if state == TransferState::Complete {
        assert!(complete && !owed, "{states:?}");
    }
    if state.is_final() {
        assert!(!owed && !transfer.may_send(), "{states:?}");
    }
    if state == TransferState::Offered {
        assert!(!owed && !complete, "{states:?}");
    }
    if matches!(state, TransferState::Active | TransferState::Suspended) {
        assert!(owed, "{states:?}");
    }
    assert_eq!(transfer.error().is_some(), state == TransferState::Failed);
    for (member, state) in transfer.receivers() {
        assert_ne!(member, transfer.sender());
        assert_eq!(transfer.is_owed(member), state.is_owed());
        if state.is_owed() || state == ReceiverState::Complete {
            let token = transfer.token_of(member).unwrap();
            assert_eq!(transfer.member_of_token(token), Some(member));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whatever_happens_the_rules_hold(
        source in source(),
        size in proptest::option::of(0..3_u64),
        life in life(),
    ) {
        let mut transfer = transfer(source, size);
        let mut now = Moment::default();
        let (mut ended, mut gone) = (0, 0);
        let mut last = None;
        for (seconds, input) in life {
            now = now + Duration::from_secs(seconds);
            let before = transfer.clone();
            let answer = transfer.handle(now, input.clone());
            if answer.is_err() {
                prop_assert_eq!(&transfer, &before, "a refused {:?} changed something", input);
            }
            let outputs = drain(&mut transfer);
            check(&transfer);

            let is_changed = picture(&before) != picture(&transfer);
            prop_assert_eq!(outputs.contains(&Output::Status), is_changed, "{:?}", input);
            if before.state().is_final() {
                prop_assert_eq!(before.state(), transfer.state(), "a final state changed");
                prop_assert_eq!(before.error(), transfer.error());
            }
            prop_assert!(before.size().is_none() || before.size() == transfer.size());
            prop_assert!(before.digest().is_none() || before.digest() == transfer.digest());

            for output in outputs {
                prop_assert_eq!(gone, 0, "{:?} after it was gone", output);
                match output {
                    Output::Ended { state, error } => {
                        ended += 1;
                        prop_assert_eq!((state, error), (transfer.state(), transfer.error()));
                    }
                    Output::Gone => gone += 1,
                    Output::Hold | Output::Release => {
                        prop_assert_ne!(last.replace(output.clone()), Some(output), "said twice");
                    }
                    _ => {}
                }
            }
            prop_assert_eq!(ended, u32::from(transfer.state().is_final()));
            prop_assert!(gone <= 1);
        }
    }

    #[test]
    fn every_tick_at_its_time_brings_it_nearer_to_its_end(
        source in source(),
        size in proptest::option::of(0..3_u64),
        life in life(),
    ) {
        let mut transfer = transfer(source, size);
        let mut now = Moment::default();
        for (seconds, input) in life {
            now = now + Duration::from_secs(seconds);
            let _ = transfer.handle(now, input);
        }
        // From here on nobody says anything: stalled once, ended, gone.
        let mut ticks = 0;
        while let Some(due) = transfer.poll_timeout() {
            now = now.max(due);
            prop_assert!(transfer.handle(now, Input::Tick).is_ok());
            ticks += 1;
            prop_assert!(ticks <= 3, "time-outs that lead nowhere: {:?}", transfer);
        }
        let outputs = drain(&mut transfer);
        prop_assert_eq!(outputs.last(), Some(&Output::Gone));
    }

    #[test]
    fn a_source_and_receivers_that_stay_come_to_the_end(life in life()) {
        let mut transfer = transfer(Source::Seekable, Some(2));
        for (_, input) in life {
            let _ = transfer.handle(Moment::default(), input);
        }
        if transfer.handle(Moment::default(), Input::SourceOpened).is_err() {
            return Ok(()); // it has ended, or its source has failed
        }
        let _ = transfer.handle(Moment::default(), Input::Resume(Party::Sender));
        let owed = transfer.receivers().filter(|(_, state)| state.is_owed());
        for member in owed.map(|(member, _)| member.clone()).collect::<Vec<_>>() {
            let _ = transfer.handle(Moment::default(), Input::SinkOpened { member: member.clone() });
            let _ = transfer.handle(Moment::default(), Input::Resume(Party::Receiver(member.clone())));
            prop_assert_eq!(transfer.state(), TransferState::Active);
            let done = Input::SinkDone { member, digest: transfer.digest() };
            prop_assert_eq!(transfer.handle(Moment::default(), done), Ok(Reply::Done));
        }
        prop_assert!(matches!(transfer.state(), TransferState::Complete | TransferState::Offered));
    }
}
