//! What is measured rather than tested: training steps beside other libraries, start-up and long tasks of the page,
//! and screenshots.

use std::path::Path;

use crate::{
    package, serve,
    shell::{Result, stage},
    test::node,
    tools,
};

pub fn bench(args: &[String]) -> Result {
    let browser = tools::for_browser()?;
    package::package()?;
    serve::build()?;
    tools::node_modules("tests/e2e")?;
    if !args.iter().any(|argument| argument == "--no-peers") {
        tools::node_modules("bench")?;
    }
    let json = std::path::absolute(crate::shell::target_dir().join("bench.json"))
        .map_err(|e| e.to_string())?;
    let mut with_output = vec!["--out".into(), json.to_string_lossy().into_owned()];
    with_output.extend_from_slice(args);
    stage(
        "timing training steps",
        "about 5 minutes with peers",
        || node(&browser, Path::new("bench/steps.mjs"), &with_output),
    )?;
    stage("timing the page", "about a minute", || {
        node(&browser, Path::new("bench/page.mjs"), &[] as &[&str])
    })
}

pub fn shots(args: &[String]) -> Result {
    let dir = match args {
        [] => "target/shots",
        [dir] => dir,
        _ => return Err(format!("shots takes one directory, not {args:?}")),
    };
    let browser = tools::for_browser()?;
    serve::build()?;
    tools::node_modules("tests/e2e")?;
    stage("taking screenshots", "about two minutes", || {
        node(&browser, Path::new("bench/shots.mjs"), &[dir])
    })
}
