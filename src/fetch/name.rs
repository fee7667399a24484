//! What a fetched file is called: what the origin says (RFC 6266), else the last part of its URL, made into a
//! name that leaves no folder and ends no line. Pure, and takes any bytes.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::protocol::limits::FILE_NAME_BYTES;
use crate::protocol::{FileName, MediaType};

/// The name of what has none.
const NAMELESS: &str = "download";

/// The name of what `url` gave with this `Content-Disposition`.
pub(super) fn name_of(disposition: Option<&[u8]>, url: &Url) -> Option<FileName> {
    disposition
        .and_then(named_by)
        .as_deref()
        .and_then(harmless)
        .or_else(|| last_of(url))
        .or_else(|| FileName::new(NAMELESS))
}

/// Its media type, if the origin says one that can be passed on.
pub(super) fn media_type(content_type: Option<&[u8]>) -> Option<MediaType> {
    MediaType::new(std::str::from_utf8(content_type?).ok()?.trim())
}

fn last_of(url: &Url) -> Option<FileName> {
    let last = url.path_segments()?.rfind(|part| !part.is_empty())?;
    harmless(&percent_decode_str(last).decode_utf8_lossy())
}

/// `filename*` before `filename` (RFC 6266 §4.3), whatever their order.
fn named_by(disposition: &[u8]) -> Option<String> {
    let text = readable(disposition);
    let (mut plain, mut extended) = (None, None);
    for (key, value) in parameters(&text) {
        if key.eq_ignore_ascii_case("filename*") {
            extended = extended.or_else(|| decoded(&value));
        } else if key.eq_ignore_ascii_case("filename") {
            plain = plain.or(Some(value));
        }
    }
    extended.or(plain)
}

/// Headers are Latin-1 by the book, and UTF-8 by those who write file names into them.
fn readable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// The parameters after the type: `key=value` or `key="value"` between semicolons.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((key, after)) = rest.split_once('=') {
        // A word without a value, before this one.
        let key = key.rsplit(';').next().unwrap_or(key).trim();
        let (value, after) = value_of(after.trim_start());
        found.push((key.to_owned(), value));
        rest = after.split_once(';').map_or("", |(_, rest)| rest);
    }
    found
}

fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return (text[..end].trim().to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            letter => value.push(letter),
        }
    }
    (value, "")
}

/// `charset'language'percent-encoded` (RFC 8187 §3.2): UTF-8 and Latin-1 are read.
fn decoded(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let (charset, _, text) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" => String::from_utf8(bytes).ok(),
        "iso-8859-1" => Some(bytes.into_iter().map(char::from).collect()),
        _ => None,
    }
}

/// The text as a file's name: without folders and control characters, and short enough; its ending stays.
fn harmless(text: &str) -> Option<FileName> {
    let last = text.rsplit(['/', '\\']).next().unwrap_or(text);
    let clean: String = last.chars().filter(|letter| !letter.is_control()).collect();
    FileName::new(shortened(clean.trim()))
}

fn shortened(name: &str) -> String {
    if name.len() <= FILE_NAME_BYTES {
        return name.to_owned();
    }
    let ending = name.rfind('.').map_or("", |dot| &name[dot..]);
    let ending = if ending.len() <= FILE_NAME_BYTES / 4 { ending } else { "" };
    let mut end = FILE_NAME_BYTES - ending.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ending}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(disposition: &str, url: &str) -> String {
        let disposition = (!disposition.is_empty()).then_some(disposition.as_bytes());
        name_of(disposition, &Url::parse(url).unwrap()).unwrap().as_str().to_owned()
    }

    #[test]
    fn the_origin_names_its_file() {
        let url = "https://a.example/b";
        for (disposition, expected) in [
            ("attachment; filename=a.txt", "a.txt"),
            ("attachment;filename=\"a b.txt\"", "a b.txt"),
            ("attachment; filename=\"a; filename=b.txt\"", "a; filename=b.txt"),
            (r#"attachment; filename="a\"b.txt""#, "a\"b.txt"),
            ("attachment; filename=\"plain.txt\"; filename*=UTF-8''%e2%82%ac.txt", "€.txt"),
            ("attachment; filename*=UTF-8'en'%e2%82%ac.txt; filename=plain.txt", "€.txt"),
            ("attachment; filename*=iso-8859-1''%e4.txt", "ä.txt"),
            ("attachment; filename*=UTF-8''%ff%fe; filename=plain.txt", "plain.txt"),
            ("attachment; filename*=x-odd''a; FileName=plain.txt", "plain.txt"),
            ("attachment; size=5; x; filename=c.txt", "c.txt"),
            ("attachment; filename=\"../../etc/passwd\"", "passwd"),
            ("attachment; filename=\"C:\\\\temp\\\\a.txt\"", "a.txt"),
            ("attachment; filename=\"a\tb.txt\"", "ab.txt"),
            ("attachment; filename=\"unfinished.txt", "unfinished.txt"),
            ("attachment; filename=\"ünï.txt\"", "ünï.txt"),
            ("attachment; filename=\"..\"", "b"),
            ("attachment; filename=\"\"", "b"),
            ("attachment", "b"),
            ("inline; =", "b"),
        ] {
            assert_eq!(name(disposition, url), expected, "{disposition}");
        }
        assert_eq!(
            name_of(Some(b"attachment; filename=\"\xe4.txt\""), &Url::parse(url).unwrap()).unwrap().as_str(),
            "ä.txt"
        );
    }

    #[test]
    fn else_the_url_does() {
        for (url, expected) in [
            ("https://a.example/dir/file.tar.gz?x=/y", "file.tar.gz"),
            ("https://a.example/dir/", "dir"),
            ("https://a.example/", "download"),
            ("https://a.example/%E2%82%AC%20x.txt#z", "€ x.txt"),
            ("https://a.example/a%2f..%2fb", "b"),
            ("https://a.example/%2e%2e%2f", "download"),
            ("https://a.example/%00%0d%0a", "download"),
        ] {
            assert_eq!(name("", url), expected, "{url}");
        }
    }

    proptest! {
        #[test]
        fn whatever_an_origin_says_is_a_name(bytes: Vec<u8>, path in "\\PC{0,400}") {
            let mut header = b"attachment; filename=".to_vec();
            header.extend(&bytes);
            let Ok(url) = Url::parse(&format!("https://a.example/{path}")) else { return Ok(()) };
            prop_assert!(name_of(Some(&header), &url).is_some());
            prop_assert!(name_of(Some(&bytes), &url).is_some());
            prop_assert!(name_of(None, &url).is_some());
        }

        #[test]
        fn a_long_name_keeps_its_ending(stem in "[a-zé文]{300,600}") {
            let url = Url::parse("https://a.example/").unwrap();
            let header = format!("attachment; filename=\"{stem}.tar\"");
            let name = name_of(Some(header.as_bytes()), &url).unwrap();
            prop_assert!(name.as_str().ends_with(".tar") && name.as_str().len() > 245);
        }
    }
}
