//! The limits that are part of the wire and not of a configuration: what a field may hold at all.
//! What an operator may choose lives in the configuration; nothing here may be raised without a new
//! version of the protocol.

/// The largest integer a JSON number carries exactly (2^53 − 1): no offset, size or lane passes it.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;
/// Characters of a room's id, at most.
pub const ROOM_ID_CHARS: usize = 64;
/// Characters of any other id, token or key that a peer may send, at most.
pub const ID_CHARS: usize = 64;
/// Characters of a member's display name, at most.
pub const DISPLAY_NAME_CHARS: usize = 64;
/// Bytes of a file's name, at most: what common file systems hold.
pub const FILE_NAME_BYTES: usize = 255;
/// Bytes of a file's folder path, at most.
pub const PATH_BYTES: usize = 4096;
/// Bytes of a media type, at most (RFC 6838 allows 127 on either side of the slash, and parameters).
pub const MEDIA_TYPE_BYTES: usize = 255;
/// Characters of a note or a reason, at most.
pub const NOTE_CHARS: usize = 2000;
/// Characters of one file's preview, at most.
pub const PREVIEW_CHARS: usize = 8192;
/// Characters of all previews of one offer, at most: every member gets them, and the room remembers them.
pub const PREVIEWS_CHARS: usize = 65_536;
/// Characters of a passphrase, at most.
pub const PASSPHRASE_CHARS: usize = 1024;
/// Bytes of a URL that the server is to fetch, at most.
pub const URL_BYTES: usize = 8192;
/// Tokens or receivers named in one event, at most.
pub const LIST_ITEMS: usize = 10_000;
