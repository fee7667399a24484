//! The servers under test as processes: started on a free port, measured through `/proc`, and ended with
//! the value that holds them. Linux only.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
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
        let mut command = Self::command();
        command.args(["--listen", "127.0.0.1:0"]);
        Self::start(command)
    }

    /// Starts a roomdrop that keeps drops in that folder.
    pub(crate) fn roomdrop_with_store(folder: &Path) -> Outcome<Self> {
        let mut command = Self::command();
        command
            .env("ROOMDROP_STORE__URL", format!("file:{}", folder.display()))
            .args(["--listen", "127.0.0.1:0"]);
        Self::start(command)
    }

    /// Starts a roomdrop of this name that is one of several, joined by the Redis there.
    pub(crate) fn roomdrop_of_many(name: &str, redis: SocketAddr) -> Outcome<Self> {
        // Others must know its address before it has one.
        let listen = free_address()?;
        let mut command = Self::command();
        command
            .env("ROOMDROP_REDIS__URL", format!("redis://{redis}"))
            .env("ROOMDROP_SERVER__NODE", name)
            .env("ROOMDROP_SERVER__LISTEN", listen.to_string())
            .env("ROOMDROP_SERVER__PEER_URL", format!("http://{listen}"));
        Self::start(command)
    }

    fn command() -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roomdrop"));
        command.env("ROOMDROP_LOG__LEVEL", "warn").current_dir(std::env::temp_dir());
        command
    }

    /// Starts the Node relay; installs its packages if they are missing.
    pub(crate) fn node() -> Outcome<Self> {
        Self::start(Self::node_command()?)
    }

    /// Starts a Node relay that is one of several, joined by the Redis there.
    pub(crate) fn node_of_many(redis: SocketAddr) -> Outcome<Self> {
        let mut command = Self::node_command()?;
        command.env("REDIS_URL", format!("redis://{redis}"));
        Self::start(command)
    }

    fn node_command() -> Outcome<Command> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/node-relay");
        if !here.join("node_modules/redis").is_dir() {
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
        Ok(command)
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

    /// See [`cpu_seconds`].
    pub(crate) fn cpu_seconds(&self) -> Outcome<f64> {
        cpu_seconds(&self.child)
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) -> Outcome<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
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

/// CPU time that a process has used so far, in seconds, user and system, its ended children included.
pub(crate) fn cpu_seconds(child: &Child) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
    // The name may hold blanks and parentheses; what counts comes after it, from field 3 on.
    let (_, fields) = stat.rsplit_once(')').ok_or("no process name in its stat")?;
    let ticks: Vec<f64> =
        fields.split_whitespace().skip(11).take(4).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS)
}

/// An address of this machine that nobody listens on just now.
pub(crate) fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
