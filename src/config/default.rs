//! What is meant by everything left out. Plain values; knows nothing of how they are written.

use super::{BackendChoice, Config, Domains, Lane, Optimizer, Schedule, Task};
use crate::method::description::Method;
use crate::method::{FULL, LORA, MOLORA, MOR1E};

impl Default for Config {
    /// What the page opens with: four lanes on four conflicting domains.
    fn default() -> Self {
        Self {
            seed: 1,
            backend: BackendChoice::Auto,
            task: Task::Domains(Domains::default()),
            lanes: Self::default_lanes("domains"),
            optimizer: Optimizer::default(),
            schedule: Schedule::default(),
        }
    }
}

impl Config {
    /// The lanes of a task whose configuration names none. On text each has the rate at which it did best in short runs
    /// (docs/LANGUAGE.md), and gates that do not read ahead.
    pub fn default_lanes(kind: &str) -> Vec<Lane> {
        if kind != "text" {
            return vec![(&FULL).into(), (&LORA).into(), (&MOLORA).into(), (&MOR1E).into()];
        }
        let lane = |method: &'static Method, lr| Lane { lr: Some(lr), ..Lane::from(method).causal() };
        vec![
            lane(&FULL, 0.002),
            lane(&LORA, 0.01).with("rank", 8).with("alpha", 16.0),
            lane(&MOLORA, 0.02).with("experts", 4).with("rank", 2).with("alpha", 4.0),
            lane(&MOR1E, 0.02).with("experts", 8).with("alpha", 2.0),
        ]
    }
}
