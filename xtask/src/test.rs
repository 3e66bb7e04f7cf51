//! Everything that must hold, stage by stage. Every stage runs, whatever the ones before it found, so that one run
//! shows all there is to mend.

use std::{path::Path, process::Command, time::Instant};

use crate::{
    package, page,
    shell::{Result, command, run, stage},
    tools::{self, Browser},
    wheel,
};

pub fn test(args: &[String]) -> Result {
    let fast = match args {
        [] => false,
        [flag] if flag == "--fast" => true,
        _ => return Err(format!("test takes --fast or nothing, not {args:?}")),
    };
    let mut report = Report::default();

    report.stage("format", "a second", || run(&mut command("cargo fmt --all --check")));
    report.stage("clippy, native", "one or two minutes", || {
        run(&mut command("cargo clippy --locked --workspace --all-targets -- -D warnings"))
    });
    report.stage("native tests", "a quarter of an hour on two cores", native);
    if !fast {
        match browser_tools() {
            Ok(browser) => in_browser(&mut report, &browser),
            Err(error) => report.failed.push(format!("everything in the browser ({error})")),
        }
    }
    report.conclude()
}

fn browser_tools() -> Result<Browser> {
    tools::for_page()?;
    tools::for_package()?;
    tools::for_browser()
}

fn in_browser(report: &mut Report, browser: &Browser) {
    for product in ["studio", "api"] {
        report.stage(&format!("clippy, wasm with the {product}"), "a minute", || {
            run(&mut clippy_wasm(&format!("--no-default-features --features {product}")))
        });
    }
    report.stage("wasm tests in Chromium", "six minutes", || wasm_pack(browser));
    let page = report.stage("release page", "three minutes", page::build);
    let package = report.stage("npm package", "a minute", package::package);
    let mut programs = None;
    let notebook = page
        && report.stage("Python package for notebooks", "a minute", || {
            programs = Some(wheel::for_tests()?);
            wheel::test()
        });
    if let (true, true, Some(programs)) = (package, notebook, programs) {
        report.stage("end to end in Chromium", "half an hour or more", || end_to_end(browser, &programs));
    } else {
        report.failed.push("end to end in Chromium (nothing to test: a build failed)".into());
    }
}

fn native() -> Result {
    let driver = tools::software_vulkan()?;
    println!("  GPU tests run on {}", driver.display());
    run(command("cargo test --locked --workspace --no-fail-fast").env("VK_DRIVER_FILES", driver))
}

fn clippy_wasm(features: &str) -> Command {
    let clippy = "cargo clippy --locked --package lora-playground --target wasm32-unknown-unknown --all-targets";
    command(&format!("{clippy} {features} -- -D warnings"))
}

fn wasm_pack(browser: &Browser) -> Result {
    let mut test = tools::with_tools(command("wasm-pack test --headless --chrome --chromedriver"));
    run(test.arg(&browser.chromedriver))
}

fn end_to_end(browser: &Browser, notebook: &Path) -> Result {
    tools::node_modules("tests/e2e")?;
    let mut specs: Vec<_> = std::fs::read_dir("tests/e2e")
        .map_err(|e| format!("cannot list tests/e2e: {e}"))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(".spec.mjs"))
        .collect();
    specs.sort();
    let mut test = command("node --test --test-reporter=spec --test-concurrency=1");
    run(test.args(specs).env("CHROMIUM", &browser.chromium).env("NOTEBOOK", notebook))
}

#[derive(Default)]
struct Report {
    lines: Vec<String>,
    failed: Vec<String>,
}

impl Report {
    fn stage(&mut self, name: &str, estimate: &str, work: impl FnOnce() -> Result) -> bool {
        let begun = Instant::now();
        let passed = stage(name, estimate, work).is_ok();
        let verdict = if passed { "ok" } else { "FAILED" };
        self.lines.push(format!("{:>8.1} s  {verdict:<6}  {name}", begun.elapsed().as_secs_f64()));
        if !passed {
            self.failed.push(name.into());
        }
        passed
    }

    fn conclude(self) -> Result {
        println!("\n{}", self.lines.join("\n"));
        if self.failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", self.failed.join("; "))) }
    }
}
