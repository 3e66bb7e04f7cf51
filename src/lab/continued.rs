//! A lane that reads a text as it goes on: keys and values of what came before are kept, and so are the sums of gates that read
//! all of it so far. Knows nothing of how tokens are drawn.

use super::forward::on;
use crate::exec::Recording;
use crate::exec::cpu::Cpu;
use crate::graph::{Buffer, Step};
use crate::method::Lane;
use crate::net::{SharedBuffers, continuation, share};
use crate::op::pad;
use crate::task::TaskData;

/// A lane with these parameters, and what it has read.
pub struct Continued {
    cpu: Cpu<f32>,
    x: Buffer,
    /// From one row of the pool to the next, where batches are padded.
    row: usize,
    vocabulary: usize,
    read: Vec<u32>,
}

impl Continued {
    /// `params` in the layout of training.
    pub fn new(task: &TaskData, lane: &Lane, params: &[f32]) -> Self {
        let width = task.network.inputs();
        let own = on(task, vec![0.0; task.sequence * width], (1, 1));
        let mut cpu = Cpu::new(share(&own));
        cpu.set_lane(0, continuation(&own, lane), params);
        let vocabulary = task.network.outputs();
        let x = SharedBuffers::new(&task.network).x;
        Self { cpu, x, row: pad(width), vocabulary, read: Vec::new() }
    }

    /// Logits of what follows `tokens`, at least one and at most a passage. Of what it read before, only the part in which they
    /// differ is read again.
    pub fn logits(&mut self, tokens: &[u32]) -> Vec<f32> {
        let known = self.read.iter().zip(tokens).take_while(|(old, new)| old == new).count();
        // The last one's logits are what is asked for, so that it is read in any case.
        for (position, &token) in tokens.iter().enumerate().skip(known.min(tokens.len() - 1)) {
            self.cpu.write_from(0, self.x, position * self.row, &[token as f32]);
            self.cpu.run(0, Recording::Output, Step { x_row: position as u32, ..Step::default() });
        }
        self.read = tokens.to_vec();
        let output = self.cpu.values(0, self.cpu.compiled(0).output_tensor.0);
        output[..self.vocabulary].to_vec()
    }
}
