//! What Trunk's build lacks, done by its hook, so that `trunk build`, `trunk serve` and all that stands on them have it:
//! the whole page with the studio, which is the same crate built a second time, with all features, into the folder
//! `studio/`; and
//! files without what only developers read.

use std::{env, path::PathBuf};

use crate::{
    shell::{Result, command, run, target_dir},
    tools,
    trim::{shorten, trim},
};

const TARGET: &str = "wasm32-unknown-unknown";
/// Written by hand, or with names in them.
const TRIMMED: [&str; 9] = [
    "boot.js",
    "worker.js",
    "style.css",
    "lora-playground_bg.wasm",
    "studio/boot.js",
    "studio/worker.js",
    "studio/studio.css",
    "studio/lab.css",
    "studio/engine_bg.wasm",
];

pub fn hook() -> Result {
    let Some(staging) = env::var_os("TRUNK_STAGING_DIR").map(PathBuf::from) else {
        return Err("this is a step of Trunk's build: `cargo xtask build`".into());
    };
    let release = env::var("TRUNK_PROFILE").is_ok_and(|profile| profile == "release");
    let (flag, folder) = if release { ("--release", "release") } else { ("", "debug") };
    let build = format!(
        "cargo build --quiet --offline --locked --package lora-playground --lib --target {TARGET} \
         --no-default-features --features app,studio {flag}"
    );
    run(&mut command(&build))?;
    let engine = target_dir().join(TARGET).join(folder).join("lora_playground.wasm");
    let mut glue = tools::with_tools(command("wasm-bindgen --target web --no-typescript --out-name engine --out-dir"));
    run(glue.arg(staging.join("studio")).arg(engine))?;
    if !release {
        return Ok(());
    }
    TRIMMED.iter().try_for_each(|file| trim(&staging.join(file)))?;
    for name in ["lora-playground", "studio/engine"] {
        shorten(&staging.join(format!("{name}.js")), &staging.join(format!("{name}_bg.wasm")))?;
    }
    Ok(())
}
