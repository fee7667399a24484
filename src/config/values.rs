//! How a value is written: sizes, times, counts, addresses. Each says, when it is not one, how to write
//! it. What a value must be beside others is the business of `check`.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use serde::de::{Deserialize, Deserializer, Error};
use toml::Value;

use super::{Hidden, PeerUrl, StoreUrl};

/// The word that switches a key off.
pub(super) const NONE: &str = "none";
/// The word for what the server finds out by itself.
const AUTO: &str = "auto";
/// Characters of a node's name, at most.
const MAX_NAME: usize = 32;
/// No offset on the wire passes what a JSON number carries exactly, so no size does.
const MAX_SIZE: u64 = (1 << 53) - 1;
/// Ten years: beyond any use, and far from where the clock's arithmetic ends.
const MAX_DURATION: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

pub(super) fn size<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    read_size(&Value::deserialize(from)?)
}

pub(super) fn size_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    match Value::deserialize(from)? {
        Value::String(word) if word == NONE => Ok(None),
        value => read_size(&value).map(Some),
    }
}

fn read_size<E: Error>(value: &Value) -> Result<u64, E> {
    let bytes = match value {
        Value::Integer(bytes) => u64::try_from(*bytes).ok(),
        Value::String(text) => text.trim().parse::<ByteSize>().ok().map(|size| size.as_u64()),
        _ => None,
    };
    match bytes {
        Some(0) => Err(E::custom("must be more than nothing; write like \"8MiB\"")),
        Some(bytes) if bytes > MAX_SIZE => Err(E::custom(format!("{value} is larger than any file can be"))),
        Some(bytes) => Ok(bytes),
        None => Err(not_a(value, "size", "\"8MiB\"")),
    }
}

pub(super) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let duration = duration_or_zero(from)?;
    if duration.is_zero() {
        return Err(D::Error::custom("must be longer than nothing; write like \"10s\""));
    }
    Ok(duration)
}

pub(super) fn duration_or_zero<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let value = Value::deserialize(from)?;
    match value.as_str().and_then(|text| humantime::parse_duration(text.trim()).ok()) {
        Some(duration) if duration > MAX_DURATION => {
            Err(D::Error::custom(format!("{value} is longer than ten years")))
        }
        Some(duration) => Ok(duration),
        None => Err(not_a(&value, "time", "\"10s\"")),
    }
}

pub(super) fn count<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    match count_or_zero(from)? {
        0 => Err(D::Error::custom("must be at least 1")),
        count => Ok(count),
    }
}

pub(super) fn count_or_zero<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    let value = Value::deserialize(from)?;
    value
        .as_integer()
        .and_then(|count| u32::try_from(count).ok())
        .and_then(|count| usize::try_from(count).ok())
        .ok_or_else(|| not_a(&value, "count", "100"))
}

pub(super) fn address<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let value = Value::deserialize(from)?;
    value
        .as_str()
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| not_a(&value, "numeric address with a port", "\"127.0.0.1:3000\""))
}

pub(super) fn origins<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    list(from, "a web origin", "\"https://files.example.com\"", |text| {
        (text == "*" || is_origin(text)).then(|| text.to_ascii_lowercase())
    })
}

/// Scheme, host and port, and nothing after (RFC 6454 §6.2).
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
        && !authority.contains('@')
        && authority.parse::<http::uri::Authority>().is_ok_and(|authority| !authority.host().is_empty())
}

pub(super) fn path_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    let value = Value::deserialize(from)?;
    match value.as_str() {
        Some(NONE) => Ok(None),
        Some(path) if !path.trim().is_empty() => Ok(Some(PathBuf::from(path))),
        _ => Err(not_a(&value, "path", "\"/an/absolute/path\" or \"none\"")),
    }
}

pub(super) fn name_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let value = Value::deserialize(from)?;
    let is_name = |name: &str| {
        (1..=MAX_NAME).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    match value.as_str() {
        Some(NONE) => Ok(None),
        Some(name) if is_name(name) => Ok(Some(name.to_owned())),
        _ => Err(not_a(&value, "name of 1 to 32 of A-Z a-z 0-9 -", "\"node-1\" or \"none\"")),
    }
}

pub(super) fn peer_url<'de, D: Deserializer<'de>>(from: D) -> Result<PeerUrl, D::Error> {
    let value = Value::deserialize(from)?;
    match value.as_str().map(str::trim) {
        Some(AUTO) => Ok(PeerUrl::Auto),
        Some(NONE) => Ok(PeerUrl::Nowhere),
        Some(url)
            if url.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"))
                && is_origin(url) =>
        {
            Ok(PeerUrl::At(url.to_owned()))
        }
        _ => Err(not_a(
            &value,
            "URL of scheme, host and port",
            "\"http://10.0.0.7:3000\", \"auto\" or \"none\"",
        )),
    }
}

