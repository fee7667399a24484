//! The form of a chunk: the fields `file`, `chunkId` and `fileId` of a `multipart/form-data` (RFC 7578), in any
//! order. The file is handed on as it comes; whatever else the form holds is read over, within bounds.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use futures_util::StreamExt;
use multer::{Field, Multipart};
use serde::Deserialize;

use super::tap::{Fault, Tap};
use crate::protocol::uploads::{ChunkId, Extension, FileId};
use crate::protocol::{ErrorCode, Refusal};
use crate::upload::{CHUNK, Incoming, Uploads};

/// Bytes of a form, at most: a chunk, and all that is around it.
pub(super) const FORM: u64 = CHUNK + (1 << 20);
/// Bytes of a handshake, at most: as many ids as there may be, and some room.
pub(super) const HANDSHAKE: u64 = 1 << 20;
/// Bytes between two fields, at most, but for what came along with them.
const HEADERS: u64 = 16 << 10;
/// Fields, at most.
const FIELDS: usize = 32;
/// Bytes of an id, at most, before it is looked at.
const TEXT: usize = 256;

/// A form that was read.
pub(super) struct Form {
    pub(super) file: FileId,
    pub(super) chunk: ChunkId,
    pub(super) bytes: Incoming,
}

/// What a handshake says.
pub(super) struct Handshake {
    pub(super) file: FileId,
    pub(super) ext: Extension,
    pub(super) chunks: Vec<ChunkId>,
}

/// The same, before it is looked at: a field that is missing has a sentence of its own.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Said {
    file_id: serde_json::Value,
    ext: serde_json::Value,
    chunk_ids: serde_json::Value,
}

fn bad(why: &str) -> Refusal {
    Refusal::new(ErrorCode::BadRequest, why)
}

fn file_id(text: &str) -> Result<FileId, Refusal> {
    FileId::new(text).ok_or_else(|| bad("fileId is the file's MD5: 32 hexadecimal digits."))
}

fn chunk_id(text: &str) -> Result<ChunkId, Refusal> {
    let why = "A chunk's id is its MD5, 32 hexadecimal digits, optionally followed by its index.";
    ChunkId::new(text).ok_or_else(|| bad(why))
}

impl Handshake {
    /// Reads the JSON of a body, whatever it says its type is.
    pub(super) async fn read(tap: &Tap) -> Result<Self, Refusal> {
        let (mut body, mut tap) = (Vec::new(), tap.clone());
        while let Some(bytes) = tap.next().await {
            body.extend_from_slice(&bytes.map_err(Fault::refusal)?);
        }
        Self::parse(&body)
    }

    fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let why = "A handshake is a JSON object with fileId, ext and chunkIds.";
        let said: Said = serde_json::from_slice(body).map_err(|_| bad(why))?;
        let file = said.file_id.as_str().ok_or_else(|| bad("fileId is missing, or no text."))?;
        let ext = said.ext.as_str().ok_or_else(|| bad("ext is missing, or no text; it may be empty."))?;
        let chunks = said.chunk_ids.as_array().ok_or_else(|| bad("chunkIds is missing, or no list."))?;
        let ids = chunks.iter().map(|id| chunk_id(id.as_str().unwrap_or_default()));
        Ok(Self {
            file: file_id(file)?,
            ext: Extension::new(ext).ok_or_else(|| {
                bad("ext is empty, or a dot and up to 16 of A-Z a-z 0-9 _ and -, like .jpg.")
            })?,
            chunks: ids.collect::<Result<_, _>>()?,
        })
    }
}

impl Form {
    /// Reads a form, and brings its file in meanwhile.
    pub(super) async fn read(uploads: &Uploads, headers: &HeaderMap, tap: &Tap) -> Result<Self, Refusal> {
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let why =
            "A chunk is sent as multipart/form-data, with a boundary, and file, chunkId and fileId in it.";
        let boundary = multer::parse_boundary(media_type).map_err(|_| bad(why))?;
        let mut form = Multipart::new(tap.clone(), boundary);
        let (mut file, mut chunk, mut bytes) = (None, None, None);
        for _ in 0..FIELDS {
            tap.allow(HEADERS);
            let field = form.next_field().await.map_err(|_| broken(tap))?;
            tap.allow(u64::MAX);
            let Some(field) = field else {
                return Ok(Self {
                    file: file.ok_or_else(|| bad("fileId is missing: the file's MD5."))?,
                    chunk: chunk
                        .ok_or_else(|| bad("chunkId is missing: the chunk's MD5, as in chunkIds."))?,
                    bytes: bytes.ok_or_else(|| bad("file is missing: the bytes of the chunk."))?,
                });
            };
            match field.name() {
                Some("fileId") => once(&mut file, file_id(&text(field, tap).await?)?)?,
                Some("chunkId") => once(&mut chunk, chunk_id(&text(field, tap).await?)?)?,
                Some("file") => {
                    let ids = file.zip(chunk.as_ref());
                    let mut incoming = uploads.begin(ids).await?;
                    let mut field = field;
                    while let Some(piece) = field.chunk().await.map_err(|_| broken(tap))? {
                        incoming.write(piece).await?;
                    }
                    once(&mut bytes, incoming)?;
                }
                _ => read_over(field, tap).await?,
            }
        }
        Err(bad("The form has more fields than file, chunkId and fileId."))
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Refusal> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(bad("The form has one field twice; send each chunk in a form of its own.")),
    }
}

