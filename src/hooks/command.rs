//! Telling a hook by starting a program: the event on its standard input, its word in its exit code. No shell reads
//! anything, the program sees no variable of ours (they hold secrets), and whoever stops waiting for it kills it with
//! everything that it has started and that stayed in its group.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::Event;
use super::verdict::{ANSWER, Failure, Verdict, of_exit};

/// What our own variables begin with.
const OURS: &str = "ROOMDROP_";

/// A hook that is a program.
pub(super) struct Command {
    program: String,
    arguments: Vec<String>,
}

/// A program that runs, and is killed with its group unless it has ended.
struct Running {
    child: Child,
    group: Option<Pid>,
}

impl Command {
    pub(super) fn new(program: &str, arguments: &[String]) -> Self {
        Self { program: program.to_owned(), arguments: arguments.to_vec() }
    }

    /// Runs it once. Dropped, it is killed. What it writes to its standard error goes to the server's.
    pub(super) async fn tell(&self, event: &Event) -> Verdict {
        let (mut running, input, output) = match self.start() {
            Ok(started) => started,
            Err(error) => return Verdict::Failed(Failure::Start(error)),
        };
        let ((), said) = tokio::join!(write(input, event.body()), read(output));
        match running.end().await {
            Ok(code) => of_exit(code, &said),
            Err(error) => Verdict::Failed(Failure::Start(error)),
        }
    }

    fn start(&self) -> Result<(Running, ChildStdin, ChildStdout), ErrorKind> {
        let mut command = tokio::process::Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        command.process_group(0).kill_on_drop(true);
        for name in ours() {
            command.env_remove(name);
        }
        let mut child = command.spawn().map_err(|error| error.kind())?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let running = Running { child, group };
        match (input, output) {
            (Some(input), Some(output)) => Ok((running, input, output)),
            _ => Err(ErrorKind::BrokenPipe),
        }
    }
}

impl Running {
    /// Its exit code, when it has ended; `None` if by a signal.
    async fn end(&mut self) -> Result<Option<i32>, ErrorKind> {
        let status = self.child.wait().await.map_err(|error| error.kind())?;
        // From here on its number may be another's.
        self.group = None;
        Ok(status.code())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // One that has just ended needs no killing.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// One that does not read it need not.
async fn write(mut input: ChildStdin, body: &[u8]) {
    let _ = input.write_all(body).await;
}

/// The beginning of what it says; the rest is read and forgotten, so that it need not wait.
async fn read(mut output: ChildStdout) -> Vec<u8> {
    let mut said = Vec::new();
    let _ = (&mut output).take(ANSWER as u64).read_to_end(&mut said).await;
    let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
    said
}

fn ours() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with(OURS))
}
