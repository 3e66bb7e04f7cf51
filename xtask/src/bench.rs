//! What is measured rather than tested: training steps beside other libraries, start-up and long tasks of the page,
//! and screenshots.

use std::path::absolute;

use crate::{
    package, page,
    shell::{Result, command, run, stage, target_dir},
    tools::{self, Browser},
};

pub fn bench(args: &[String]) -> Result {
    let browser = tools::for_browser()?;
    page::build()?;
    tools::node_modules("tests/e2e")?;
    if let Some((_, rest)) = args.split_first().filter(|(first, _)| *first == "--start") {
        let rest: Vec<_> = rest.iter().map(String::as_str).collect();
        return stage("timing the page's start", "a minute or two", || script(&browser, "bench/start.mjs", &rest));
    }
    package::package()?;
    if !args.iter().any(|argument| argument == "--no-peers") {
        tools::node_modules("bench")?;
    }
    let out = target_dir().join("bench.json");
    let out = absolute(&out).map_err(|e| format!("{}: {e}", out.display()))?.to_string_lossy().into_owned();
    let with_out: Vec<_> = ["--out", &out].into_iter().chain(args.iter().map(String::as_str)).collect();
    stage("timing training steps", "about 6 minutes with peers, one without", || {
        script(&browser, "bench/steps.mjs", &with_out)
    })?;
    stage("timing the page", "about a minute", || script(&browser, "bench/page.mjs", &["--out", &out]))
}

pub fn shots(args: &[String]) -> Result {
    let default = target_dir().join("shots").to_string_lossy().into_owned();
    let dir = match args {
        [] => &default,
        [dir] => dir,
        _ => return Err(format!("shots takes one directory, not {args:?}")),
    };
    let browser = tools::for_browser()?;
    page::build()?;
    tools::node_modules("tests/e2e")?;
    stage("taking screenshots", "two or three minutes", || script(&browser, "bench/shots.mjs", &[dir]))
}

fn script(browser: &Browser, script: &str, args: &[&str]) -> Result {
    run(command("node").arg(script).args(args).env("CHROMIUM", &browser.chromium))
}
