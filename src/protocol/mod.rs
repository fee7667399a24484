//! The wire: every word that a client and the server say to each other, with its one home here.
//!
//! **Participants.** A *member* meets others in a *room*. It offers a *drop* of one or more files; each
//! file is a *transfer*, from one *source* to any number of *sinks*. **Goals.** A sink asks
//! ([`transfers::Pull`]) and bytes come ([`transfers::Chunk`]); every offset is absolute, so what is
//! repeated, late or lost does no harm. **Non-goals.** Nothing here knows a socket, a clock or a runtime;
//! nothing decides whether a word is legal now, only whether it is well formed.
//!
//! The reference is `PROTOCOL.md`; the TypeScript types of the SDK are made from these ones, and a test
//! fails when they are stale.
//!
//! ```
//! use roomdrop::protocol::transfers::Pull;
//!
//! let pull: Pull = serde_json::from_str(r#"{"transfer":"t1","lane":1,"from":0,"limit":8388608}"#)?;
//! assert_eq!(pull.limit, 8 << 20);
//! // Offsets are whole numbers that JSON can carry exactly:
//! assert!(serde_json::from_str::<Pull>(r#"{"transfer":"t1","lane":1,"from":-1,"limit":1}"#).is_err());
//! # Ok::<(), serde_json::Error>(())
//! ```

mod code;
mod digest;
mod envelope;
pub mod fetches;
mod field;
pub mod frame;
pub mod http;
mod id;
pub mod limits;
mod moment;
mod name;
pub mod node;
pub mod rooms;
mod state;
mod status;
pub mod transfers;
#[cfg(test)]
mod typescript;
pub mod uploads;

pub use code::{ErrorCode, Refusal};
pub use digest::{Digest, Digester};
pub use envelope::{Code, Envelope, Problem};
pub use field::{DisplayName, MediaType, Note, Passphrase, Preview};
pub use id::{DropId, MemberId, MessageId, ResourceId, RoomId, Secret, TransferId};
pub use moment::Moment;
pub use name::{FileName, FolderPath};
pub use state::{Party, ReceiverState, TransferState};
