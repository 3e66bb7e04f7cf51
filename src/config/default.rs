//! What is meant by everything left out. Plain values; knows nothing of how they are written.

use super::{BackendChoice, Config, Domains, Optimizer, Schedule, Task};
use crate::method::{FULL, LORA, MOLORA, MOR1E};

impl Default for Config {
    /// What the page opens with: four lanes on four conflicting domains.
    fn default() -> Self {
        Self {
            seed: 1,
            backend: BackendChoice::Auto,
            task: Task::Domains(Domains::default()),
            lanes: vec![(&FULL).into(), (&LORA).into(), (&MOLORA).into(), (&MOR1E).into()],
            optimizer: Optimizer::default(),
            schedule: Schedule::default(),
        }
    }
}
