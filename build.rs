//! Puts the page into the binary: what `make page` has built in `client-demo/dist`, or, where it has not,
//! a page that says how. It never runs Node: `cargo build` alone always works.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

const BUILT: &str = "client-demo/dist";
const UNBUILT: &str = "src/http/unbuilt.html";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={UNBUILT}");
    // A path that does not exist counts as always changed, and everything would be compiled every time.
    // Where the source is read-only, that is all that happens.
    let _ = fs::create_dir_all(BUILT);
    println!("cargo::rerun-if-changed={BUILT}");

    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let page = page_directory(&out)?;
    let code =
        memory_serve::assets_to_code(&page.to_string_lossy(), &page, &out, true, tell_what_is_left_out);
    fs::write(out.join("page.rs"), code)
}

/// The rest of what it says is of no use to anybody.
fn tell_what_is_left_out(line: &str) {
    if line.starts_with("skipping") {
        println!("cargo::warning={line}");
    }
}

fn page_directory(out: &Path) -> io::Result<PathBuf> {
    let built = env::current_dir()?.join(BUILT);
    if built.join("index.html").is_file() {
        return Ok(built);
    }
    let unbuilt = out.join("unbuilt");
    fs::create_dir_all(&unbuilt)?;
    fs::copy(UNBUILT, unbuilt.join("index.html"))?;
    Ok(unbuilt)
}
