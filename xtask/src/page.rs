//! The page, built into dist/: the engine with its glue, index.html, and what www/ holds. What a visitor seldom asks for is
//! cut off the engine behind the functions marked `wasm_split`, and is fetched when one of them is called.
//!
//! The page is one static folder that works from any sub-path, so every address in it is relative and no file name carries
//! a hash.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use wasm_split_cli_support as wasm_split;

use crate::{
    order::order,
    shell::{Result, command, run, stage, target_dir},
    tools,
};

pub const DIST: &str = "dist";
const ENGINE: &str = "lora-playground_bg.wasm";
/// In www/ beside the page's files: what the npm package is completed with.
const PACKAGE: &str = "npm";

pub fn build() -> Result {
    tools::for_page()?;
    stage("building the release page into dist/", "about 3 minutes the first time, then about a minute", || {
        // Where the cuts are, the splitter reads from the linker's relocations.
        run(command(
            "cargo rustc --release --offline --locked --package lora-playground --lib --features studio \
             --target wasm32-unknown-unknown",
        )
        .args(["--", "-C", "link-arg=--emit-relocs"]))?;
        let dist = Path::new(DIST);
        let fresh = target_dir().join("page");
        let made = clear(&fresh).and_then(|()| copy(Path::new("www"), &fresh));
        made.map_err(|error| format!("cannot copy www/ to {}: {error}", fresh.display()))?;
        let parts = split(&fresh)?;
        let main = fresh.join("main.wasm");
        run(tools::with_tools(command("wasm-bindgen --target web --no-typescript --keep-lld-exports")).args([
            "--out-name".as_ref(),
            "lora-playground".as_ref(),
            "--out-dir".as_ref(),
            fresh.as_os_str(),
            main.as_os_str(),
        ]))?;
        for part in parts.iter().chain([&fresh.join(ENGINE)]) {
            order(part)?;
        }
        let finished = fs::remove_file(main).and_then(|()| index(&fresh)).and_then(|()| clear(dist));
        let placed = finished.and_then(|()| copy(&fresh, dist));
        placed.map_err(|error| format!("cannot write {DIST}/: {error}"))
    })
}

/// Cuts the linked engine into main.wasm and its parts, in `dir`, with the script that fetches them; gives the parts.
fn split(dir: &Path) -> Result<Vec<PathBuf>> {
    let linked = target_dir().join("wasm32-unknown-unknown/release/lora_playground.wasm");
    let whole = fs::read(&linked).map_err(|error| format!("cannot read {}: {error}", linked.display()))?;
    let main = dir.join("main.wasm");
    let mut options = wasm_split::Options::new(&whole);
    options.output_dir = dir;
    options.main_out_path = &main;
    options.main_module = "./lora-playground.js";
    let split = wasm_split::transform(options).map_err(|error| format!("cannot split the engine: {error:#}"))?;
    Ok(split.split_modules)
}

/// Tells the page how large the engine is: of a compressed download, the browser says only how much has come.
fn index(dir: &Path) -> io::Result<()> {
    let bytes = fs::metadata(dir.join(ENGINE))?.len();
    let html = fs::read_to_string("index.html")?.replace("data-bytes=\"\"", &format!("data-bytes=\"{bytes}\""));
    fs::write(dir.join("index.html"), html)
}

fn clear(dir: &Path) -> io::Result<()> {
    if dir.exists() { fs::remove_dir_all(dir) } else { Ok(()) }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if !entry.file_type()?.is_dir() {
            fs::copy(entry.path(), target)?;
        } else if entry.path() != Path::new("www").join(PACKAGE) {
            copy(&entry.path(), &target)?;
        }
    }
    Ok(())
}
