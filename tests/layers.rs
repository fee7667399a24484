//! The table of who may import whom, held as data. An import that runs upward or sideways fails here, and
//! so does a module that nobody has given a place. Test code is exempt: it may look from anywhere.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what is wrong")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use walkdir::WalkDir;

/// A module and what of ours it may import. Read from the top: arrows run downward only.
const TABLE: &[(&str, &[&str])] = &[
    ("main", &["app", "log", "config"]),
    ("lib", &[]),
    (
        "app",
        &[
            "gateway", "fetch", "http", "tus", "depot", "upload", "hub", "hooks", "broker", "net", "relay",
            "transfer", "room", "store", "config", "protocol",
        ],
    ),
    ("gateway", &["fetch", "hub", "broker", "net", "relay", "transfer", "room", "config", "protocol"]),
    (
        "http",
        &[
            "tus", "upload", "hub", "broker", "store", "net", "relay", "transfer", "room", "config",
            "protocol",
        ],
    ),
    ("fetch", &["hub", "broker", "transfer", "room", "protocol"]),
    ("tus", &["depot", "hub", "room", "store", "protocol"]),
    ("depot", &["hub", "room", "store", "protocol"]),
    ("upload", &["store", "protocol"]),
    ("hub", &["hooks", "broker", "relay", "transfer", "room", "config", "protocol"]),
    ("hooks", &["protocol"]),
    ("broker", &["net", "protocol"]),
    ("store", &["protocol"]),
    ("log", &["config"]),
    ("net", &[]),
    ("relay", &["protocol"]),
    ("transfer", &["protocol"]),
    ("room", &["protocol"]),
    ("protocol", &[]),
    ("config", &[]),
];

/// The machines, and the words they speak: handed time, input and randomness, never fetching them.
const PURE: &[&str] = &["relay", "transfer", "room", "protocol"];

/// What would let a pure module reach a clock, a socket, a file, a thread or chance.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio_util",
    "axum",
    "hyper",
    "hyper_util",
    "tower",
    "socketioxide",
    "socket2",
    "rand",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

