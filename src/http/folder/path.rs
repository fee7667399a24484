//! Which file of the served folder an address names. It reads the address as it came, before anything has
//! made `..` or `%2f` of it disappear, and refuses whatever could mean anything but names one below another.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

/// The path below the folder that `address` names, which is what follows `/download/`, still percent-encoded
/// (RFC 3986 §2.1). `None` where a name is empty, is or begins with a dot (`.`, `..`, hidden files), is no
/// UTF-8, or holds a slash, a backslash or a control character once it is decoded.
pub(super) fn read(address: &str) -> Option<PathBuf> {
    address.split('/').map(name).collect()
}

fn name(encoded: &str) -> Option<String> {
    let name = percent_decode_str(encoded).decode_utf8().ok()?;
    let is_fine = |char: char| !char.is_control() && char != '/' && char != '\\';
    (!name.is_empty() && !name.starts_with('.') && name.chars().all(is_fine)).then(|| name.into_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Component;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_one_below_another_are_a_path() {
        for (address, path) in [
            ("a.txt", "a.txt"),
            ("a/b/c.txt", "a/b/c.txt"),
            ("caf%C3%A9%20%26%20bar.pdf", "café & bar.pdf"),
            ("a%252fb", "a%2fb"),
            ("100%", "100%"),
            ("a..b/c...", "a..b/c..."),
        ] {
            assert_eq!(read(address), Some(PathBuf::from(path)), "{address}");
        }
    }

    #[test]
    fn whatever_could_lead_elsewhere_is_none() {
        for address in [
            "",
            "/",
            "a/",
            "/a",
            "//etc/passwd",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/./b",
            ".hidden",
            "a/.git/config",
            "%2e%2e/a",
            "%2E%2E%2Fa",
            "..%2fa",
            "a%2fb",
            "%2fetc%2fpasswd",
            "..%5ca",
            "a%5Cb",
            "a\\b",
            "a%00.txt",
            "a%0d%0ab",
            "a%7f",
            "%ff",
            "%c0%ae%c0%ae/a",
            "%c0%af",
        ] {
            assert_eq!(read(address), None, "{address}");
        }
    }

    proptest! {
        #[test]
        fn a_path_never_leads_up_nor_to_the_root(address in "[a./%25cefCEF\\\\0 ]{0,24}|.{0,24}") {
            if let Some(path) = read(&address) {
                prop_assert!(path.components().count() > 0);
                prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{:?}", path);
                prop_assert_eq!(path.components().count(), address.split('/').count());
            }
        }
    }
}