/// A list as the environment writes it: with commas, or as TOML.
pub(super) fn list_of(text: String) -> Value {
    if text.trim_start().starts_with('[') {
        return text.trim().parse().unwrap_or(Value::String(text));
    }
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(|item| Value::String(item.to_owned())).collect::<Vec<_>>().into()
}

/// Patterns of host names: letters, digits, `-`, `.`, `_`, the colons of IPv6, and `*` for any of them.
pub(super) fn hosts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    list(from, "a pattern of host names", "\"*.example.com\"", |text| {
        let is_fine = |c: char| c.is_alphanumeric() || "-._:[]*".contains(c);
        (!text.is_empty() && text.chars().all(is_fine)).then(|| text.to_lowercase())
    })
}

pub(super) fn some_hosts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let hosts = hosts(from)?;
    if hosts.is_empty() {
        return Err(D::Error::custom("names no hosts; name those that the program is for"));
    }
    Ok(hosts)
}

pub(super) fn program<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let program = String::deserialize(from)?;
    if program.trim().is_empty() {
        return Err(D::Error::custom("names no program; write like program = \"yt-dlp\""));
    }
    Ok(program)
}

/// The arguments of a program that fetches.
pub(super) fn arguments<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let arguments = Vec::<String>::deserialize(from)?;
    if !arguments.iter().any(|argument| argument.contains("{url}")) {
        return Err(D::Error::custom(
            "no argument holds {url}; write like args = [\"-o\", \"-\", \"{url}\"]",
        ));
    }
    Ok(arguments)
}

fn list<'de, D: Deserializer<'de>, T>(
    from: D,
    what: &str,
    like: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, D::Error> {
    let value = Value::deserialize(from)?;
    let items = value.as_array().ok_or_else(|| not_a::<D::Error>(&value, "list", &format!("[{like}]")))?;
    items
        .iter()
        .map(|item| {
            item.as_str()
                .and_then(|text| read(text.trim()))
                .ok_or_else(|| D::Error::custom(format!("{item} is not {what}; write like {like}")))
        })
        .collect()
}

/// A URL of Redis. What is wrong with it is said without showing it: it may hold a password.
pub(super) fn hidden_url_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Hidden>, D::Error> {
    const SCHEMES: [&str; 6] =
        ["redis://", "rediss://", "valkey://", "valkeys://", "redis+unix://", "unix://"];
    let value = Value::deserialize(from)?;
    let is_url = |url: &str| SCHEMES.iter().any(|scheme| url.trim().starts_with(scheme));
    match value.as_str() {
        Some(NONE) => Ok(None),
        Some(urls) if urls.split(',').all(is_url) => Ok(Some(Hidden(urls.trim().to_owned()))),
        _ => Err(D::Error::custom(
            "is not a URL of Redis; write like \"redis://user:password@host:6379\" or \"none\"",
        )),
    }
}

pub(super) fn store_url<'de, D: Deserializer<'de>>(from: D) -> Result<StoreUrl, D::Error> {
    let value = Value::deserialize(from)?;
    let read = |text: &str| {
        if text == NONE {
            return Some(StoreUrl::Nowhere);
        }
        if let Some(path) = text.strip_prefix("file:") {
            // "file:///var/lib/x" and "file:/var/lib/x" are one path (RFC 8089 §2), "file:./data" is relative.
            let path = path.strip_prefix("//").unwrap_or(path);
            return (!path.is_empty()).then(|| StoreUrl::Folder(PathBuf::from(path)));
        }
        let (bucket, prefix) = match text.strip_prefix("s3://")?.split_once('/') {
            Some((bucket, prefix)) => (bucket, prefix.trim_end_matches('/')),
            None => (text.strip_prefix("s3://")?, ""),
        };
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_part = |part: &str| {
            !part.is_empty() && !part.bytes().all(|byte| byte == b'.') && part.bytes().all(is_fine)
        };
        (is_part(bucket) && (prefix.is_empty() || prefix.split('/').all(is_part)))
            .then(|| StoreUrl::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    };
    value.as_str().and_then(|text| read(text.trim())).ok_or_else(|| {
        not_a(&value, "place to keep things", "\"file:./data\", \"s3://bucket/prefix\" or \"none\"")
    })
}

pub(super) fn prefix<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let value = Value::deserialize(from)?;
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    match value.as_str() {
        Some(prefix) if (1..=64).contains(&prefix.len()) && prefix.bytes().all(is_fine) => {
            Ok(prefix.to_owned())
        }
        _ => Err(not_a(&value, "prefix", "\"roomdrop\": 1 to 64 of A-Z a-z 0-9 _ - . :")),
    }
}

fn not_a<E: Error>(value: &impl Display, what: &str, like: &str) -> E {
    E::custom(format!("{value} is not a {what}; write like {like}"))
}
