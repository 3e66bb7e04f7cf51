//! Developer commands: `cargo xtask <command>`. Orchestrates cargo, wasm-bindgen, wasm-pack and node, installs what is missing,
//! and says what it does and about how long that takes. Knows nothing of what the code it builds means.

mod bench;
mod experiments;
mod likeness;
mod order;
mod package;
mod page;
mod serve;
mod shell;
mod test;
mod tools;
mod wheel;

use shell::Result;

const HELP: &str = "\
cargo xtask <command>

  serve [--port N]       build the release page and serve it at http://127.0.0.1:8080
  build                  build the release page into dist/
  package                build the npm package into pkg/
  wheel                  build the page and the Python package for notebooks into target/wheel/
  test [--fast]          everything that must hold; --fast leaves out what needs a browser
  bench [--rows 64,256] [--no-peers]
                         time training steps beside other libraries; writes bench.json to the target directory
  bench --start [--dist dist,OTHER] [--starts 5]
                         time the page's start on slow lines, beside other builds of it
  experiments [--only ID] [--backend cpu|gpu]
                         every claim's prediction, run and verdict; on the CPU writes docs/EXPERIMENTS.md
  languages [CODE]       train the adapters of fifty languages, measure them, write www/data/lm; may be stopped and resumed;
                         with a language's code, how far five seeds of that one lie apart
  shots [DIR]            screenshots of the page, light and dark, desktop and phone
";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", [].as_slice()),
    };
    if let Err(error) = dispatch(command, rest) {
        eprintln!("\nxtask {command}: {error}");
        std::process::exit(1);
    }
}

fn dispatch(command: &str, args: &[String]) -> Result {
    shell::enter_root()?;
    match command {
        "serve" => serve::serve(args),
        "build" => none(args).and_then(|()| page::build()),
        "package" => none(args).and_then(|()| package::package()),
        "wheel" => none(args).and_then(|()| wheel::wheel()),
        "test" => test::test(args),
        "bench" => bench::bench(args),
        "experiments" => experiments::experiments(args),
        "languages" => experiments::languages(args),
        "shots" => bench::shots(args),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(format!("there is no command \"{other}\"\n\n{HELP}")),
    }
}

fn none(args: &[String]) -> Result {
    match args.first() {
        None => Ok(()),
        Some(argument) => Err(format!("unknown argument \"{argument}\"\n\n{HELP}")),
    }
}
