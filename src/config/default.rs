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
    /// (docs/LANGUAGE.md), and gates that do not read ahead. Of sensors, gates look at each by itself.
    pub fn default_lanes(kind: &str) -> Vec<Lane> {
        let sized = |[full, lora, molora, mor1e]: [Lane; 4]| {
            vec![
                Lane { lr: Some(0.002), ..full },
                lora.with("rank", 8).with("alpha", 16.0),
                molora.with("experts", 4).with("rank", 2).with("alpha", 4.0),
                mor1e.with("experts", 8).with("alpha", 2.0),
            ]
        };
        let methods: [&'static Method; 4] = [&FULL, &LORA, &MOLORA, &MOR1E];
        let plain = methods.map(Lane::from);
        match kind {
            "text" => {
                let rates = [0.002, 0.01, 0.02, 0.02].map(Some).into_iter();
                let lanes = sized(plain.map(Lane::causal));
                lanes.into_iter().zip(rates).map(|(lane, lr)| Lane { lr, ..lane }).collect()
            }
            "sensors" => {
                let [full, lora, molora, mor1e] = plain;
                sized([full, lora, molora, mor1e.with("gate", "token")])
            }
            _ => plain.into(),
        }
    }
}
