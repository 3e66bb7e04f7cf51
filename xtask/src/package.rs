//! The npm package of the JavaScript API: built by wasm-pack, with the manifest and README of www/npm.

use std::{fs, path::Path};

use crate::{
    order::order,
    shell::{Result, command, run, stage},
    tools,
};

pub fn package() -> Result {
    tools::for_package()?;
    stage("building the npm package into pkg/", "about 3 minutes the first time, then under a minute", || {
        // Nobody waits for its first paint, so that speed is worth more than size: a sixth on the CPU.
        let build = "wasm-pack build . --release --no-opt --no-pack --no-gitignore --target web --out-dir pkg \
                     --out-name lora_playground -- --no-default-features --features api --locked \
                     --config profile.release.opt-level=3";
        run(&mut tools::with_tools(command(build)))?;
        order(Path::new("pkg/lora_playground_bg.wasm"))?;
        complete()
    })
}

fn complete() -> Result {
    // What is imported is the engine behind its guards.
    fs::rename("pkg/lora_playground.js", "pkg/engine.js")
        .map_err(|e| format!("cannot rename the engine's glue: {e}"))?;
    write("pkg/lora_playground.js", read("www/npm/lora_playground.js")?)?;
    let manifest = read("www/npm/package.json")?.replace("\"0.0.0\"", &format!("\"{}\"", env!("CARGO_PKG_VERSION")));
    write("pkg/package.json", manifest)?;
    fs::create_dir_all("pkg/data").map_err(|e| format!("cannot make the folder pkg/data: {e}"))?;
    fs::create_dir_all("pkg/data/lm").map_err(|e| format!("cannot make the folder pkg/data/lm: {e}"))?;
    // The small language model and its texts, likewise.
    for name in ["config.json", "model.safetensors", "texts.json"] {
        let (from, to) = (format!("www/data/lm/{name}"), format!("pkg/data/lm/{name}"));
        fs::copy(&from, &to).map_err(|e| format!("cannot copy {from} to {to}: {e}"))?;
    }
    for (from, to) in [
        ("www/npm/README.md", "pkg/README.md"),
        ("LICENSE-MIT", "pkg/LICENSE-MIT"),
        ("LICENSE-APACHE", "pkg/LICENSE-APACHE"),
        // The digits, which the engine looks for beside itself.
        ("www/data/digits.csv", "pkg/data/digits.csv"),
        ("www/data/ORIGIN.md", "pkg/data/ORIGIN.md"),
    ] {
        write(to, read(from)?)?;
    }
    Ok(())
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).map_err(|e| format!("cannot read {path}: {e}"))
}

fn write(path: &str, text: String) -> Result {
    fs::write(path, text).map_err(|e| format!("cannot write {path}: {e}"))
}
