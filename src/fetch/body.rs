//! Where a reader's bytes come from, piece by piece: the body of an answer, or the output of a program. It
//! refuses to try again; that is the reader's business.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use tokio::time::timeout;

use super::program::Running;
use crate::protocol::{ErrorCode, Refusal};

/// An origin that sends nothing for this long, while it is asked to, is as good as gone.
const SILENCE: Duration = Duration::from_secs(30);
/// Programs may think for longer.
const PROGRAM_SILENCE: Duration = Duration::from_secs(300);

/// See the module. Dropping it ends the request, or the program.
pub(super) enum Body {
    /// An answer's.
    Http(Box<Response>),
    /// A program's.
    Program(Box<Running>),
}

/// Why no more comes.
#[derive(Debug)]
pub(super) enum Broken {
    /// The link to the origin broke, or it fell silent.
    Link(Refusal),
    /// The program failed.
    Program(Refusal),
}

impl Body {
    /// The next piece; none at the end. Nothing is lost when this is dropped before it is ready.
    ///
    /// # Errors
    /// [`Broken`].
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        match self {
            Self::Http(response) => match timeout(SILENCE, response.chunk()).await {
                Ok(Ok(bytes)) => Ok(bytes),
                Ok(Err(_)) => {
                    Err(Broken::Link(broken("The origin's link broke before the end of the file.")))
                }
                Err(_) => Err(Broken::Link(broken("The origin sends nothing more."))),
            },
            Self::Program(running) => match timeout(PROGRAM_SILENCE, running.next()).await {
                Ok(outcome) => outcome.map_err(Broken::Program),
                Err(_) => Err(Broken::Program(broken("The program that fetches gives nothing more."))),
            },
        }
    }
}

fn broken(sentence: &str) -> Refusal {
    Refusal::new(ErrorCode::FetchFailed, format!("{sentence} Start again."))
}
