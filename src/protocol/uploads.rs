//! The words of `/api/upload`: what names a file, a piece of it and its kind, and the form of every answer. These
//! are words for addresses and keys, so each is refused unless it is of its narrow form; nothing here knows what
//! is stored.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::code::Refusal;
use super::digest::Digest;

/// Characters of an MD5 in hexadecimal.
const MD5: usize = 32;
/// Digits of a chunk's index, at most.
const INDEX: usize = 6;
/// Characters of an extension after its dot, at most.
const EXTENSION: usize = 16;

/// The MD5 of a file, as 32 hexadecimal digits in either case. Whoever knows it can have the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId([u8; 16]);

impl FileId {
    /// The id, if the text is of its form.
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// What the file's bytes must have.
    pub fn digest(self) -> Digest {
        Digest::Md5(self.0)
    }
}

impl std::fmt::Display for FileId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// What names a chunk within its file: its MD5 in hexadecimal, optionally followed by its index in up to six
/// digits. It goes back to whoever said it letter by letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "CompactString")]
pub struct ChunkId(CompactString);

impl ChunkId {
    /// The id, if the text is of its form.
    pub fn new(text: impl Into<CompactString>) -> Option<Self> {
        let text = text.into();
        let (md5, index) = text.split_at_checked(MD5)?;
        let is_index = index.len() <= INDEX && index.bytes().all(|byte| byte.is_ascii_digit());
        (is_index && md5.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(Self(text))
    }

    /// What the chunk's bytes must have.
    pub fn digest(&self) -> Option<Digest> {
        FileId::new(self.0.get(..MD5)?).map(FileId::digest)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<CompactString> for ChunkId {
    type Error = &'static str;

    fn try_from(text: CompactString) -> Result<Self, Self::Error> {
        Self::new(text).ok_or("an MD5 in hexadecimal, optionally followed by an index")
    }
}

/// The extension of a file's name: nothing, or a dot and up to 16 of `A-Z a-z 0-9 _ -`. It says as what the bytes
/// are served, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Extension(CompactString);

impl Extension {
    /// The extension, if the text is of its form.
    pub fn new(text: &str) -> Option<Self> {
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let is_extension = |rest: &str| rest.len() <= EXTENSION && rest.bytes().all(is_fine);
        (text.is_empty() || text.strip_prefix('.').is_some_and(is_extension)).then(|| Self(text.into()))
    }

    /// The text, with its dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a stored upload in its address: `{fileId}{ext}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadName {
    /// Which file.
    pub file: FileId,
    /// As what.
    pub ext: Extension,
}

impl UploadName {
    /// Reads the last part of an address, which must be written without any escapes.
    pub fn parse(text: &str) -> Option<Self> {
        let (file, ext) = text.split_at_checked(MD5)?;
        Some(Self { file: FileId::new(file)?, ext: Extension::new(ext)? })
    }
}

impl std::fmt::Display for UploadName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.file, self.ext.as_str())
    }
}

/// Every answer of `/api/upload` and `/api/upload/handshake`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reply {
    /// 0, or the HTTP status of a refusal.
    pub code: u16,
    /// Empty, or why: the error's name, a colon and what to do.
    pub msg: String,
    /// What was asked for; `null` in a refusal.
    pub data: Option<ReplyData>,
}

/// What an upload still takes, or where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ReplyData {
    /// All of it is here, at this URL.
    Url(String),
    /// These chunks are still needed, in the order of the file; an id that stands there twice is needed once.
    Needed(Vec<ChunkId>),
}

impl Reply {
    /// What a request that was understood is answered with.
    pub fn new(data: ReplyData) -> Self {
        Self { code: 0, msg: String::new(), data: Some(data) }
    }

    /// What a refused one is answered with: fields that are missing or wrong are 403, everything else has the
    /// status of its code.
    pub fn refusal(why: &Refusal) -> Self {
        let code = match why.code.status() {
            400 | 404 | 409 | 422 => 403,
            other => other,
        };
        Self { code, msg: why.to_string(), data: None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::ErrorCode;

    const ABC: &str = "900150983cd24fb0d6963f7d28e17f72";

    #[test]
    fn an_id_is_an_md5_and_a_chunks_may_have_an_index() {
        let id = FileId::new(&ABC.to_uppercase()).unwrap();
        assert_eq!(id.to_string(), ABC);
        assert!(id.digest().matches(b"abc"));
        for text in [ABC.to_owned(), format!("{ABC}0"), format!("{ABC}123456"), ABC.to_uppercase()] {
            let id = ChunkId::new(text.as_str()).unwrap();
            assert_eq!(id.as_str(), text);
            assert!(id.digest().unwrap().matches(b"abc"));
        }
        for text in ["", "abc", &ABC[1..], &format!("{ABC}a"), &format!("{ABC}1234567"), &format!("{ABC}-1")]
        {
            assert!(ChunkId::new(text).is_none(), "{text}");
        }
        for text in ["", &ABC[1..], &format!("{ABC}0"), "../../../../../../../../etc/passwd", &"é".repeat(16)]
        {
            assert!(FileId::new(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_extension_is_a_dot_and_a_few_letters_or_nothing() {
        for ext in ["", ".", ".jpg", ".7z", ".JPEG", ".a_b-c", ".0123456789abcdef"] {
            let name = UploadName::parse(&format!("{ABC}{ext}")).unwrap();
            assert_eq!(name.to_string(), format!("{ABC}{ext}"));
        }
        for ext in
            ["jpg", "..", ".tar.gz", "./a", "/..", ".a/b", ".%2e", ".é", ".0123456789abcdefg", ".a\0", " "]
        {
            assert!(Extension::new(ext).is_none(), "{ext:?}");
            assert!(UploadName::parse(&format!("{ABC}{ext}")).is_none(), "{ext:?}");
        }
    }

    #[test]
    fn answers_are_of_the_documented_form() {
        let json = |reply: Reply| serde_json::to_string(&reply).unwrap();
        let needed = ReplyData::Needed(vec![ChunkId::new(format!("{ABC}1")).unwrap()]);
        assert_eq!(json(Reply::new(needed)), format!(r#"{{"code":0,"msg":"","data":["{ABC}1"]}}"#));
        let url = ReplyData::Url("http://a/upload/b.c".into());
        assert_eq!(json(Reply::new(url)), r#"{"code":0,"msg":"","data":"http://a/upload/b.c"}"#);
        let refused = Reply::refusal(&Refusal::new(ErrorCode::BadRequest, "No."));
        assert_eq!(json(refused), r#"{"code":403,"msg":"bad_request: No.","data":null}"#);
        for (code, status) in [
            (ErrorCode::UnexpectedChunk, 403),
            (ErrorCode::DigestMismatch, 403),
            (ErrorCode::NotAllowed, 403),
            (ErrorCode::TooLarge, 413),
            (ErrorCode::TooSlow, 408),
            (ErrorCode::StorageFull, 507),
            (ErrorCode::StorageUnavailable, 503),
        ] {
            assert_eq!(Reply::refusal(&code.into()).code, status, "{code}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in ".{0,80}|[0-9a-f]{32}.{0,20}") {
            let _ = (FileId::new(&text), ChunkId::new(text.as_str()));
            if let Some(name) = UploadName::parse(&text) {
                prop_assert!(!name.to_string().contains(['/', '\\', '%', '\0']));
            }
        }
    }
}
