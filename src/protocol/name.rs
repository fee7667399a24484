//! File names and folder paths as a sender may give them. They are words for people and for the
//! receiver's side: the server never opens a file by one, and still refuses what could leave a folder on
//! the receiver's disk.

use super::field::text;
use super::limits;

text! {
    /// One file's name: no folder, any Unicode but control characters. Never shown by `Debug`.
    FileName, "1 to 255 bytes, without /, \\ or control characters, and not . or ..", is_file_name
}
text! {
    /// A folder path, names joined by `/`: never absolute, never with `..`. Never shown by `Debug`.
    FolderPath, "at most 4096 bytes, folder names joined by /, not absolute and without . or ..", |text| {
        text.len() <= limits::PATH_BYTES && text.split('/').all(is_file_name)
    }
}

fn is_file_name(text: &str) -> bool {
    (1..=limits::FILE_NAME_BYTES).contains(&text.len())
        && text != "."
        && text != ".."
        && !text.chars().any(|c| c == '/' || c == '\\' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_leave_its_folder_is_refused() {
        for name in ["", ".", "..", "a/b", "/etc/passwd", "..\\x", "a\nb", "a\0b", "a\rb", "\u{85}"] {
            assert!(FileName::new(name).is_none(), "{name:?}");
        }
        assert!(FileName::new("a".repeat(256)).is_none());
    }

    #[test]
    fn any_other_unicode_is_a_name() {
        for name in ["a\"b'.txt", "…", "文件.pdf", "🦦.png", " x ", "a%2fb", "-rf"] {
            assert_eq!(FileName::new(name).map(|n| n.as_str().to_owned()).as_deref(), Some(name));
        }
    }

    #[test]
    fn a_path_is_relative_and_stays_below() {
        for path in ["a", "a/b", "ä/…/c d"] {
            assert!(FolderPath::new(path).is_some(), "{path}");
        }
        for path in ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a\\b", "C:\\x"] {
            assert!(FolderPath::new(path).is_none(), "{path}");
        }
    }
}