async fn text(mut field: Field<'_>, tap: &Tap) -> Result<String, Refusal> {
    let mut text = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(|_| broken(tap))? {
        text.extend_from_slice(&piece);
        if text.len() > TEXT {
            return Err(bad("fileId or chunkId is longer than any id."));
        }
    }
    String::from_utf8(text).map_err(|_| bad("fileId or chunkId is no text."))
}

async fn read_over(mut field: Field<'_>, tap: &Tap) -> Result<(), Refusal> {
    while field.chunk().await.map_err(|_| broken(tap))?.is_some() {}
    Ok(())
}

fn broken(tap: &Tap) -> Refusal {
    match tap.fault() {
        Some(fault) => fault.refusal(),
        None => bad("The form ends before its last boundary, or is no multipart/form-data; send it again."),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use http::HeaderValue;

    use super::*;
    use crate::store::{GRACE, Options, Place, Store};

    const ABC: &str = "900150983cd24fb0d6963f7d28e17f72";

    async fn read(fields: &[(&str, &str)]) -> Result<Form, Refusal> {
        let field = |(name, value): &(&str, &str)| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let body = fields.iter().map(field).collect::<String>() + "--b--\r\n";
        read_body(body.into()).await
    }

    async fn read_body(body: Body) -> Result<Form, Refusal> {
        let minute = Duration::from_secs(60);
        let options =
            Options { place: Place::Memory, lifetime: minute, max_size: 9999, quota: 9999, grace: GRACE };
        let uploads = Uploads::new(Store::open(options, []).unwrap(), 32);
        let headers = HeaderMap::from_iter([(
            CONTENT_TYPE,
            HeaderValue::from_static("multipart/form-data; boundary=b"),
        )]);
        Form::read(&uploads, &headers, &Tap::new(body, FORM, minute)).await
    }

    #[tokio::test]
    async fn the_fields_may_come_in_any_order_and_others_with_them() {
        for fields in [
            &[("file", "abc"), ("chunkId", ABC), ("fileId", ABC)][..],
            &[("chunkId", ABC), ("other", "x"), ("file", "abc"), ("fileId", ABC)],
        ] {
            let form = read(fields).await.unwrap_or_else(|refusal| panic!("{refusal}"));
            assert_eq!((form.file.to_string().as_str(), form.chunk.as_str()), (ABC, ABC));
        }
        let nobody_asked = read(&[("chunkId", ABC), ("fileId", ABC), ("file", "abc")]).await;
        assert_eq!(nobody_asked.err().unwrap().code, ErrorCode::UnexpectedChunk, "before a byte of the file");
    }

    #[tokio::test]
    async fn what_is_missing_wrong_or_twice_is_named() {
        let long = "x".repeat(TEXT + 1);
        for (fields, word) in [
            (&[("chunkId", ABC), ("fileId", ABC)][..], "file is missing"),
            (&[("file", "abc"), ("fileId", ABC)], "chunkId is missing"),
            (&[("file", "abc"), ("chunkId", ABC)], "fileId is missing"),
            (&[], "missing"),
            (&[("fileId", "../../etc")], "fileId is"),
            (&[("chunkId", "")], "A chunk's id"),
            (&[("chunkId", &long)], "longer"),
            (&[("fileId", ABC), ("fileId", ABC)], "twice"),
            (&[("file", "abc"), ("file", "abc")], "twice"),
            (&[("x", ""); FIELDS + 1], "more fields"),
        ] {
            let refusal = read(fields).await.err().unwrap();
            assert_eq!(refusal.code, ErrorCode::BadRequest);
            assert!(refusal.sentence().contains(word), "{refusal}");
        }
    }

    #[tokio::test]
    async fn a_form_that_is_none_or_cut_is_refused_and_its_headers_are_not_gathered_without_end() {
        for body in ["", "x", "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nabc", "--b\r\nA"] {
            let refusal = read_body(body.into()).await.err().unwrap();
            assert_eq!(refusal.code, ErrorCode::BadRequest, "{body}: {refusal}");
        }
        let endless = futures_util::stream::repeat("--b\r\nX-Name: x").map(Ok::<_, std::io::Error>);
        let refusal = read_body(Body::from_stream(endless)).await.err().unwrap();
        assert_eq!(refusal.code, ErrorCode::TooLarge);
    }

    #[test]
    fn a_handshake_is_read_whole_or_refused_by_the_name_of_its_field() {
        let good = format!(r#"{{"fileId":"{ABC}","ext":"","chunkIds":["{ABC}0"],"more":1}}"#);
        let handshake = Handshake::parse(good.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}"));
        assert_eq!(handshake.chunks.len(), 1);
        for (body, word) in [
            ("", "JSON"),
            ("[]", "fileId"),
            ("{}", "fileId"),
            (&good.replace("fileId", "fileid"), "fileId"),
            (&good.replace(r#""ext":"""#, r#""ext":null"#), "ext"),
            (&good.replace(r#""ext":"""#, r#""ext":"/../a""#), "ext"),
            (&good.replace("chunkIds", "chunks"), "chunkIds"),
            (&good.replace(&format!("{ABC}0"), "x"), "chunk's id"),
            (&good.replace(&format!(r#""{ABC}0""#), "5"), "chunk's id"),
        ] {
            let refusal = Handshake::parse(body.as_bytes()).err().unwrap();
            assert_eq!(refusal.code, ErrorCode::BadRequest);
            assert!(refusal.sentence().contains(word), "{body}: {refusal}");
        }
    }
}
