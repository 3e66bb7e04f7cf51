//! The experiments of `docs/EXPERIMENTS.md`, measured anew. Knows only how they are built and started.

use crate::shell::{Result, command, run, stage};

/// The crate's own code optimised, its dependencies as the tests have built them: nothing else is compiled twice.
const FAST: &str = "profile.dev.opt-level=2";

pub fn experiments(args: &[String]) -> Result {
    stage(
        "measuring the experiments",
        "two to five minutes after a minute of building; one alone takes seconds",
        || {
            let mut cargo = command("cargo run --locked --package lora-playground --example experiments --config");
            run(cargo.arg(FAST).arg("--").args(args))
        },
    )
}
