//! Every error a peer can meet: one row each, with its name on the wire, its HTTP status and the sentence
//! that says what to do. The rows make the names, the statuses and the TypeScript; nothing else may
//! invent a code.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $wire:literal $status:literal $sentence:literal;)+) => {
        /// A stable name for what went wrong; `data.error` of an envelope with code −1.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(ts_rs::TS))]
        #[non_exhaustive]
        pub enum ErrorCode { $($(#[$doc])* #[doc = $sentence] #[serde(rename = $wire)] $name,)+ }

        impl ErrorCode {
            /// Every code there is.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $wire,)+ }
            }

            /// The HTTP status that carries it (RFC 9110 §15).
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)+ }
            }

            /// What happened and what to do, for people.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)+ }
            }
        }
    };
}

codes! {
    BadRequest "bad_request" 400 "The request is not of the documented form; see the protocol reference.";
    NotAllowed "not_allowed" 403 "You may not do this; join the room, or open with your own token, first.";
    RoomNotFound "room_not_found" 404 "There is no such room, or you are not in it; join it first.";
    RoomFull "room_full" 403 "The room is full; ask someone to leave, or make another room.";
    DropNotFound "drop_not_found" 404 "There is no such drop here; it may have ended. Ask for it to be offered again.";
    TransferNotFound "transfer_not_found" 404 "There is no such transfer here; it may have ended. Ask for it to be offered again.";
    TransferClosed "transfer_closed" 410 "The transfer takes no more receivers or has ended; ask for it to be offered again.";
    Rejected "rejected" 409 "Everyone who has the offer said no; ask them, and offer it again.";
    UnexpectedChunk "unexpected_chunk" 409 "The chunk is not what was asked for; send what the newest pull asks for.";
    UploadBusy "upload_busy" 423 "Another request sends to this upload; wait a little and ask with HEAD how far it is.";
    UnsupportedMedia "unsupported_media" 415 "The body is not of the type that this address takes; see the protocol reference.";
    DigestMismatch "digest_mismatch" 422 "The bytes differ from their digest; receive them again.";
    TooLarge "too_large" 413 "This is larger than the server takes; send less at once.";
    RateLimited "rate_limited" 429 "Too much at once; wait a little and try again.";
    Overloaded "overloaded" 503 "The server has too much to do; wait a little and try again.";
    SourceLost "source_lost" 502 "The sender is gone and its bytes cannot be sent again; ask for it to be offered again.";
    SourceFailed "source_failed" 502 "The sender can no longer read the file, or it has changed; ask for it to be offered again.";
    FetchFailed "fetch_failed" 502 "The server could not get the file from there; check the URL, or try again later.";
    TooSlow "too_slow" 408 "You took the bytes slower than this transfer can wait; ask for it to be offered again.";
    RangeNotSatisfiable "range_not_satisfiable" 416 "The range begins beyond the end; ask from the start.";
    PreconditionFailed "precondition_failed" 412 "The file is not the one you hold any more; ask for it anew.";
    NotFound "not_found" 404 "There is nothing here; check the address.";
    StorageFull "storage_full" 507 "There is no room to keep this; offer it without keep, or try again when something has expired.";
    StorageUnavailable "storage_unavailable" 503 "The server cannot reach what it keeps; try again in a while, and tell the operator if it stays so.";
    MethodNotAllowed "method_not_allowed" 405 "This address takes another method; the answer's Allow header names it.";
    Expired "expired" 410 "The time for this transfer is over; ask for it to be offered again.";
    Internal "internal" 500 "The server made a mistake; try again, and tell the operator if it stays so.";
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal on its way to a peer: the code, and a sentence where there is a better one than the code's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{code}: {}", .sentence.as_deref().unwrap_or(code.sentence()))]
pub struct Refusal {
    /// What went wrong.
    pub code: ErrorCode,
    /// What to do about it, when the code's own sentence says too little.
    pub sentence: Option<Box<str>>,
}

impl Refusal {
    /// A refusal with a sentence of its own. The sentence must not hold secrets or file names.
    pub fn new(code: ErrorCode, sentence: impl Into<Box<str>>) -> Self {
        Self { code, sentence: Some(sentence.into()) }
    }

    /// What to tell the person.
    pub fn sentence(&self) -> &str {
        self.sentence.as_deref().unwrap_or(self.code.sentence())
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self { code, sentence: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own_and_says_what_to_do() {
        let mut names: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            assert!(code.sentence().contains([';', '.']) && code.status() >= 400, "{code}");
        }
    }
}
