//! The experiments of `docs/EXPERIMENTS.md` and the adapters of fifty languages, made and measured anew. Knows only how they are
//! built and started.

use crate::shell::{Result, command, run, stage};

/// The crate's own code optimised, its dependencies as the tests have built them: nothing else is compiled twice.
const FAST: &str = "profile.dev.opt-level=2";

pub fn experiments(args: &[String]) -> Result {
    stage(
        "measuring the experiments",
        "two to five minutes after a minute of building; one alone takes seconds",
        || example("experiments", args),
    )
}

pub fn languages(args: &[String]) -> Result {
    stage(
        "training fifty adapters and measuring each on all languages",
        "some twenty minutes after a minute of building; what is finished is kept if it is stopped",
        || example("languages", args),
    )
}

fn example(name: &str, args: &[String]) -> Result {
    let mut cargo = command("cargo run --locked --package lora-playground --config");
    run(cargo.args([FAST, "--example", name, "--"]).args(args))
}
