//! What hooks promise, with real programs and real connections.

use std::path::Path;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::verdict::Verdict;
use super::*;
use crate::protocol::rooms::{OfferedDrop, Receiver};
use crate::protocol::{DropId, ErrorCode, FileName, MediaType, MemberId, ReceiverState, RoomId, TransferId};

fn options(way: Way) -> Options {
    Options {
        on: vec![Kind::Offered, Kind::Complete, Kind::Failed, Kind::Stored],
        way,
        part: Part::Listener,
        content: Content::Described,
        timeout: Duration::from_secs(20),
        lifetime: Duration::ZERO,
        queue: 1 << 20,
        concurrent: 2,
    }
}

fn shell(script: &str) -> Way {
    Way::Command { program: "sh".to_owned(), arguments: ["-c", script].map(str::to_owned).to_vec() }
}

fn judge(way: Way, on_error: OnError) -> Options {
    Options { part: Part::Judge { on_error }, ..options(way) }
}

fn facts() -> FileFacts {
    FileFacts {
        room: RoomId::new("otter").unwrap(),
        drop: DropId::from_random(1),
        transfer: TransferId::from_random(2),
        from: MemberId::of(&RoomId::new("otter").unwrap(), &crate::protocol::Secret::from_random(3)),
        name: FileName::new("holiday.mp4").unwrap(),
        path: None,
        size: Some(5),
        media_type: MediaType::unknown(),
        modified: None,
        digest: None,
    }
}

fn finish(done: usize) -> Finish {
    let FileFacts { from, .. } = facts();
    let receiver = |state| Receiver { member: from.clone(), state, received: 5 };
    let states = (0..3).map(|n| if n < done { ReceiverState::Complete } else { ReceiverState::Invited });
    Finish { file: facts(), sent: 5, receivers: states.map(receiver).collect(), error: None }
}

fn offer() -> Event {
    let FileFacts { room, drop, from, .. } = facts();
    let from_name = crate::protocol::DisplayName::new("Ada").unwrap();
    let drop = OfferedDrop { room, drop, from, from_name, at: 1, keep: false, note: None, transfers: vec![] };
    Event::offered(&Offering { drop: &drop, to: None })
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Waits until something is so.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "waited for {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// A receiver on a free port: what comes is handed on, and answered with `status` and `body`.
async fn receiver(
    status: StatusCode,
    body: &'static str,
) -> (String, mpsc::UnboundedReceiver<(HeaderMap, String)>) {
    let (to, came) = mpsc::unbounded_channel();
    let take = move |headers: HeaderMap, said: String| {
        to.send((headers, said)).unwrap();
        std::future::ready((status, [("location", "/elsewhere")], body))
    };
    let router = Router::new().route("/hook", post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    (url, came)
}

#[test]
fn a_body_says_what_happened_in_the_words_of_the_protocol() {
    let body: Value = serde_json::from_slice(Event::complete(&finish(2)).body()).unwrap();
    assert_eq!(body["type"], "complete");
    assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));
    let data = &body["data"];
    assert_eq!(
        (&data["room"], &data["name"], &data["size"]),
        (&json!("otter"), &json!("holiday.mp4"), &json!(5))
    );
    assert_eq!((&data["type"], &data["sent"]), (&json!("application/octet-stream"), &json!(5)));
    assert_eq!(data["receivers"][0]["state"], "complete");
    let body: Value = serde_json::from_slice(offer().body()).unwrap();
    assert_eq!((&body["type"], &body["data"]["fromName"]), (&json!("offered"), &json!("Ada")));
    assert!(body["data"].get("to").is_none());
}

#[test]
fn the_same_event_has_the_same_id_wherever_it_is_told() {
    assert_eq!(Event::complete(&finish(1)).id(), Event::complete(&finish(1)).id());
    assert_ne!(
        Event::complete(&finish(1)).id(),
        Event::complete(&finish(2)).id(),
        "a late receiver has it too"
    );
    assert_ne!(Event::complete(&finish(1)).id(), Event::failed(&finish(1)).id());
}

#[tokio::test]
async fn a_post_is_signed_and_says_who_it_is() {
    let (url, mut came) = receiver(StatusCode::NO_CONTENT, "").await;
    let hooks = Hooks::start(&[options(Way::Post { url, key: Some(Key::new(vec![7; 32])) })]).unwrap();
    let event = Event::failed(&finish(0));
    hooks.say(&event);
    let (headers, body) = came.recv().await.unwrap();
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(
        (header("content-type").as_str(), header("webhook-id").as_str()),
        ("application/json", event.id())
    );
    let seconds = header("webhook-timestamp").parse().unwrap();
    let signature = Key::new(vec![7; 32]).sign(event.id(), seconds, body.as_bytes());
    assert_eq!(Some(header("webhook-signature")), signature);
    assert_eq!(body.as_bytes(), event.body());
    hooks.at_rest().await;
    hooks.close().await;
}

