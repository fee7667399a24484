//! What a hook's answer means: an HTTP status with a body, or an exit code with an output. It refuses to take
//! a hook's mistake for its word: what is neither a yes nor a no is a failure, and the operator said what then.

use serde::Deserialize;

/// Characters of a hook's sentence that people are shown, at most.
const SENTENCE: usize = 300;
/// Bytes of an answer that are read, at most: a sentence and what JSON needs around it.
pub(super) const ANSWER: usize = 4096;

/// `EX_TEMPFAIL`.
const LATER: i32 = 75;

/// What came of telling a hook once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It took the event; asked, it has nothing against the offer.
    Taken,
    /// Asked, it is against the offer, and may have said why.
    Refused(Option<String>),
    /// It could not be told; another attempt may do.
    Failed(Failure),
    /// It wants no more of this event.
    Declined,
}

/// Why a hook could not be told. Holds nothing of what it answered, which may be anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// No answer in time.
    #[error("no answer in time")]
    TimeOut,
    /// No connection, or it broke; why.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// A status that is neither yes nor no.
    #[error("it answered with status {0}")]
    Status(u16),
    /// A command that cannot be started.
    #[error("it cannot be started: {0}")]
    Start(std::io::ErrorKind),
    /// An exit code that is neither yes nor no.
    #[error("it ended with code {0}")]
    Exit(i32),
    /// A command that was killed.
    #[error("it was killed by a signal")]
    Signal,
    /// A command that asks to be run again later.
    #[error("it asked to be run again later")]
    Later,
    /// It said no, and was not asked.
    #[error("it refused what has happened already")]
    NotTaken,
    /// It wants no more of this.
    #[error("it wants no more of this")]
    Declined,
    /// More wait for it than may.
    #[error("too much waits for it")]
    Full,
}

impl Failure {
    /// Whether a command is to be run again: what it has done before it failed, it would do twice.
    pub(super) fn asks_for_another_run(&self) -> bool {
        matches!(self, Self::Later | Self::Start(_))
    }
}

/// The body of an HTTP answer, where it is JSON.
#[derive(Deserialize)]
struct Said {
    msg: String,
}

/// Of an HTTP answer: 2xx is a yes, 403 a no with the body's `msg`, or its first line, as the sentence; 410 is no
/// more of this. Redirects are not followed, as the specification says.
pub(super) fn of_status(status: u16, body: &[u8]) -> Verdict {
    match status {
        200..=299 => Verdict::Taken,
        403 => {
            let said = serde_json::from_slice::<Said>(body).map(|said| said.msg);
            Verdict::Refused(sentence(&said.unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned())))
        }
        410 => Verdict::Declined,
        status => Verdict::Failed(Failure::Status(status)),
    }
}

/// Of a command's end: 0 is a yes, 1 a no with the first line of its output as the sentence, 75 (`EX_TEMPFAIL` of
/// sysexits.h) the wish to be run again. `None` is a signal.
pub(super) fn of_exit(code: Option<i32>, output: &[u8]) -> Verdict {
    match code {
        Some(0) => Verdict::Taken,
        Some(1) => Verdict::Refused(sentence(&String::from_utf8_lossy(output))),
        Some(LATER) => Verdict::Failed(Failure::Later),
        Some(code) => Verdict::Failed(Failure::Exit(code)),
        None => Verdict::Failed(Failure::Signal),
    }
}

/// One line for people, without anything that could do more than be read.
fn sentence(text: &str) -> Option<String> {
    let line = text.trim().lines().next()?.trim();
    let line: String = line.chars().filter(|char| !char.is_control()).take(SENTENCE).collect();
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn no(sentence: &str) -> Verdict {
        Verdict::Refused(Some(sentence.to_owned()))
    }

    #[test]
    fn an_answer_is_a_yes_a_no_or_neither() {
        for (status, body, verdict) in [
            (200, &b"anything"[..], Verdict::Taken),
            (204, b"", Verdict::Taken),
            (403, br#"{"msg": "No films, please."}"#, no("No films, please.")),
            (403, b"No films, please.\nReally.", no("No films, please.")),
            (403, b"", Verdict::Refused(None)),
            (403, b"\xff\x00\x07", no("\u{fffd}")),
            (410, b"", Verdict::Declined),
            (302, b"", Verdict::Failed(Failure::Status(302))),
            (500, b"no", Verdict::Failed(Failure::Status(500))),
        ] {
            assert_eq!(of_status(status, body), verdict, "{status}");
        }
    }

    #[test]
    fn an_exit_is_a_yes_a_no_or_neither() {
        assert_eq!(of_exit(Some(0), b"fine"), Verdict::Taken);
        assert_eq!(of_exit(Some(1), b"\n a virus \nand more"), no("a virus"));
        assert_eq!(of_exit(Some(1), b""), Verdict::Refused(None));
        assert_eq!(of_exit(Some(2), b"no"), Verdict::Failed(Failure::Exit(2)));
        assert_eq!(of_exit(Some(75), b""), Verdict::Failed(Failure::Later));
        assert_eq!(of_exit(None, b"no"), Verdict::Failed(Failure::Signal));
    }

    proptest! {
        #[test]
        fn a_sentence_is_one_short_line_whatever_was_said(text in any::<Vec<u8>>(), tail in "\\PC{0,600}") {
            let said = [text, tail.into_bytes()].concat();
            for verdict in [of_status(403, &said), of_exit(Some(1), &said)] {
                if let Verdict::Refused(Some(sentence)) = verdict {
                    prop_assert!(!sentence.is_empty() && sentence.chars().count() <= SENTENCE);
                    prop_assert!(!sentence.chars().any(char::is_control));
                }
            }
        }
    }
}