#[test]
fn imports_run_downward_only() {
    let mut wrong = Vec::new();
    for file in sources() {
        let place = Place::of(&file);
        let text = fs::read_to_string(&file).unwrap();
        for (line, what) in violations(&place, &text) {
            wrong.push(format!("{}:{line}: {what}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_module_has_its_place_in_the_table() {
    let modules: BTreeSet<_> = sources().iter().map(|file| Place::of(file).module).collect();
    let placed: BTreeSet<_> = TABLE.iter().map(|(module, _)| (*module).to_owned()).collect();
    assert_eq!(modules, placed, "src on the left, the table on the right");
    let front_door = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    for module in modules.iter().filter(|module| !["main", "lib"].contains(&module.as_str())) {
        assert!(front_door.contains(&format!("| [`{module}`] |")), "lib.rs does not say what {module} is");
    }
}

#[test]
fn the_table_itself_runs_downward() {
    for (index, (module, below)) in TABLE.iter().enumerate() {
        for import in *below {
            let at = TABLE.iter().position(|(other, _)| other == import).unwrap();
            assert!(at > index, "{module} is listed below {import}");
        }
    }
}

#[test]
fn main_only_starts() {
    let lines = fs::read_to_string(root().join("src/main.rs")).unwrap().lines().count();
    assert!(lines < 60, "main.rs has {lines} lines");
}

#[test]
fn a_planted_violation_is_caught() {
    for (file, text, caught) in [
        ("relay/lane.rs", "use crate::hub::Handle;", "crate::hub"),
        ("relay/lane.rs", "use crate::{protocol::Id, room::Room};", "crate::room"),
        ("relay/lane.rs", "use super::super::transfer;", "crate::transfer"),
        ("relay/mod.rs", "use super::hub::Handle;", "crate::hub"),
        ("relay/mod.rs", "mod inner { use super::super::hub; }", "crate::hub"),
        ("relay/lane.rs", "fn f() { let x = crate::gateway::f(); }", "crate::gateway"),
        ("relay/lane.rs", "fn f() { trace!(x = crate::app::NAME); }", "crate::app"),
        ("relay/lane.rs", "pub(crate) use crate::net::{self};", "crate::net"),
        ("config/mod.rs", "use crate::protocol;", "crate::protocol"),
        ("gateway/mod.rs", "use crate::http::page;", "crate::http"),
        ("main.rs", "use roomdrop::hub::Hub;", "crate::hub"),
        ("room/mod.rs", "use crate::*;", "crate::*"),
        ("room/mod.rs", "use std::time::{Duration, Instant};", "std::time::Instant"),
        ("room/mod.rs", "use std::{fmt, fs::File};", "std::fs"),
        ("room/mod.rs", "use std::time;", "std::time"),
        ("room/mod.rs", "use std::time::*;", "std::time"),
        ("room/mod.rs", "use ::tokio::sync;", "tokio"),
        ("room/mod.rs", "fn f() { std::time::SystemTime::now(); }", "std::time::SystemTime"),
    ] {
        let found = violations(&Place::of(&root().join("src").join(file)), text);
        assert_eq!(found.len(), 1, "{file}: {text}: {found:?}");
        assert!(found[0].1.contains(caught), "{found:?}");
    }
}

#[test]
fn what_is_allowed_passes() {
    for (file, text) in [
        ("relay/lane.rs", "use crate::protocol::{Id, code};"),
        ("relay/lane.rs", "use crate::relay::window; use super::window; use self::inner::X;"),
        ("relay/lane.rs", "// use crate::hub;\n/// [`crate::hub`]\nconst X: &str = \"crate::hub tokio::\";"),
        ("relay/lane.rs", "#[cfg(test)] mod tests { use crate::hub; use tokio::time; }"),
        ("relay/lane.rs", "#[cfg(test)] mod tests;\n#[cfg(test)] use std::time::Instant;"),
        ("relay/lane.rs", "use std::time::Duration; fn f(hub: u8) { x.tokio; y::tokio::z(); }"),
        ("relay/lane.rs", "macro_rules! m { () => { $crate::relay::x() } }"),
        ("hub/mod.rs", "use tokio::time::Instant; use crate::{config::Limits, relay, transfer};"),
        ("main.rs", "use roomdrop::{app, config::Config};"),
    ] {
        let found = violations(&Place::of(&root().join("src").join(file)), text);
        assert!(found.is_empty(), "{file}: {text}: {found:?}");
    }
}

/// Where a file stands: its module below the crate's root, and how deep in it.
struct Place {
    module: String,
    depth: usize,
}

impl Place {
    fn of(file: &Path) -> Self {
        let inner = file.strip_prefix(root().join("src")).unwrap().with_extension("");
        let mut names: Vec<_> = inner.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
        names.pop_if(|name| name == "mod");
        let depth = if ["main", "lib"].contains(&names[0].as_str()) { 0 } else { names.len() };
        Self { module: names.swap_remove(0), depth }
    }
}

/// Every path in `text` that may not stand there, with its line.
fn violations(place: &Place, text: &str) -> Vec<(usize, String)> {
    let allowed = TABLE.iter().find(|(module, _)| *module == place.module).map_or(&[][..], |row| row.1);
    let mut paths = Vec::new();
    collect(text.parse().unwrap(), place.depth, &mut paths);
    paths.into_iter().filter_map(|(line, path)| Some((line, wrong(place, allowed, &path)?))).collect()
}

fn wrong(place: &Place, allowed: &[&str], path: &[String]) -> Option<String> {
    if path[0] == "crate" || (path[0] == "roomdrop" && place.module == "main") {
        let module = path.get(1).map_or("*", String::as_str);
        let is_module = module == "*" || TABLE.iter().any(|(name, _)| *name == module);
        let is_fine = !is_module || module == place.module || allowed.contains(&module);
        return (!is_fine).then(|| format!("{} may not import crate::{module}", place.module));
    }
    if !PURE.contains(&place.module.as_str()) {
        return None;
    }
    // A path that stops short of the banned thing (`use std::time;`) only hides where it is reached.
    let reaches = |banned: &&&str| banned.split("::").zip(path).all(|(theirs, ours)| theirs == ours);
    let banned = IMPURE.iter().find(reaches)?;
    Some(format!("{} is pure and may not import {}: it reaches {banned}", place.module, path.join("::")))
}

/// Gathers the paths that name something from elsewhere: what `use` brings in, and whatever is written out
/// with `::`. They begin with `crate` or the name of a library. `depth` is how many modules we are in.
fn collect(tokens: TokenStream, depth: usize, found: &mut Vec<(usize, Vec<String>)>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' && is_test_only(tokens.get(at + 1)) => {
                at += 2;
                while tokens.get(at).is_some_and(|token| !ends_an_item(token)) {
                    at += 1;
                }
            }
            TokenTree::Ident(word) if word == "mod" => {
                if let Some(TokenTree::Group(body)) = tokens.get(at + 2) {
                    collect(body.stream(), depth + 1, found);
                    at += 2;
                }
            }
            TokenTree::Ident(word) if word == "use" => {}
            TokenTree::Ident(_) => {
                let is_import = at > 0 && matches!(&tokens[at - 1], TokenTree::Ident(word) if word == "use");
                let mut paths = Vec::new();
                at = follow(&tokens, at, &[], &mut paths);
                paths.retain(|(_, path)| is_import || path.len() > 1);
                found.extend(
                    paths.into_iter().filter_map(|(line, path)| Some((line, absolute(path, depth)?))),
                );
                continue;
            }
            TokenTree::Group(group) => collect(group.stream(), depth, found),
            _ => {}
        }
        at += 1;
    }
}

fn is_test_only(attribute: Option<&TokenTree>) -> bool {
    matches!(attribute, Some(TokenTree::Group(group)) if group.stream().to_string().replace(' ', "") == "cfg(test)")
}

fn ends_an_item(token: &TokenTree) -> bool {
    match token {
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        _ => false,
    }
}

/// Reads the path that begins at `at`, below `prefix`, and every branch of it where it ends in braces.
/// Returns where it ends.
fn follow(
    tokens: &[TokenTree],
    at: usize,
    prefix: &[String],
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let line = tokens[at].span().start().line;
    let mut path = prefix.to_vec();
    let mut at = at;
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(word)) => path.push(word.to_string()),
            Some(TokenTree::Punct(star)) if star.as_char() == '*' && path.len() > prefix.len() => {
                found.push((line, path));
                return at + 1;
            }
            Some(TokenTree::Group(branches)) if branches.delimiter() == Delimiter::Brace => {
                let inner: Vec<_> = branches.stream().into_iter().collect();
                for branch in inner.split(|token| matches!(token, TokenTree::Punct(p) if p.as_char() == ','))
                {
                    if !branch.is_empty() {
                        follow(branch, 0, &path, found);
                    }
                }
                return at + 1;
            }
            _ => break,
        }
        at += 1;
        if !is_separator(tokens, at) {
            break;
        }
        at += 2;
    }
    path.pop_if(|last| last == "self");
    if !path.is_empty() {
        found.push((line, path));
    }
    at
}

