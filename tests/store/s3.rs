//! A real S3-compatible server of a test's own: moto, on a free port, which forgets everything when it ends.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use roomdrop::store::Place;

use crate::Shelf;

pub(crate) struct Server {
    process: Child,
    url: String,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let mut process = Command::new(program())
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("moto_server is installed into .venv: the Makefile does it");
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("Running on ").map(|(_, url)| url.trim().to_owned()))
            .expect("moto_server says where it is");
        // Its log is read to its end, or it would stop when nobody does.
        std::thread::spawn(move || lines.for_each(drop));
        let server = Self { process, url };
        let made = reqwest_put(&format!("{}/bucket", server.url)).await;
        assert!(made, "the bucket is made");
        server
    }

    pub(crate) fn shelf(&self) -> Shelf {
        let environment = [
            ("AWS_ENDPOINT_URL", self.url.as_str()),
            ("AWS_ACCESS_KEY_ID", "tester"),
            ("AWS_SECRET_ACCESS_KEY", "nobody asks"),
            ("AWS_REGION", "us-east-1"),
        ];
        Shelf {
            place: Place::S3 { bucket: "bucket".to_owned(), prefix: "some/prefix".to_owned() },
            environment: environment.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn reqwest_put(url: &str) -> bool {
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new().put(url).send().await.unwrap().status().is_success()
}

fn program() -> std::path::PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/moto_server");
    if own.exists() { own } else { "moto_server".into() }
}
