//! What the files are called in a ZIP, and the ZIP itself. Names of files are valid when they come here;
//! what is refused in addition is whatever the receiver's disk could take for another place, and two
//! entries that would be one file there.

use std::collections::{HashMap, HashSet};

use crate::hub::File;

/// The name of a ZIP whose files have no folder in common.
const NAMELESS: &str = "roomdrop";

/// The names of these files' entries, in their order: path and name, all different. Letters count as the
/// same in both cases, since on many disks they are; and no file is called as a folder is.
pub(super) fn entries<'a>(files: impl Iterator<Item = &'a File>) -> Vec<String> {
    let wished: Vec<String> = files.map(wish).collect();
    let mut taken = Taken::default();
    for folder in wished.iter().flat_map(|name| folders(name)) {
        taken.names.insert(folder.to_lowercase());
    }
    wished.into_iter().map(|name| taken.take(name)).collect()
}

/// The name of the ZIP: that of the folder which all entries are in, if there is one.
pub(super) fn archive<'a>(mut entries: impl Iterator<Item = &'a str>) -> String {
    let top = |name: &'a str| name.split_once('/').map(|(top, _)| top);
    let first = entries.next().and_then(top);
    let common = first.filter(|first| entries.all(|other| top(other) == Some(*first)));
    format!("{}.zip", common.unwrap_or(NAMELESS))
}

/// Path and name. One that would begin with the letter of a drive (`C:`) does not.
fn wish(file: &File) -> String {
    let name = match &file.path {
        Some(path) => format!("{}/{}", path.as_str(), file.name.as_str()),
        None => file.name.as_str().to_owned(),
    };
    match name.as_bytes() {
        [letter, b':', ..] if letter.is_ascii_alphabetic() => name.replacen(':', "_", 1),
        _ => name,
    }
}

/// The folders above a name: `a`, `a/b` of `a/b/c`.
fn folders(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').filter_map(|(at, _)| name.get(..at))
}

/// What may not be taken again, in lower case.
#[derive(Default)]
struct Taken {
    names: HashSet<String>,
    /// Which number to try next for a name, so that a thousand of the same do not try them all.
    next: HashMap<String, u32>,
}

impl Taken {
    /// The name, or the first of `name (2).ext`, `name (3).ext` and so on that is free.
    fn take(&mut self, name: String) -> String {
        let key = name.to_lowercase();
        if self.names.insert(key.clone()) {
            return name;
        }
        let next = self.next.entry(key).or_insert(2);
        loop {
            let other = numbered(&name, *next);
            *next += 1;
            if self.names.insert(other.to_lowercase()) {
                return other;
            }
        }
    }
}

/// `a/name (2).ext`
fn numbered(name: &str, number: u32) -> String {
    let start = name.rfind('/').map_or(0, |slash| slash + 1);
    // A dot at the very start begins no extension.
    let dot = name.rfind('.').filter(|dot| *dot > start).unwrap_or(name.len());
    let (stem, extension) = name.split_at(dot);
    format!("{stem} ({number}){extension}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{FileName, FolderPath, MediaType};

    fn file(path: &str) -> File {
        let (folder, name) =
            path.rsplit_once('/').map_or((None, path), |(folder, name)| (Some(folder), name));
        File {
            name: FileName::new(name).unwrap(),
            path: folder.map(|folder| FolderPath::new(folder).unwrap()),
            media_type: MediaType::unknown(),
            size: None,
            modified: None,
        }
    }

    fn named(paths: &[&str]) -> Vec<String> {
        let files: Vec<_> = paths.iter().map(|path| file(path)).collect();
        entries(files.iter())
    }

    #[test]
    fn folders_and_names_are_kept() {
        let paths = ["a.txt", "b/a.txt", "b/c/a.txt", "…/\u{202e}gpj.exe", "-rf", " x ", "~/.ssh"];
        assert_eq!(named(&paths), paths);
    }

    #[test]
    fn no_two_entries_are_one_file_on_any_disk() {
        assert_eq!(
            named(&[
                "a.txt",
                "a.txt",
                "A.TXT",
                "a (2).txt",
                "d/a.txt",
                "d/a.txt",
                ".env",
                ".env",
                "x.tar.gz",
                "x.tar.gz"
            ]),
            [
                "a.txt",
                "a (2).txt",
                "A (3).TXT",
                "a (2) (2).txt",
                "d/a.txt",
                "d/a (2).txt",
                ".env",
                ".env (2)",
                "x.tar.gz",
                "x.tar (2).gz",
            ]
        );
    }

    #[test]
    fn no_file_is_called_as_a_folder_is() {
        assert_eq!(named(&["a", "A/b/c", "a/b"]), ["a (2)", "A/b/c", "a/b (2)"]);
    }

    #[test]
    fn no_name_begins_with_a_drive() {
        assert_eq!(named(&["C:/x", "c:y", "é:z", "a/C:/x"]), ["C_/x", "c_y", "é:z", "a/C:/x"]);
    }

    #[test]
    fn thousands_of_the_same_name_are_told_apart_soon() {
        let names = named(&vec!["a.b"; 10_000]);
        assert_eq!(names.last().unwrap(), "a (10000).b");
    }

    #[test]
    fn the_zip_is_called_as_the_folder_that_holds_all() {
        for (entries, name) in [
            (&["trip/a", "trip/b/c"][..], "trip.zip"),
            (&["trip/a", "b"], "roomdrop.zip"),
            (&["trip/a", "trips/b"], "roomdrop.zip"),
            (&["a"], "roomdrop.zip"),
        ] {
            assert_eq!(archive(entries.iter().copied()), name);
        }
    }
}