fn is_separator(tokens: &[TokenTree], at: usize) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(colon)) if colon.as_char() == ':' && colon.spacing() == Spacing::Joint)
        && matches!(tokens.get(at + 1), Some(TokenTree::Punct(colon)) if colon.as_char() == ':')
}

/// The path seen from the crate's root; `None` where it stays within the module.
fn absolute(path: Vec<String>, depth: usize) -> Option<Vec<String>> {
    let up = path.iter().take_while(|name| *name == "super").count();
    match path[0].as_str() {
        "self" | "Self" => None,
        "super" if up < depth => None,
        "super" => Some([&["crate".to_owned()], &path[up..]].concat()),
        _ => Some(path),
    }
}

/// The files of `src` that are part of the program.
fn sources() -> Vec<PathBuf> {
    let all: Vec<_> = WalkDir::new(root().join("src"))
        .sort_by_file_name()
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    let test_only: Vec<_> = all.iter().flat_map(|file| test_modules(file)).collect();
    all.into_iter().filter(|file| !test_only.iter().any(|module| file.starts_with(module))).collect()
}

/// The files and directories of the modules that `file` declares for tests alone.
fn test_modules(file: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(file).unwrap();
    let is_directory = ["mod", "lib", "main"].iter().any(|name| file.file_stem().unwrap() == *name);
    let beside = if is_directory { file.parent().unwrap().to_owned() } else { file.with_extension("") };
    let lines: Vec<_> = text.lines().collect();
    lines
        .windows(2)
        .filter(|pair| pair[0].trim() == "#[cfg(test)]")
        .filter_map(|pair| pair[1].trim().split_once("mod ")?.1.strip_suffix(';'))
        .flat_map(|name| [beside.join(format!("{name}.rs")), beside.join(name)])
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
