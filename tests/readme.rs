//! The README keeps its word: its examples are the files that the tests run, its commands exist, and what
//! it links to is there.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::path::Path;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The files named before a code block, with the block.
fn examples(readme: &str) -> Vec<(String, String)> {
    let mut examples = Vec::new();
    for part in readme.split("<!-- tests/").skip(1) {
        let (path, rest) = part.split_once(" -->\n```").unwrap();
        let (_, rest) = rest.split_once('\n').unwrap();
        let (block, _) = rest.split_once("```\n").unwrap();
        examples.push((format!("tests/{path}"), block.to_owned()));
    }
    examples
}

/// `ROOMDROP_WRITE_README=1` puts the files into the README.
#[test]
fn an_example_in_the_readme_is_the_one_that_is_tested() {
    let mut readme = read("README.md");
    if std::env::var_os("ROOMDROP_WRITE_README").is_some() {
        for (path, block) in examples(&readme) {
            let head = readme.find(&format!("<!-- {path} -->")).unwrap();
            let start = head + readme[head..].find("```").unwrap();
            let start = start + readme[start..].find('\n').unwrap() + 1;
            readme.replace_range(start..start + block.len(), &read(&path));
        }
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"), &readme).unwrap();
    }
    let examples = examples(&readme);
    assert_eq!(examples.len(), 9);
    for (path, block) in examples {
        assert!(block == read(&path), "{path} and the README differ");
    }
}

#[test]
fn every_make_target_in_the_readme_exists() {
    let makefile = read("Makefile");
    let readme = read("README.md");
    let targets: Vec<&str> =
        readme.lines().filter_map(|line| line.strip_prefix("make ")?.split_whitespace().next()).collect();
    assert!(targets.len() >= 5, "{targets:?}");
    for target in targets {
        assert!(makefile.contains(&format!(".PHONY: {target}")), "make {target}");
    }
}

#[test]
fn the_protocol_reference_names_every_error_and_its_status() {
    let reference = read("PROTOCOL.md");
    for code in roomdrop::protocol::ErrorCode::ALL {
        assert!(reference.contains(&format!("`{code}` {}", code.status())), "{code} {}", code.status());
    }
}

#[test]
fn every_link_in_the_readme_leads_somewhere() {
    let readme = read("README.md");
    let targets =
        readme.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    for target in targets.filter(|target| !target.starts_with("http")) {
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let file = if file.is_empty() { "README.md" } else { file };
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists(), "{target}");
        assert!(heading.is_empty() || headings(&read(file)).contains(&heading.to_owned()), "{target}");
    }
}

/// The names by which links know a page's headings, as code forges make them.
fn headings(page: &str) -> Vec<String> {
    let name = |heading: &str| heading.trim_matches(['#', ' ']).to_lowercase().replace(' ', "-");
    let kept = |name: String| name.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
    page.lines().filter(|line| line.starts_with('#')).map(name).map(kept).collect()
}