#[tokio::test]
async fn a_judge_is_asked_and_its_sentence_is_what_is_heard() {
    for (status, body, heard) in [
        (StatusCode::OK, "", Ok(())),
        (StatusCode::FORBIDDEN, r#"{"msg": "No films."}"#, Err((ErrorCode::NotAllowed, "No films."))),
        (
            StatusCode::FOUND,
            "",
            Err((
                ErrorCode::Overloaded,
                "Offers are checked here, and the check does not answer; try again in a while.",
            )),
        ),
    ] {
        let (url, _came) = receiver(status, body).await;
        let hooks = Hooks::start(&[judge(Way::Post { url, key: None }, OnError::Refuse)]).unwrap();
        assert!(hooks.judge() && !hooks.wants(Kind::Offered) && hooks.wants(Kind::Failed));
        let answer = hooks.ask(&offer()).await;
        let answer = answer.as_ref().map_err(|refusal| (refusal.code, refusal.sentence()));
        assert_eq!(answer.copied(), heard, "{status}");
    }
}

#[tokio::test]
async fn one_judge_that_is_against_it_is_enough_and_all_are_asked_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("met");
    // Each waits until the other was asked too.
    let meet =
        format!("echo x >> {0}; while [ $(wc -l < {0}) -lt 2 ]; do :; done; cat > /dev/null", path.display());
    let yes = judge(shell(&meet), OnError::Refuse);
    let no = judge(shell(&format!("{meet}; echo 'Not today.'; exit 1")), OnError::Allow);
    let refusal = Hooks::start(&[yes, no]).unwrap().ask(&offer()).await.unwrap_err();
    assert_eq!((refusal.code, refusal.sentence()), (ErrorCode::NotAllowed, "Not today."));
}

#[tokio::test]
async fn a_judge_that_does_not_answer_stands_for_what_the_operator_said() {
    for way in [
        shell("exit 2"),
        shell("kill -9 $$"),
        Way::Command { program: "/nowhere/check".to_owned(), arguments: vec![] },
        Way::Post { url: "http://127.0.0.1:1/".to_owned(), key: None },
    ] {
        for (on_error, code) in [(OnError::Allow, None), (OnError::Refuse, Some(ErrorCode::Overloaded))] {
            let hooks = Hooks::start(&[judge(way.clone(), on_error)]).unwrap();
            assert_eq!(hooks.ask(&offer()).await.err().map(|refusal| refusal.code), code, "{way:?}");
        }
    }
}

#[tokio::test]
async fn a_command_gets_the_event_and_no_shell_reads_anything() {
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        ["-c", "printf '%s' \"$1\" > \"$2/argument\"; cat > \"$2/event\"", "sh", "$(touch /tmp/x); a b"];
    let arguments = arguments.iter().map(|text| (*text).to_owned());
    let arguments = arguments.chain([folder.path().display().to_string()]).collect();
    let hooks = Hooks::start(&[options(Way::Command { program: "sh".to_owned(), arguments })]).unwrap();
    let event = Event::failed(&finish(0));
    hooks.say(&event);
    hooks.at_rest().await;
    assert_eq!(read(&folder.path().join("argument")), "$(touch /tmp/x); a b");
    assert_eq!(read(&folder.path().join("event")).as_bytes(), event.body());
}

#[tokio::test]
async fn a_command_that_reads_nothing_or_says_much_is_waited_for_and_no_more() {
    let mut large = finish(0);
    large.receivers = vec![large.receivers[0].clone(); 20_000];
    let event = Event::failed(&large);
    assert!(event.body().len() > 1 << 20);
    for script in ["exit 0", "head -c 1000000 /dev/zero; cat > /dev/null"] {
        let command = command::Command::new("sh", &["-c".to_owned(), script.to_owned()]);
        assert_eq!(command.tell(&event).await, Verdict::Taken, "{script}");
    }
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_killed_with_what_it_has_started() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pids");
    let script =
        format!("sh -c 'echo $$ >> {0}; while :; do :; done' & echo $$ >> {0}; wait", path.display());
    let hurried = Options { timeout: Duration::from_secs(1), ..judge(shell(&script), OnError::Refuse) };
    let hooks = Hooks::start(&[hurried]).unwrap();
    assert!(hooks.ask(&offer()).await.is_err());
    let pids: Vec<String> = read(&path).lines().map(str::to_owned).collect();
    assert_eq!(pids.len(), 2);
    until("the end of both", || pids.iter().all(|pid| !runs(pid))).await;
}

