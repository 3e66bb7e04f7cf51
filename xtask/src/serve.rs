//! The page: built and served by Trunk.

use crate::{
    shell::{Result, command, run, stage},
    tools,
};

pub fn build() -> Result {
    tools::for_page()?;
    stage("building the release page into dist/", "about 4 minutes the first time, then about a minute", || {
        run(&mut tools::with_tools(command("trunk build --release --offline --locked --skip-version-check")))
    })
}

pub fn serve(args: &[String]) -> Result {
    let port = match args {
        [] => "8080",
        [flag, port] if flag == "--port" && port.parse::<u16>().is_ok() => port,
        _ => return Err(format!("serve takes --port N, not {args:?}")),
    };
    tools::for_page()?;
    println!("\n▸ building the release page and serving it (about 4 minutes the first time, then about a minute)");
    println!("  http://127.0.0.1:{port} once Trunk says that it is serving; Ctrl-C ends it");
    run(tools::with_tools(command("trunk serve --release --offline --locked --skip-version-check --port")).arg(port))
}
