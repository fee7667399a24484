//! The envelope of every acknowledgement and of every `transfer:status`: a code, a sentence, the data.

use serde::{Deserialize, Serialize};

use super::code::{ErrorCode, Refusal};

/// The number in an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub enum Code {
    /// Success; of a transfer: every receiver that accepted has all of it.
    Success = 200,
    /// In progress.
    Progress = 100,
    /// Paused, or suspended.
    Held = 101,
    /// An error; `data.error` names it.
    Error = -1,
}

/// `{code, msg, data}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Envelope<T> {
    /// 200, 100, 101 or −1.
    pub code: i16,
    /// A sentence for people.
    pub msg: String,
    /// What the event's row in the protocol says; on an error, [`Problem`].
    pub data: T,
}

/// `data` of an envelope that carries an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Problem {
    /// The stable name.
    pub error: ErrorCode,
    /// The event that failed, where the answer is the event `problem` and no acknowledgement.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub event: Option<Box<str>>,
}

impl<T> Envelope<T> {
    /// `data` under `code`.
    pub fn new(code: Code, data: T) -> Self {
        let msg = match code {
            Code::Success => "ok",
            Code::Progress => "in progress",
            Code::Held => "on hold",
            Code::Error => "failed",
        };
        Self { code: code as i16, msg: msg.into(), data }
    }
}

impl Envelope<Problem> {
    /// What a refused event is answered with.
    pub fn refusal(refusal: &Refusal, event: Option<&str>) -> Self {
        Self {
            code: Code::Error as i16,
            msg: refusal.sentence().into(),
            data: Problem { error: refusal.code, event: event.map(Into::into) },
        }
    }
}
