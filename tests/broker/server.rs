//! A real `redis-server` of a test's own: on a free port, with nothing on disk, that can be killed, started
//! anew and told to misbehave. It ends with the test.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use deadpool_redis::redis;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

use super::port::Port;
use super::wait::{LONG, eventually};

/// What it says, in its folder; shown when a test fails.
const LOG: &str = "redis.log";

/// See the module.
pub(crate) struct Server {
    pub(crate) port: u16,
    /// Its own for as long as it lives, running or not.
    _ports: Vec<Port>,
    arguments: Vec<String>,
    dir: TempDir,
    process: Option<Child>,
}

/// Waits, and checks all the while that something stays so.
pub(crate) async fn stays(what: &str, time: Duration, mut check: impl AsyncFnMut() -> bool) {
    let waiting = async {
        let mut tick = interval(Duration::from_millis(20));
        loop {
            tick.tick().await;
            assert!(check().await, "it did not stay so: {what}");
        }
    };
    let _ = timeout(time, waiting).await;
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(arguments: &[&str]) -> Self {
        Self::start_on(vec![Port::take()], arguments).await
    }

    /// Takes clients on the first of the ports.
    async fn start_on(ports: Vec<Port>, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let (port, dir) = (ports[0].number, tempfile::tempdir().unwrap());
        let mut server = Self { port, _ports: ports, arguments, dir, process: None };
        server.restart();
        server.is_ready().await;
        server
    }

    /// A node of a cluster that has no slots yet.
    pub(crate) async fn start_cluster_node() -> Self {
        // The nodes talk among themselves on a port 10,000 above by default, which must be free too.
        let ports = vec![Port::take(), Port::take()];
        let bus = ports[1].number.to_string();
        Self::start_on(ports, &["--cluster-enabled", "yes", "--cluster-port", &bus]).await
    }

    /// Makes a node of a cluster known to another.
    pub(crate) async fn meet(&self, other: &Self) {
        let bus = other.arguments.last().unwrap();
        self.ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &other.port.to_string(), bus]).await;
    }

    /// Starts it again, with nothing of what it knew.
    pub(crate) fn restart(&mut self) {
        let port = self.port.to_string();
        let process = Command::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--enable-debug-command", "yes", "--dir", self.dir.path().to_str().unwrap()])
            .args(["--logfile", LOG])
            .args(&self.arguments)
            .stdout(Stdio::null())
            .spawn();
        self.process = Some(process.expect("redis-server is installed: the Makefile does it"));
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    async fn is_ready(&self) {
        eventually("redis-server starts", async || {
            let mut connection = self.connect().await.ok()?;
            let answer = redis::cmd("PING").query_async::<redis::Value>(&mut connection).await;
            // One that wants a password is ready too.
            match answer {
                Ok(_) => Some(()),
                Err(error) => (error.code() == Some("NOAUTH")).then_some(()),
            }
        })
        .await;
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    async fn connect(&self) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
        let times = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(LONG))
            .set_response_timeout(Some(LONG));
        redis::Client::open(self.url())?.get_multiplexed_async_connection_with_config(&times).await
    }

    /// Runs a command of an administrator, and does not wait for its answer.
    pub(crate) async fn order(&self, command: &[&str]) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let mut order = redis::cmd(command[0]);
        order.arg(&command[1..]);
        stream.write_all(&order.get_packed_command()).await.unwrap();
        // Held open until Redis has read it.
        tokio::spawn(async move {
            let _ = timeout(LONG, stream.read_u8()).await;
        });
    }

    /// Runs a command whose failing is no matter.
    pub(crate) async fn try_ask(&self, command: &[&str]) {
        let mut connection = self.connect().await.unwrap();
        let mut order = redis::cmd(command[0]);
        order.arg(&command[1..]);
        let _ = order.query_async::<redis::Value>(&mut connection).await;
    }

    pub(crate) async fn ask<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let mut connection = self.connect().await.unwrap();
        let mut order = redis::cmd(command[0]);
        order.arg(&command[1..]);
        order.query_async(&mut connection).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let said = std::fs::read_to_string(self.dir.path().join(LOG)).unwrap_or_default();
            eprintln!("redis-server on port {} said:\n{said}", self.port);
        }
    }
}
