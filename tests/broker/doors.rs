//! Passwords, users and TLS: whatever the URL asks for holds for every connection, and what it must not say
//! is not said.

use std::path::Path;
use std::process::Command;

use roomdrop::broker::Broker;
use roomdrop::broker::redis::{Options, Redis, StartError};

use crate::node::{LIFETIME, Member, entries, me, options, room, word};
use crate::port::Port;
use crate::server::Server;

/// Frames, records and logs: whatever has connections of its own.
async fn everything_works(options: &Options) {
    let (a, mut b) = Member::pair(options).await;
    a.broker.post(b.id(), word(1, "hello")).unwrap();
    assert_eq!(b.frame().await.1, word(1, "hello"));
    let (story, _at_a) = a.follow(&room("x"), LIFETIME).await.unwrap();
    let (_, mut at_b) = b.follow(&room("x"), LIFETIME).await.unwrap();
    a.append(&room("x"), story.at.generation, vec!["entry".into()], LIFETIME).await.unwrap();
    assert_eq!(entries(&mut at_b, 1).await, ["entry"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_and_a_database_hold_for_every_connection() {
    let server = Server::start_with(&["--requirepass", "s3cret/"]).await;
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}/3", server.port);
    everything_works(&options(&url("s3cret%2F"), false)).await;
    let mut wrong = Member::start(&options(&url("wrong"), false), "wrong");
    let heard = tokio::time::timeout(std::time::Duration::from_millis(800), wrong.next()).await;
    assert!(heard.is_err() && !wrong.is_there());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_needs_no_more_than_its_own_keys_and_channels() {
    let rights = "~test:* ~{test:* &{test:* +@read +@write +@pubsub +@scripting +@connection +time";
    let rights: Vec<_> = rights.split(' ').collect();
    let users = [&["--user", "drop", "on", ">pass"], &rights[..], &["--user", "default", "off"]].concat();
    let server = Server::start_with(&users).await;
    everything_works(&options(&format!("redis://drop:pass@127.0.0.1:{}", server.port), false)).await;
}

/// The certificates to trust come from the environment, so this runs in a process of its own.
#[test]
fn tls_holds_for_every_connection() {
    let dir = tempfile::tempdir().unwrap();
    certificate(dir.path());
    let inner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "doors::within_tls", "--nocapture"])
        .env("SSL_CERT_FILE", dir.path().join("own.crt"))
        .env("ROOMDROP_TEST_TLS", dir.path())
        .output()
        .unwrap();
    assert!(inner.status.success(), "{}", String::from_utf8_lossy(&inner.stderr));
    assert!(String::from_utf8_lossy(&inner.stdout).contains("everything works within TLS"));
}

/// What [`tls_holds_for_every_connection`] runs; by itself it has nothing to do.
#[test]
fn within_tls() {
    let Some(dir) = std::env::var_os("ROOMDROP_TEST_TLS") else { return };
    let file = |name: &str| Path::new(&dir).join(name).to_str().unwrap().to_owned();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let port = Port::take();
        let tls = port.number.to_string();
        let (certificate, key) = (file("own.crt"), file("own.key"));
        let keys = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-auth-clients", "no"];
        let _server =
            Server::start_with(&[&["--tls-port", &tls, "--requirepass", "pass"], &keys[..]].concat()).await;
        everything_works(&options(&format!("rediss://:pass@localhost:{tls}"), false)).await;
        // A name that the certificate does not have is not trusted.
        let mut other = Member::start(&options(&format!("rediss://:pass@127.0.0.1:{tls}"), false), "other");
        let heard = tokio::time::timeout(std::time::Duration::from_millis(800), other.next()).await;
        assert!(heard.is_err() && !other.is_there());
        println!("everything works within TLS");
    });
}

fn certificate(dir: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "own.key", "-out", "own.crt"])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[tokio::test]
async fn what_cannot_be_a_redis_is_refused_at_the_start() {
    for (url, prefix, error) in [
        ("http://x", "a", StartError::Url),
        ("redis://", "a b", StartError::Prefix),
        ("redis://h", "", StartError::Prefix),
        ("redis://h", "{a}", StartError::Prefix),
        ("rediss://h/#insecure", "a", StartError::Insecure),
        ("redis://u:s3cret@h:port", "a", StartError::Url),
    ] {
        let options = Options { url: url.to_owned(), cluster: false, prefix: prefix.to_owned() };
        assert!(!format!("{options:?}").contains("s3cret"));
        let refused = Redis::start(&options, me("x")).err();
        assert_eq!(refused, Some(error), "{url} {prefix}");
        assert!(!error.to_string().contains("s3cret"));
    }
}
