//! A Redis of the benchmark's own: started on a free port with nothing kept on disk, killed and brought back
//! at will, ended with the value that holds it. And a meter of what one node hears from it.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    Outcome,
    process::{cpu_seconds, free_address},
};

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running `redis-server`.
pub(crate) struct Redis {
    child: Child,
    pub(crate) addr: SocketAddr,
    home: TempDir,
}

impl Redis {
    /// Starts it, and waits until it answers.
    pub(crate) fn start() -> Outcome<Self> {
        let (addr, home) = (free_address()?, TempDir::new()?);
        let child = spawn(addr, &home)?;
        let redis = Self { child, addr, home };
        redis.answers()?;
        Ok(redis)
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) -> Outcome<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again, empty, at the same address; the moment it answered.
    pub(crate) fn come_back(&mut self) -> Outcome<Instant> {
        self.child = spawn(self.addr, &self.home)?;
        self.answers()
    }

    /// See [`cpu_seconds`].
    pub(crate) fn cpu_seconds(&self) -> Outcome<f64> {
        cpu_seconds(&self.child)
    }

    fn answers(&self) -> Outcome<Instant> {
        let begun = Instant::now();
        let ping = || -> Outcome<bool> {
            let mut tcp = TcpStream::connect(self.addr)?;
            tcp.set_read_timeout(Some(PATIENCE))?;
            tcp.write_all(b"PING\r\n")?;
            let mut answer = [0; 5];
            tcp.read_exact(&mut answer)?;
            Ok(&answer == b"+PONG")
        };
        while !ping().unwrap_or(false) {
            if begun.elapsed() > PATIENCE {
                return Err("redis-server does not answer".into());
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(Instant::now())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(addr: SocketAddr, home: &TempDir) -> Outcome<Child> {
    Command::new("redis-server")
        .args(["--bind", &addr.ip().to_string(), "--port", &addr.port().to_string()])
        .args(["--save", "", "--appendonly", "no"])
        .current_dir(home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("can't run redis-server (Debian's package redis-server): {error}").into())
}

/// A door to a Redis that counts what comes out of it.
pub(crate) struct Meter {
    pub(crate) addr: SocketAddr,
    count: Arc<AtomicU64>,
}

impl Meter {
    /// Opens one. It stays open as long as the benchmark runs.
    pub(crate) fn before(redis: SocketAddr) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let meter = Self { addr: listener.local_addr()?, count: Arc::default() };
        let count = Arc::clone(&meter.count);
        thread::spawn(move || {
            for inside in listener.incoming().flatten() {
                let Ok(outside) = TcpStream::connect(redis) else { continue };
                let (Ok(asks), Ok(takes)) = (inside.try_clone(), outside.try_clone()) else { continue };
                let count = Arc::clone(&count);
                thread::spawn(move || carry(asks, takes, &AtomicU64::new(0)));
                thread::spawn(move || carry(outside, inside, &count));
            }
        });
        Ok(meter)
    }

    /// Bytes that came out so far.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Carries bytes one way until either end is closed.
fn carry(mut from: TcpStream, mut to: TcpStream, count: &AtomicU64) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        count.fetch_add(length as u64, Ordering::Relaxed);
        if to.write_all(buffer.get(..length).unwrap_or_default()).is_err() {
            break;
        }
    }
    // Either may be closed already, which is just as well.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
