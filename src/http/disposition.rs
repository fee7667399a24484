//! What a browser shall do with a download, and under which name it saves it (RFC 6266, RFC 8187). Any
//! text is taken for a name; nothing in it can end the header, the quotes, or reach another directory.
//! Only types that run no script may be shown in place.

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but the `attr-char` of RFC 8187 §3.2.1.
const NOT_ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The name of what has none.
const NAMELESS: &str = "file";

/// `Content-Disposition` for a file that is to be saved as `name`.
pub fn attachment(name: &str) -> HeaderValue {
    header("attachment", name)
}

/// `Content-Disposition` for a file that is shown in place, and saved as `name` if at all. Ask
/// [`may_inline`] first.
pub fn inline(name: &str) -> HeaderValue {
    header("inline", name)
}

/// Whether a browser may show this media type in place of our page: pictures, sound, video, PDF and plain
/// text. Not SVG, nor anything else that is XML (`+xml`), because it may hold scripts.
pub fn may_inline(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let Some((kind, subtype)) = essence.split_once('/') else { return false };
    if !is_token(kind) || !is_token(subtype) || subtype.ends_with("+xml") {
        return false;
    }
    match kind {
        "image" | "audio" | "video" => true,
        "application" => subtype == "pdf",
        "text" => subtype == "plain",
        _ => false,
    }
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn header(how: &'static str, name: &str) -> HeaderValue {
    let name = harmless(name);
    let fallback: String = name.chars().map(ascii).collect();
    let full = utf8_percent_encode(&name, NOT_ATTR_CHAR);
    HeaderValue::try_from(format!("{how}; filename=\"{fallback}\"; filename*=UTF-8''{full}"))
        .unwrap_or_else(|_| HeaderValue::from_static(how))
}

/// The name without what no file system should meet: separators, controls, and the names of directories.
fn harmless(name: &str) -> String {
    match name {
        "" | "." | ".." => NAMELESS.to_owned(),
        _ => name
            .chars()
            .map(|char| if char.is_control() || char == '/' || char == '\\' { '_' } else { char })
            .collect(),
    }
}

/// For readers that know only the plain parameter: no quotes to escape, and no `%`, which some take for
/// an escape (RFC 6266, appendix D).
fn ascii(char: char) -> char {
    match char {
        '"' | '%' => '_',
        ' '..='~' => char,
        _ => '_',
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_written_as_the_rfcs_say() {
        for (name, expected) in [
            ("plan.pdf", r#"attachment; filename="plan.pdf"; filename*=UTF-8''plan.pdf"#),
            ("my plan.pdf", r#"attachment; filename="my plan.pdf"; filename*=UTF-8''my%20plan.pdf"#),
            (
                "naïve €.txt",
                r#"attachment; filename="na_ve _.txt"; filename*=UTF-8''na%C3%AFve%20%E2%82%AC.txt"#,
            ),
            ("a\"b\\c.txt", r#"attachment; filename="a_b_c.txt"; filename*=UTF-8''a%22b_c.txt"#),
            ("100%41.txt", r#"attachment; filename="100_41.txt"; filename*=UTF-8''100%2541.txt"#),
            ("a'b(c)*.txt", r#"attachment; filename="a'b(c)*.txt"; filename*=UTF-8''a%27b%28c%29%2A.txt"#),
            (
                "a\r\nSet-Cookie: b",
                r#"attachment; filename="a__Set-Cookie: b"; filename*=UTF-8''a__Set-Cookie%3A%20b"#,
            ),
            (
                "../../etc/passwd",
                r#"attachment; filename=".._.._etc_passwd"; filename*=UTF-8''.._.._etc_passwd"#,
            ),
            ("\0\u{7f}\u{85}", r#"attachment; filename="___"; filename*=UTF-8''___"#),
            ("資料📄", r#"attachment; filename="___"; filename*=UTF-8''%E8%B3%87%E6%96%99%F0%9F%93%84"#),
            ("", r#"attachment; filename="file"; filename*=UTF-8''file"#),
            ("..", r#"attachment; filename="file"; filename*=UTF-8''file"#),
        ] {
            assert_eq!(attachment(name).to_str().unwrap(), expected);
        }
        assert_eq!(inline("a.png").to_str().unwrap(), r#"inline; filename="a.png"; filename*=UTF-8''a.png"#);
    }

    #[test]
    fn only_what_runs_no_script_is_shown_in_place() {
        for yes in [
            "image/png",
            "IMAGE/JPEG",
            "audio/mpeg",
            "video/mp4; codecs=\"avc1\"",
            "application/pdf",
            "text/plain;charset=utf-8",
        ] {
            assert!(may_inline(yes), "{yes}");
        }
        for no in [
            "",
            "image",
            "image/",
            "image/svg+xml",
            "Image/SVG+XML; charset=utf-8",
            "image/ svg+xml",
            "video/x+xml",
            "text/html",
            "text/xml",
            "application/xhtml+xml",
            "application/octet-stream",
            "application/pdfx",
            "text/plainer",
            "image/png/../html",
            "text/html;image/png",
        ] {
            assert!(!may_inline(no), "{no}");
        }
    }

    proptest! {
        #[test]
        fn no_name_splits_the_header_or_leaves_the_quotes(name in "(?s).{0,64}|[\\x00-\\x7f]{0,64}") {
            let value = attachment(&name);
            let text = value.to_str().unwrap();
            let rest = text.strip_prefix("attachment; filename=\"").unwrap();
            let (fallback, full) = rest.split_once("\"; filename*=UTF-8''").unwrap();
            prop_assert!(fallback.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert!(!fallback.is_empty() && !fallback.contains(['"', '\\', '/', '%']));
            prop_assert!(full.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&+-.^_`|~%".contains(&b)));
        }

        #[test]
        fn a_name_that_could_do_no_harm_arrives_as_it_is(name in "[^\\pC/\\\\]{1,64}") {
            prop_assume!(name != "." && name != "..");
            let value = attachment(&name);
            let (_, full) = value.to_str().unwrap().split_once("filename*=UTF-8''").unwrap();
            prop_assert_eq!(percent_decode_str(full).decode_utf8().unwrap(), name);
        }
    }
}