#[tokio::test]
async fn a_node_that_ends_ends_its_commands() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pid");
    let hooks =
        Hooks::start(&[options(shell(&format!("echo $$ > {}; while :; do :; done", path.display())))])
            .unwrap();
    hooks.say(&offer());
    until("the command", || read(&path).ends_with('\n')).await;
    hooks.close().await;
    until("its end", || !runs(read(&path).trim())).await;
}

#[tokio::test]
async fn what_a_command_did_is_not_done_twice_unless_it_asks_for_it() {
    for (code, runs) in [(1, 1), (3, 1), (75, 2)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs");
        // The second time all is well.
        let script = format!("echo x >> {0}; [ $(wc -l < {0}) = 2 ] || exit {code}", path.display());
        let lasting = Options { lifetime: Duration::from_secs(60), ..options(shell(&script)) };
        let hooks = Hooks::start(&[lasting]).unwrap();
        hooks.say(&offer());
        hooks.0.tasks.close();
        hooks.0.tasks.wait().await;
        assert_eq!(read(&path).lines().count(), runs, "exit {code}");
    }
}

#[tokio::test]
async fn what_has_no_place_is_dropped_and_there_is_a_place_again() {
    let small = Options { queue: 2048, ..options(shell("exit 0")) };
    let hook = Hook::new(0, &small, None).unwrap();
    let event = offer();
    assert!(event.body().len() <= 1024);
    let held = [hook.admit(&event).unwrap(), hook.admit(&event).unwrap()];
    assert!(hook.admit(&event).is_none());
    drop(held);
    assert!(hook.admit(&event).is_some());
    let mut large = finish(0);
    large.receivers = vec![large.receivers[0].clone(); 1000];
    assert!(hook.admit(&Event::failed(&large)).is_none(), "larger than the whole queue");
}

#[tokio::test]
async fn a_token_goes_to_none_but_those_who_may_read() {
    let folder = tempfile::tempdir().unwrap();
    let to = |name: &str| shell(&format!("cat > {}", folder.path().join(name).display()));
    let readable = Options { content: Content::Readable, ..options(to("readable")) };
    let hooks = Hooks::start(&[options(to("described")), readable]).unwrap();
    assert!(hooks.wants_content());
    hooks.say_stored(facts(), Some("/transfers/t/content?token=secret".to_owned()));
    hooks.at_rest().await;
    let [described, readable] = ["described", "readable"].map(|name| read(&folder.path().join(name)));
    assert!(described.contains("\"stored\"") && !described.contains("secret"));
    assert!(readable.contains("\"url\":\"/transfers/t/content?token=secret\""));
}

#[tokio::test]
async fn without_hooks_nothing_is_asked_and_nothing_is_said() {
    let hooks = Hooks::none();
    assert!(!hooks.judge() && !hooks.wants(Kind::Offered) && !hooks.wants_content());
    hooks.say(&offer());
    assert!(hooks.ask(&offer()).await.is_ok());
    hooks.at_rest().await;
    hooks.close().await;
}

#[test]
fn a_url_that_cannot_be_called_is_told_by_its_number_and_not_shown() {
    let fine = options(shell("exit 0"));
    let broken = options(Way::Post { url: "s3cret".to_owned(), key: None });
    let error = Hooks::start(&[fine, broken]).unwrap_err().to_string();
    assert!(error.starts_with("hooks.1.url") && !error.contains("s3cret"), "{error}");
}

proptest! {
    #[test]
    fn pauses_grow_with_chance_in_them_and_stay_within_bounds(count in 1..40usize) {
        let hook = Hook::new(0, &options(shell("exit 0")), None).unwrap();
        for (step, pause) in hook.pauses().take(count).enumerate() {
            let least = Duration::from_secs(1 << step.min(8)).min(Duration::from_secs(300));
            let least = if step > 8 { Duration::from_secs(300) } else { least };
            prop_assert!(pause >= least && pause <= 2 * least, "{step}: {pause:?}");
        }
    }
}

fn runs(pid: &str) -> bool {
    // One that was killed and that nobody has asked after yet is a zombie.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
