//! A program that fetches: its standard output is the file, its exit and the end of what it says on standard
//! error the result. Never through a shell, with little of this process's environment, and ended with
//! everything that it started when nobody wants it any more.

use std::collections::VecDeque;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::policy::Program;
use crate::protocol::{ErrorCode, Refusal};

/// Bytes taken from its output at once.
const READ: usize = 64 << 10;
/// Bytes that are kept of the end of its standard error.
const TAIL: usize = 2048;
/// Characters of it that the asker is told.
const TOLD: usize = 500;
/// Time from the end of its output to its own end.
const FAREWELL: Duration = Duration::from_secs(10);
/// What it gets of this process's environment.
const ENVIRONMENT: [&str; 5] = ["PATH", "HOME", "LANG", "SSL_CERT_FILE", "TMPDIR"];

/// A program that runs. Dropping it kills its process group.
pub(super) struct Running {
    child: Child,
    output: ChildStdout,
    said: Arc<Mutex<Tail>>,
    listening: AbortOnDropHandle<()>,
}

/// The end of what was said.
#[derive(Debug, Default)]
struct Tail(VecDeque<u8>);

impl Running {
    /// Starts it for this URL.
    ///
    /// # Errors
    /// `fetch_failed` when it is not there or may not be run.
    pub(super) fn start(program: &Program, url: &Url) -> Result<Self, Refusal> {
        let mut command = Command::new(&program.name);
        command
            .args(program.arguments_for(url))
            .env_clear()
            .envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            // What it puts beside its output must not land where the server was started.
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let started = command.spawn().map_err(|error| {
            tracing::error!(%error, program = program.name, "a program that fetches cannot be started");
            Refusal::new(
                ErrorCode::FetchFailed,
                "The program that fetches from there cannot be started; tell the operator.",
            )
        });
        let mut child = started?;
        let pipes = child.stdout.take().zip(child.stderr.take());
        let (output, errors) = pipes.ok_or(ErrorCode::Internal)?;
        let said = Arc::new(Mutex::new(Tail::default()));
        let listening = AbortOnDropHandle::new(tokio::spawn(listen(errors, said.clone())));
        Ok(Self { child, output, said, listening })
    }

    /// The next of its output; none at its end, when it says that all went well.
    ///
    /// # Errors
    /// `fetch_failed`, with the end of what it said, when it does not.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        let mut bytes = BytesMut::with_capacity(READ);
        match self.output.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => self.end().await.map(|()| None),
            Ok(_) => Ok(Some(bytes.freeze())),
        }
    }

    async fn end(&mut self) -> Result<(), Refusal> {
        let status = timeout(FAREWELL, self.child.wait()).await.ok().and_then(Result::ok);
        if status.is_some_and(|status| status.success()) {
            return Ok(());
        }
        // Its last words are on their way.
        let _ = timeout(FAREWELL, &mut self.listening).await;
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).shown();
        Err(Refusal::new(ErrorCode::FetchFailed, verdict(status, &said)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Once it was waited for, its number may be another's.
        let alive = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = alive {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

async fn listen(mut errors: impl AsyncRead + Unpin, said: Arc<Mutex<Tail>>) {
    let mut bytes = BytesMut::with_capacity(TAIL);
    while errors.read_buf(&mut bytes).await.is_ok_and(|count| count > 0) {
        said.lock().unwrap_or_else(PoisonError::into_inner).push(&bytes);
        bytes.clear();
    }
}

fn verdict(status: Option<ExitStatus>, said: &str) -> String {
    let how = match status.map(|status| status.code()) {
        Some(Some(code)) => format!("The program that fetches ended with code {code}"),
        Some(None) => "The program that fetches was killed".to_owned(),
        None => "The program that fetches does not end".to_owned(),
    };
    if said.is_empty() { format!("{how}; try again later.") } else { format!("{how}: {said}") }
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
        let surplus = self.0.len().saturating_sub(TAIL);
        self.0.drain(..surplus);
    }

    /// As one line, of its last characters.
    fn shown(&mut self) -> String {
        let text = String::from_utf8_lossy(self.0.make_contiguous()).into_owned();
        let line: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let from = line.len().saturating_sub(TOLD);
        line[from..].iter().collect::<String>().trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn program(name: &str, arguments: &[&str]) -> Program {
        Program::new(&["*".into()], name.into(), arguments.iter().map(ToString::to_string).collect())
    }

    fn url() -> Url {
        Url::parse("https://a.example/$(touch x)?a=;b").unwrap()
    }

    async fn all(mut running: Running) -> Result<Vec<u8>, Refusal> {
        let mut bytes = Vec::new();
        while let Some(more) = running.next().await? {
            bytes.extend(more);
        }
        Ok(bytes)
    }

    #[tokio::test]
    async fn its_output_is_the_file_and_no_shell_reads_the_url() {
        let running = Running::start(&program("printf", &["%s", "{url}"]), &url()).unwrap();
        assert_eq!(all(running).await.unwrap(), url().as_str().as_bytes());
    }

    #[tokio::test]
    async fn its_last_words_say_why_it_failed() {
        let script =
            "echo some; echo first >&2; head -c 100000 /dev/zero | tr '\\0' x >&2; echo last >&2; exit 3";
        let running = Running::start(&program("sh", &["-c", script]), &url()).unwrap();
        let refusal = all(running).await.unwrap_err();
        let said = refusal.sentence();
        assert!(said.contains("code 3") && said.ends_with("xxlast") && said.len() < TOLD + 100, "{said}");
        assert!(!said.contains("first"));
    }

    #[tokio::test]
    async fn it_gets_little_of_our_environment() {
        let running = Running::start(&program("env", &[]), &url()).unwrap();
        let text = String::from_utf8(all(running).await.unwrap()).unwrap();
        assert!(text.lines().any(|line| line.starts_with("PATH=")), "{text}");
        let names = text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
        assert!(names.clone().all(|name| ENVIRONMENT.contains(&name)), "{text}");
    }

    #[tokio::test]
    async fn what_is_not_there_is_said_so() {
        let refusal = Running::start(&program("/nowhere/at/all", &[]), &url()).err().unwrap();
        assert_eq!(refusal.code, ErrorCode::FetchFailed);
    }

    #[tokio::test]
    async fn whoever_stops_it_ends_what_it_started_too() {
        let script = "sleep 1000 & echo $!; wait";
        let mut running = Running::start(&program("sh", &["-c", script]), &url()).unwrap();
        let first = running.next().await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&first);
        let grandchild: String = text.chars().take_while(char::is_ascii_digit).collect();
        drop(running);
        assert!(!grandchild.is_empty());
        let stat = format!("/proc/{grandchild}/stat");
        let is_gone = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
        timeout(Duration::from_secs(10), async {
            while !is_gone() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }

    proptest! {
        #[test]
        fn what_it_says_is_bounded_and_one_line(parts in proptest::collection::vec(any::<Vec<u8>>(), 0..20)) {
            let mut tail = Tail::default();
            for part in &parts {
                tail.push(part);
                prop_assert!(tail.0.len() <= TAIL);
            }
            let shown = tail.shown();
            prop_assert!(shown.chars().count() <= TOLD && !shown.chars().any(char::is_control));
        }
    }
}
