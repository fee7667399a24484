//! Whatever goes wrong, in whatever order: people on three nodes talk, come and go, while the service is cut
//! off, forgets, repeats and denies. In the end all nodes show the same, and nobody missed or heard anything
//! twice.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::people::{GRACE, Person, World, pass};
use super::service::Faults;

#[derive(Debug, Clone)]
enum Step {
    Enter { node: u64 },
    Return { person: usize, node: u64 },
    Leave { person: usize },
    Lose { person: usize },
    Say { person: usize, wait: bool },
    Offer { person: usize },
    Cut { node: u64 },
    Mend { node: u64 },
    HoldForLost { node: u64 },
    Forget,
    Pass { millis: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let (node, person) = (|| 1..=3_u64, || 0..12_usize);
    prop_oneof![
        3 => node().prop_map(|node| Step::Enter { node }),
        2 => (person(), node()).prop_map(|(person, node)| Step::Return { person, node }),
        1 => person().prop_map(|person| Step::Leave { person }),
        1 => person().prop_map(|person| Step::Lose { person }),
        12 => (person(), any::<bool>()).prop_map(|(person, wait)| Step::Say { person, wait }),
        1 => person().prop_map(|person| Step::Offer { person }),
        3 => node().prop_map(|node| Step::Cut { node }),
        4 => node().prop_map(|node| Step::Mend { node }),
        1 => node().prop_map(|node| Step::HoldForLost { node }),
        1 => Just(Step::Forget),
        5 => prop_oneof![0..20_u64, 100..3000_u64, 9000..12_000_u64].prop_map(|millis| Step::Pass { millis }),
    ]
}

const NAMES: [&str; 12] =
    ["ann", "ben", "cat", "dan", "eve", "fay", "gus", "hal", "ida", "jon", "kim", "leo"];

/// How someone is in the room now, and was all the time since it came.
struct Guest {
    person: Person,
    node: u64,
    heard: Vec<String>,
}

async fn evening(faults: Faults, stay: u64, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let world = World::of(3);
    world.service.faults(faults);
    let mut guests: BTreeMap<usize, Guest> = BTreeMap::new();
    let mut said = Vec::new();
    let (mut forgot, mut held_for_lost) = (false, false);
    // Where someone stays all the time, the room does.
    let mut anchors = Vec::new();
    for node in 1..=stay {
        anchors.push(world.enter(node, ["zoe", "zed", "zac"][node as usize - 1]).await);
    }
    for step in steps {
        match step {
            Step::Enter { node } => {
                let free = (0..NAMES.len()).find(|number| !guests.contains_key(number));
                if let Some(number) = free {
                    let person = world.enter(node, NAMES[number]).await;
                    guests.insert(number, Guest { person, node, heard: Vec::new() });
                }
            }
            Step::Return { person, node } => {
                let Some(guest) = guests.remove(&person) else { continue };
                guest.person.lose();
                let key = guest.person.key();
                let again = world.try_enter(node, NAMES[person], key, None).await;
                let again = again.map_err(|why| TestCaseError::fail(why.to_string()))?;
                guests.insert(person, Guest { person: again, node, heard: Vec::new() });
            }
            Step::Leave { person } => {
                if let Some(guest) = guests.remove(&person) {
                    guest.person.leave().await;
                }
            }
            Step::Lose { person } => {
                if let Some(guest) = guests.remove(&person) {
                    guest.person.lose();
                }
            }
            Step::Say { person, wait } => {
                let Some(guest) = guests.get(&person) else { continue };
                let text = format!("{}:{}", guest.person.name, said.len());
                let answer = guest.person.say_later(text.clone());
                if wait {
                    let answer = answer.await.unwrap();
                    answer.map_err(|why| TestCaseError::fail(format!("{text}: {why}")))?;
                }
                said.push(text);
            }
            Step::Offer { person } => {
                if let Some(guest) = guests.get(&person) {
                    let _ = guest.person.offer().await;
                }
            }
            Step::Cut { node } => world.service.cut(node),
            Step::Mend { node } => world.service.mend(node),
            Step::HoldForLost { node } => {
                held_for_lost = true;
                world.hold_for_lost(node);
            }
            Step::Forget => {
                forgot = true;
                world.service.forget();
            }
            Step::Pass { millis } => pass(Duration::from_millis(millis)).await,
        }
    }
    for node in 1..=3 {
        world.service.mend(node);
    }
    pass(3 * GRACE).await;
    let looks = world.looks().await;
    for look in &looks {
        prop_assert_eq!(look, &looks[0]);
    }
    let (members, messages, _) = &looks[0];
    let expected: Vec<_> = {
        let mut names: Vec<_> = guests.keys().map(|number| (NAMES[*number].to_owned(), true)).collect();
        names.extend(anchors.iter().map(|anchor| (anchor.name.to_owned(), true)));
        names.sort();
        names
    };
    prop_assert_eq!(members, &expected);
    let mut distinct = messages.clone();
    distinct.sort();
    distinct.dedup();
    prop_assert_eq!(distinct.len(), messages.len(), "said twice: {:?}", messages);
    if !held_for_lost && stay == 3 {
        for text in &said {
            prop_assert!(messages.contains(text), "{} is lost: {:?}", text, messages);
        }
    }
    if !forgot {
        for guest in guests.values_mut() {
            guest.heard = guest.person.told();
            let texts: Vec<_> = guest.heard.iter().filter(|what| what.contains(':')).collect();
            let mut once = texts.clone();
            once.sort();
            once.dedup();
            prop_assert_eq!(
                once.len(),
                texts.len(),
                "{} on {} heard {:?}",
                guest.person.name,
                guest.node,
                texts
            );
            let known: Vec<_> =
                guest.person.joined.messages.iter().map(|message| &message.text).chain(texts).collect();
            for message in messages {
                prop_assert!(
                    known.contains(&message),
                    "{} on {} missed {}: {:?}",
                    guest.person.name,
                    guest.node,
                    message,
                    guest.heard
                );
            }
        }
    }
    for hub in world.hubs.values() {
        hub.close().await;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_time: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_goes_wrong_all_end_up_in_the_same_room(
        (repeats, denies) in (any::<bool>(), proptest::option::of(2..6_u64)),
        (delay, stay) in (0..30_u64, 1..=3_u64),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let delay = Duration::from_millis(delay);
        let faults = Faults { repeats, denies_every: denies, delay, ..Faults::default() };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(evening(faults, stay, steps))?;
    }
}
