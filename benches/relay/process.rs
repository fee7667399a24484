//! The servers under test as processes: started on a free port, measured through `/proc`, and ended with
//! the value that holds them. Linux only.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::Outcome;

/// Clock ticks a second in `/proc/<pid>/stat`: 100 wherever Linux runs (`getconf CLK_TCK`).
const TICKS: f64 = 100.0;

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// Kept open, or a server that says more would fail.
    stdout: BufReader<ChildStdout>,
    pub(crate) addr: SocketAddr,
}

impl Server {
    /// Starts roomdrop, with nothing configured but its address.
    pub(crate) fn roomdrop() -> Outcome<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roomdrop"));
        command.args(["--listen", "127.0.0.1:0"]).env("ROOMDROP_LOG__LEVEL", "warn");
        command.current_dir(std::env::temp_dir());
        Self::start(command)
    }

    /// Starts the Node relay; installs its packages if they are missing.
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
        Self::start(command)
    }

    /// Starts a server whose first line of output ends with its address, `http://…`.
    pub(crate) fn start(mut command: Command) -> Outcome<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("no output")?;
        let mut server = Self { child, stdout: BufReader::new(stdout), addr: SocketAddr::from(([0; 4], 0)) };
        let mut line = String::new();
        server.stdout.read_line(&mut line)?;
        let (_, addr) =
            line.trim().rsplit_once("http://").ok_or_else(|| format!("{command:?} says {line:?}"))?;
        server.addr = addr.parse()?;
        Ok(server)
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
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
