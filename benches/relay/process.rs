//! The servers under test as processes: started on a free port, measured through `/proc`, and ended with
//! the value that holds them. Linux only.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::Outcome;

/// Clock ticks a second in `/proc/<pid>/stat`: 100 wherever Linux runs (`getconf CLK_TCK`).
const TICKS: f64 = 100.0;

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(20);

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) addr: SocketAddr,
}

impl Server {
    /// Starts roomdrop, with nothing configured but its address.
    pub(crate) fn roomdrop() -> Outcome<Self> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let child = Command::new(env!("CARGO_BIN_EXE_roomdrop"))
            .args(["--listen", &free.to_string()])
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let mut server = Self { child, addr: free };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    /// Starts the Node relay, which prints its port; installs its packages if they are missing.
    pub(crate) fn node() -> Outcome<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/node-relay");
        if !here.join("node_modules").is_dir() {
            let installed = Command::new("npm")
                .args(["ci", "--no-audit", "--no-fund"])
                .current_dir(&here)
                .stdout(Stdio::null())
                .status()
                .map_err(|error| format!("can't run npm, which installs the Node relay: {error}"))?;
            if !installed.success() {
                return Err("npm could not install the Node relay (its words are above)".into());
            }
        }
        let mut command = Command::new("node");
        command.arg("relay.mjs").current_dir(here);
        Self::printing_its_port(command)
    }

    /// Starts a server that prints its port.
    pub(crate) fn printing_its_port(mut command: Command) -> Outcome<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let server = |port: u16| Self { child, addr: (Ipv4Addr::LOCALHOST, port).into() };
        let port = line.trim().parse().map_err(|_| format!("not a port: {line:?}"))?;
        Ok(server(port))
    }

    /// CPU time it has used so far, in seconds, user and system, its ended children included.
    pub(crate) fn cpu_seconds(&self) -> Outcome<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name may hold blanks and parentheses; what counts comes after it, from field 3 on.
        let (_, fields) = stat.rsplit_once(')').ok_or("no process name in its stat")?;
        let ticks: Vec<f64> =
            fields.split_whitespace().skip(11).take(4).map(str::parse).collect::<Result<_, _>>()?;
        Ok(ticks.iter().sum::<f64>() / TICKS)
    }

    /// Memory in use now, in bytes (`VmRSS`).
    pub(crate) fn memory(&self) -> Outcome<u64> {
        self.status("VmRSS:")
    }

    /// The most memory in use since [`Self::forget_peak`], in bytes (`VmHWM`).
    pub(crate) fn peak_memory(&self) -> Outcome<u64> {
        self.status("VmHWM:")
    }

    /// Starts the watch for the peak anew.
    pub(crate) fn forget_peak(&self) -> Outcome<()> {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")?)
    }

    fn status(&self, key: &str) -> Outcome<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(key)).ok_or("no such line")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }

    fn wait_until_it_listens(&mut self) -> Outcome<()> {
        let begun = Instant::now();
        while begun.elapsed() < START {
            if TcpStream::connect(self.addr).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the server ended at once, with {status}").into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(format!("the server does not listen on {} after {START:?}", self.addr).into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
