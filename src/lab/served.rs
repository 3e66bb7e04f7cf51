//! A lane that reads so many tokens and nothing behind them: what a gate that looks at all of a passage has when the passage is
//! served token by token. On the CPU, beside whatever trains. Knows nothing of texts.

use super::Lab;
use super::forward::{on, row_losses};
use crate::config::{Lane, Optimizer};
use crate::error::Result;
use crate::exec::Recording;
use crate::exec::cpu::Cpu;
use crate::graph::{Buffer, PARAMS, Step};
use crate::net::{SharedBuffers, compile, share};
use crate::op::pad;
use crate::task::{Targets, TaskData};

/// A lane with its parameters as they were when it was asked for.
pub struct Served {
    cpu: Cpu<f32>,
    /// Of one sequence, as long as what was read last.
    task: TaskData,
    x: Buffer,
    lane: Lane,
    optimizer: Optimizer,
    params: Vec<f32>,
}

impl Lab {
    /// # Errors
    /// `Error::Missing` where there is no such lane.
    pub async fn served(&self, lane: usize) -> Result<Served> {
        self.check_lane(lane)?;
        let (own, params) = (self.lanes[lane].lane.clone(), self.read_one(lane, PARAMS).await?);
        let x = vec![0.0; self.task.sequence * self.task.network.inputs()];
        let task = on(&self.task, x, (1, self.task.sequence));
        let (cpu, x) = (Cpu::new(share(&task)), SharedBuffers::new(&task.network).x);
        Ok(Served { cpu, task, x, lane: own, optimizer: self.config.optimizer, params })
    }
}

impl Served {
    /// Nats of each of `next`, behind as many tokens, which are a passage by themselves.
    pub fn nats(&mut self, tokens: &[u32], next: &[u32]) -> Vec<f64> {
        self.task.sequence = tokens.len();
        self.cpu.set_lane(0, compile(&self.task, &self.lane, &self.optimizer), &self.params);
        let width = pad(self.task.network.inputs());
        for (row, &token) in tokens.iter().enumerate() {
            self.cpu.write_from(0, self.x, row * width, &[token as f32]);
        }
        self.cpu.run(0, Recording::Output, Step::default());
        let (buffer, tensor) = self.cpu.compiled(0).output_tensor.clone();
        let logits = tensor.gather(&self.cpu.values(0, buffer));
        row_losses(&self.task, &Targets::Classes(next.to_vec()), &logits)
    }
}
