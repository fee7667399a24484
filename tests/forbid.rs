//! What may not stand in a file we wrote: leftovers, sleeping tests, files that ate the house, files that
//! do not say why they exist. It looks at text alone and knows nothing of what the code means.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what is wrong")]

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

/// Lines a file may have before its tests.
const MOST_LINES: usize = 400;

/// Written by a test of the protocol from the Rust types, so as long as there are types.
const GENERATED: &str = "client-demo/src/sdk/protocol.ts";

/// Built or installed, by us or by tools; not ours to judge.
const NOT_OURS: &[&str] = &[".git", ".venv", "target", "node_modules", "dist", "dist-sdk", "output"];

const CODE: &[&str] = &["rs", "ts", "tsx", "mjs", "js", "py"];

#[test]
fn nothing_is_left_to_be_done() {
    // Put together here, so that this file may be looked at too.
    let leftovers = [
        "todo!@(",
        "unimplemented!@(",
        "dbg!@(",
        "FIX@ME",
        "XX@X",
        "#[ign@ore",
        "it.sk@ip(",
        "it.on@ly(",
        "test.sk@ip(",
        "test.on@ly(",
        "describe.sk@ip(",
        "describe.on@ly(",
    ]
    .map(|word| word.replace('@', ""));
    refuse(&files(".", CODE), |line| leftovers.iter().any(|word| line.contains(word)));
}

#[test]
fn tests_wait_for_conditions_and_never_for_time() {
    let naps = ["sle@ep(", "waitFor@Timeout("].map(|word| word.replace('@', ""));
    let tests = [files("tests", CODE), files("client-demo/e2e", CODE)].concat();
    refuse(&tests, |line| naps.iter().any(|word| line.contains(word)));
}

#[test]
fn a_file_is_short_enough_to_be_read() {
    let long: Vec<_> = files(".", CODE)
        .into_iter()
        .filter(|file| !is_test(file) && !file.ends_with(GENERATED))
        .map(|file| (lines_before_tests(&read(&file)), file))
        .filter(|(lines, _)| *lines > MOST_LINES)
        .collect();
    assert!(
        long.is_empty(),
        "more than {MOST_LINES} lines before the tests; split them by concept: {long:#?}"
    );
}

#[test]
fn a_file_opens_by_saying_why_it_exists() {
    let silent: Vec<_> = files(".", CODE).into_iter().filter(|file| !says_why(file, &read(file))).collect();
    assert!(silent.is_empty(), "without a comment (Rust: //!) at the top: {silent:#?}");
}

#[test]
fn the_rules_themselves_can_fail() {
    assert_eq!(lines_before_tests("//! a\nfn a() {}\n\n#[cfg(test)]\nmod tests {}\n"), 3);
    assert_eq!(
        lines_before_tests("a\n    #[cfg(test)]\nb\n"),
        3,
        "only what stands at the margin begins the tests"
    );
    assert!(says_why(Path::new("a.rs"), "//! Why.\n"));
    assert!(!says_why(Path::new("a.rs"), "// Why.\n"));
    assert!(!says_why(Path::new("a.rs"), "//!\n"));
    for good in ["/** Why. */", "// Why.", "#!/usr/bin/env node\n// Why.", "/* Why. */"] {
        assert!(says_why(Path::new("a.ts"), good), "{good}");
    }
    assert!(!says_why(Path::new("a.ts"), "import a from 'a';\n// Why."));
    assert!(says_why(Path::new("a.py"), "\"\"\"Why.\"\"\"") && says_why(Path::new("a.py"), "# Why."));
    assert!(is_test(Path::new("src/config/tests.rs")) && is_test(Path::new("client-demo/src/sdk/a.test.ts")));
    assert!(is_test(Path::new("src/hub/room_task/tests/people.rs")));
    assert!(!is_test(Path::new("src/relay/contest.rs")));
    assert!(!is_test(&root().join("tests/simulator/world.rs")));
    assert!(files(".", &["rs"]).contains(&root().join("tests/forbid.rs")));
}

fn refuse(files: &[PathBuf], is_wrong: impl Fn(&str) -> bool) {
    let mut wrong = Vec::new();
    for file in files {
        for (index, line) in read(file).lines().enumerate() {
            if is_wrong(line) {
                wrong.push(format!("{}:{}: {}", file.display(), index + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

fn lines_before_tests(text: &str) -> usize {
    text.lines().take_while(|line| *line != "#[cfg(test)]").count()
}

fn says_why(file: &Path, text: &str) -> bool {
    let first = text.lines().find(|line| !line.starts_with("#!")).unwrap_or_default();
    let marks: &[&str] = match file.extension().and_then(|extension| extension.to_str()) {
        Some("rs") => &["//!"],
        Some("py") => &["#", "\"\"\""],
        _ => &["//", "/*"],
    };
    marks.iter().any(|mark| first.strip_prefix(mark).is_some_and(|rest| rest.len() > 2))
        || first.trim() == "/**"
}

/// Whether a file holds tests alone. What helps the tests below `tests/` is code like any other.
fn is_test(file: &Path) -> bool {
    let name = file.file_name().unwrap().to_str().unwrap();
    let below = file.strip_prefix(root()).unwrap_or(file);
    name == "tests.rs"
        || name.contains(".test.")
        || below.iter().skip(1).any(|part| part == "tests" || part == "e2e")
}

fn files(below: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let below = root().join(below);
    if !below.exists() {
        return Vec::new();
    }
    WalkDir::new(below.canonicalize().unwrap())
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry: &DirEntry| !NOT_OURS.iter().any(|name| entry.file_name() == *name))
        .map(|entry| entry.unwrap().into_path())
        .filter(|file| file.extension().is_some_and(|found| extensions.iter().any(|wanted| found == *wanted)))
        .collect()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().unwrap()
}
