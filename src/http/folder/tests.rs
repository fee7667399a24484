//! What the served folder promises, by requests to its route.

use std::os::unix::fs::symlink;
use std::time::Duration;

use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::http::content::SANDBOX;

/// A folder with something to serve, beside what must stay out of reach.
struct Served {
    root: tempfile::TempDir,
    router: Router,
}

impl Served {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let inside = root.path().join("served");
        std::fs::create_dir_all(inside.join("a")).unwrap();
        let served = Self { router: routes(Some(Folder::open(&inside).unwrap())), root };
        served.write("served/a/hello.txt", b"hello, world");
        served.write("secret.txt", b"secret");
        served.write("served/.hidden", b"secret");
        served
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        std::fs::write(self.root.path().join(path), bytes).unwrap();
        self.change(path, SystemTime::now() - Duration::from_secs(3600));
    }

    fn change(&self, path: &str, time: SystemTime) {
        let file = std::fs::File::options().write(true).open(self.root.path().join(path)).unwrap();
        file.set_modified(time).unwrap();
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (StatusCode, HeaderMap, Vec<u8>) {
        let mut request = Request::builder().method(method).uri(format!("/download/{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, body.collect().await.unwrap().to_bytes().to_vec())
    }

    async fn get(&self, path: &str) -> (StatusCode, Vec<u8>) {
        let (status, _, body) = self.ask("GET", path, &[]).await;
        (status, body)
    }
}

#[tokio::test]
async fn a_file_comes_whole_in_part_or_described() {
    let served = Served::new();
    let (status, headers, body) = served.ask("GET", "a/hello.txt", &[]).await;
    assert_eq!((status, body.as_slice()), (StatusCode::OK, &b"hello, world"[..]));
    assert_eq!(headers["content-type"], "text/plain");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["accept-ranges"], "bytes");
    assert!(
        headers["content-disposition"].to_str().unwrap().starts_with("attachment; filename=\"hello.txt\"")
    );
    let (status, described, body) = served.ask("HEAD", "a/hello.txt", &[("range", "bytes=1-2")]).await;
    assert_eq!((status, body.len()), (StatusCode::OK, 0));
    assert_eq!(described, headers);
    let (status, headers, body) = served.ask("GET", "a/hello.txt", &[("range", "bytes=7-")]).await;
    assert_eq!((status, body.as_slice()), (StatusCode::PARTIAL_CONTENT, &b"world"[..]));
    assert_eq!(headers["content-range"], "bytes 7-11/12");
    let (status, headers, _) = served.ask("GET", "a/hello.txt", &[("range", "bytes=12-")]).await;
    assert_eq!(
        (status, &headers["content-range"]),
        (StatusCode::RANGE_NOT_SATISFIABLE, &"bytes */12".parse().unwrap())
    );
}

#[tokio::test]
async fn links_within_the_folder_are_followed_and_none_leads_out() {
    let served = Served::new();
    let inside = served.root.path().join("served");
    symlink("a/hello.txt", inside.join("within")).unwrap();
    symlink("../secret.txt", inside.join("up")).unwrap();
    symlink(served.root.path().join("secret.txt"), inside.join("absolute")).unwrap();
    symlink("..", inside.join("parent")).unwrap();
    symlink("/proc/self/cwd", inside.join("magic")).unwrap();
    symlink("loop", inside.join("loop")).unwrap();
    assert_eq!(served.get("within").await.0, StatusCode::OK);
    for path in ["up", "absolute", "parent/secret.txt", "parent/served/a/hello.txt", "magic/Cargo.toml"] {
        assert_eq!(served.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(!served.get("loop").await.0.is_success());
}

#[tokio::test]
async fn what_is_no_file_is_not_there_and_is_not_waited_for() {
    let served = Served::new();
    let pipe = served.root.path().join("served/pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(served.root.path().join("served/socket")).unwrap();
    for path in ["", "a", "a/", "pipe", "socket", ".hidden", "nothing", "a/hello.txt/b", &"x".repeat(5000)] {
        let (status, body) = served.get(path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(!String::from_utf8(body).unwrap().contains("hello"), "{path}");
    }
}

#[tokio::test]
async fn only_kinds_that_run_nothing_are_shown_in_place() {
    let served = Served::new();
    for (name, shown) in
        [("a.png", true), ("a.txt", true), ("a.pdf", true), ("a.html", false), ("a.svg", false)]
    {
        served.write(&format!("served/{name}"), b"<script>");
        let (_, headers, _) = served.ask("GET", &format!("{name}?inline=1"), &[]).await;
        let disposition = headers["content-disposition"].to_str().unwrap();
        assert_eq!(disposition.starts_with("inline"), shown, "{name}: {disposition}");
        assert_eq!(headers["content-security-policy"], SANDBOX);
    }
}

#[tokio::test]
async fn what_the_client_holds_is_not_sent_again_until_it_changes() {
    let served = Served::new();
    let (_, headers, _) = served.ask("GET", "a/hello.txt", &[]).await;
    let tag = headers["etag"].to_str().unwrap();
    let (status, again, body) = served.ask("GET", "a/hello.txt", &[("if-none-match", tag)]).await;
    assert_eq!((status, body.len(), &again["etag"]), (StatusCode::NOT_MODIFIED, 0, &headers["etag"]));
    let part = [("range", "bytes=0-1"), ("if-range", tag)];
    assert_eq!(served.ask("GET", "a/hello.txt", &part).await.0, StatusCode::PARTIAL_CONTENT);
    served.write("served/a/hello.txt", b"another text");
    served.change("served/a/hello.txt", SystemTime::now() - Duration::from_secs(60));
    assert_eq!(served.ask("GET", "a/hello.txt", &[("if-none-match", tag)]).await.0, StatusCode::OK);
    assert_eq!(served.ask("GET", "a/hello.txt", &part).await.0, StatusCode::OK);
    let matched = [("if-match", tag)];
    assert_eq!(served.ask("GET", "a/hello.txt", &matched).await.0, StatusCode::PRECONDITION_FAILED);
}

#[tokio::test]
async fn a_file_of_any_time_can_be_had() {
    let served = Served::new();
    for time in [
        SystemTime::UNIX_EPOCH - Duration::from_secs(1_000_000_000),
        SystemTime::UNIX_EPOCH,
        SystemTime::now() + Duration::from_secs(1_000_000_000),
    ] {
        served.change("served/a/hello.txt", time);
        assert_eq!(served.get("a/hello.txt").await.0, StatusCode::OK, "{time:?}");
    }
}

#[tokio::test]
async fn the_folder_is_the_one_it_was_when_another_takes_its_place() {
    let served = Served::new();
    let root = served.root.path();
    std::fs::rename(root.join("served"), root.join("before")).unwrap();
    symlink(root, root.join("served")).unwrap();
    assert_eq!(served.get("a/hello.txt").await.0, StatusCode::OK);
    assert_eq!(served.get("secret.txt").await.0, StatusCode::NOT_FOUND);
}

#[test]
fn what_is_no_folder_cannot_be_served() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("file"), b"").unwrap();
    for name in ["file", "nothing"] {
        assert!(Folder::open(&root.path().join(name)).is_err(), "{name}");
    }
}
