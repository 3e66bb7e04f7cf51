//! What tokens cost a lane, or the base alone: passages that are not training data, run through the spare batch between
//! submissions. Knows nothing of texts or of what is shown.

use super::Lab;
use super::forward::{Answer, LayerGates};
use crate::error::{Error, Result};
use crate::exec::{Reading, Recording};
use crate::graph::{Buffer, LOSSES, Step, Tensor};
use crate::net::SharedBuffers;
use crate::op::pad;
use crate::task::UNCOUNTED;
use crate::task::text::Passages;

/// Losses of passages that are on their way.
pub struct Scoring {
    reading: Reading,
    loss_at: usize,
    tokens: usize,
}

impl Scoring {
    /// Nats of each token, in the order of the passages; 0 where none is to be predicted.
    pub async fn done(self) -> Result<Vec<f32>> {
        let losses = self.reading.await?.swap_remove(0);
        Ok(losses[self.loss_at..self.loss_at + self.tokens].to_vec())
    }
}

impl Lab {
    /// Passages that one run takes.
    pub fn passages_at_once(&self) -> usize {
        self.task.batch_sequences
    }

    /// Asks what each token of at most [`Lab::passages_at_once`] whole passages costs lane `lane`; `None`: the base alone.
    ///
    /// # Errors
    /// `Error::Missing` where there is no such lane, `Error::Data` where the task is no text.
    pub fn score(&mut self, lane: Option<usize>, passages: &Passages) -> Result<Scoring> {
        let place = self.place(lane)?;
        self.load(passages)?;
        self.engine.run(place, Recording::Losses, self.on_spare())?;
        let loss_at = self.engine.compiled(place).loss_at;
        Ok(Scoring { reading: self.engine.read(&[(place, LOSSES)]), loss_at, tokens: passages.y.len() })
    }

    /// Nats of each token of any number of passages.
    ///
    /// # Errors
    /// As [`Lab::score`].
    pub async fn nats(&mut self, lane: Option<usize>, passages: &Passages) -> Result<Vec<f32>> {
        let most = self.passages_at_once() * self.task.sequence;
        let mut all = Vec::with_capacity(passages.y.len());
        for (x, y) in passages.x.chunks(most).zip(passages.y.chunks(most)) {
            let part = Passages { x: x.to_vec(), y: y.to_vec() };
            all.extend(self.score(lane, &part)?.done().await?);
        }
        Ok(all)
    }

    /// Logits `[tokens, outputs]` of at most [`Lab::passages_at_once`] whole passages.
    ///
    /// # Errors
    /// As [`Lab::score`].
    pub async fn logits(&mut self, lane: Option<usize>, passages: &Passages) -> Result<Vec<f32>> {
        let place = self.place(lane)?;
        self.load(passages)?;
        self.engine.run(place, Recording::Output, self.on_spare())?;
        let (buffer, tensor) = self.engine.compiled(place).output_tensor.clone();
        let reading = self.engine.read(&[(place, buffer)]);
        let mut logits = tensor.gather(&reading.await?.swap_remove(0));
        logits.truncate(passages.x.len() * self.task.network.outputs());
        Ok(logits)
    }

    /// What a lane, or the base alone, makes of one passage at rest, by the engine that trains it: what a display of a large
    /// network would take long for, and hold its buffers for.
    ///
    /// # Errors
    /// As [`Lab::score`].
    pub async fn answer(&mut self, lane: Option<usize>, passage: &[u32]) -> Result<Answer> {
        let place = self.place(lane)?;
        self.load(&Passages { x: passage.to_vec(), y: vec![UNCOUNTED; passage.len()] })?;
        self.engine.run(place, Recording::Output, self.on_spare())?;
        let (rows, outputs) = (passage.len(), self.task.network.outputs());
        let compiled = self.engine.compiled(place);
        let gates: Vec<_> = compiled.gates().map(|(layer, buffer, tensor)| (layer, buffer, tensor.clone())).collect();
        let mut wanted = vec![(place, compiled.output_tensor.0, rows * pad(outputs))];
        wanted.extend(gates.iter().map(|&(_, buffer, _)| (place, buffer, usize::MAX)));
        let mut values = self.engine.read_first(&wanted).await?.into_iter();
        let output = values.next().unwrap_or_default();
        let output = output.chunks_exact(pad(outputs)).flat_map(|row| &row[..outputs]).copied().collect();
        let of = |((layer, _, tensor), values): ((usize, Buffer, Tensor), Vec<f32>)| {
            let (experts, mut own) = (tensor.shape[2], tensor.gather(&values));
            own.truncate(rows * experts);
            LayerGates { layer, experts, values: own, parts: None }
        };
        Ok(Answer { output, gates: gates.into_iter().zip(values).map(of).collect() })
    }

    /// A lane's place in the engine. The base alone stands behind the lanes.
    fn place(&mut self, lane: Option<usize>) -> Result<usize> {
        match lane {
            Some(lane) => {
                self.check_lane(lane)?;
                // Its gates are those of other rows from now on.
                self.lanes[lane].stale = true;
                Ok(lane)
            }
            None if self.task.spare > 0 => Ok(self.lanes.len()),
            None => Err(Error::Data {
                what: "lane".into(),
                expected: "a lane of task \"text\"".into(),
                got: "the base of another task".into(),
            }),
        }
    }

    /// Writes passages into the spare batch; what they do not fill is token 0, and not counted.
    fn load(&self, passages: &Passages) -> Result<()> {
        let tokens = self.task.batch_rows();
        if self.task.spare == 0 || passages.x.len() > tokens {
            return Err(Error::Data {
                what: "passages".into(),
                expected: format!("at most {tokens} tokens, of task \"text\""),
                got: passages.x.len().to_string(),
            });
        }
        let shared = SharedBuffers::new(&self.task.network);
        let width = pad(self.task.network.inputs());
        let mut x = vec![0.0; tokens * width];
        for (row, &token) in x.chunks_exact_mut(width).zip(&passages.x) {
            row[0] = token as f32;
        }
        let mut target = vec![-1.0; tokens];
        for (to, &token) in target.iter_mut().zip(&passages.y) {
            *to = if token == UNCOUNTED { -1.0 } else { token as f32 };
        }
        let row = self.spare_row();
        let write = |buffer: Buffer, first, values: &[f32]| self.engine.write_from(0, buffer, first, values);
        write(shared.x, row * width, &x)?;
        write(shared.target, row, &target)
    }

    fn spare_row(&self) -> usize {
        self.task.batches * self.tokens
    }

    fn on_spare(&self) -> Step {
        Step { x_row: self.spare_row() as u32, ..Step::default() }
    }
}
