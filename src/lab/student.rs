//! Students: lanes of a language model that learn from little text, from its tokens alone or from what a teacher expects of them;
//! and what a teacher, a lane that has read more, gives them. Knows neither where texts come from nor what is shown.

use super::Lab;
use super::generate::Sampling;
use crate::args::{Schedule, Text};
use crate::config::{Config, Optimizer, Task};
use crate::error::{Error, Result};
use crate::exec::gpu::Device;
use crate::graph::PARAMS;
use crate::lang::tr;
use crate::method::Lane;
use crate::task::text::{Model, Passages, Tokenizer, drawn, on_passages};
use crate::task::{Soft, UNCOUNTED};

/// How a student or a teacher is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Course {
    /// Passages in a batch, and tokens of each.
    pub batch: usize,
    pub sequence: usize,
    /// Distinct batches that are drawn before they come again.
    pub batches: usize,
    /// Steps, over the first of which the rate rises.
    pub total: usize,
    pub warmup: usize,
    /// Of lanes that have none of their own.
    pub rate: f64,
    pub seed: u32,
}

/// A text that a student reads.
#[derive(Clone, Copy, Debug)]
pub struct Reads<'a> {
    pub tokens: &'a [u32],
    /// Its tokens are to be learned, or else only what a teacher expects where they stand.
    pub labelled: bool,
}

/// Passages drawn from texts, each as often as any other, and the text of each of their rows.
pub type Pool = (Passages, Vec<u8>);

/// What a student is to read, in its order.
///
/// # Errors
/// `Error::Data` where a text has no more tokens than a passage.
pub fn pool(reads: &[Reads], course: &Course, begin: u32) -> Result<Pool> {
    if let Some(short) = reads.iter().find(|read| read.tokens.len() <= course.sequence) {
        let expected = tr!("more than the {} bytes of a passage; type or paste more", course.sequence);
        return Err(Error::Data { what: tr!("the text"), expected, got: short.tokens.len().to_string() });
    }
    let texts: Vec<&[u32]> = reads.iter().map(|read| read.tokens).collect();
    let count = course.batches * course.batch;
    let (mut passages, texts) = drawn(&texts, (count, course.sequence), begin, course.seed.into());
    for (y, &text) in passages.y.iter_mut().zip(&texts) {
        if !reads[usize::from(text)].labelled {
            *y = UNCOUNTED;
        }
    }
    Ok((passages, texts))
}

/// A lane that is to learn from a pool; `soft` is what a teacher expects of it.
///
/// # Errors
/// `Error::Config` where the lane cannot be trained on text, and as `on_passages`.
pub fn student(
    model: Model,
    (languages, pool): (&[String], Pool),
    soft: Option<Soft>,
    lane: Lane,
    course: &Course,
    device: Option<Device>,
) -> Result<Lab> {
    let Course { batch, sequence, total, warmup, rate, seed, .. } = *course;
    let config = Config {
        task: Task::Text(Text { languages: languages.to_vec(), sequence, batch, ..Text::default() }),
        lanes: vec![lane],
        schedule: Schedule { warmup, total },
        optimizer: Optimizer { lr: rate, ..Optimizer::default() },
        seed,
        ..Config::default()
    };
    config.validate()?;
    Lab::new(config, on_passages(model, (batch, sequence), pool, soft)?, device)
}

impl Lab {
    /// Logits of every token of a pool, as a lane expects them: what students learn from. `tell` hears of passages done, of so
    /// many, and may end it.
    ///
    /// # Errors
    /// Those of `tell`, and as [`Lab::logits`].
    pub async fn taught(
        &mut self,
        lane: usize,
        pool: &Passages,
        mut tell: impl AsyncFnMut(usize, usize) -> Result<()>,
    ) -> Result<Vec<f32>> {
        let sequence = self.task.sequence;
        let (most, of) = (self.passages_at_once() * sequence, pool.x.len() / sequence);
        let mut logits = Vec::with_capacity(pool.x.len() * self.task.network.outputs());
        for (at, x) in pool.x.chunks(most).enumerate() {
            tell(at * most / sequence, of).await?;
            let part = Passages { x: x.to_vec(), y: vec![UNCOUNTED; x.len()] };
            logits.extend(self.logits(Some(lane), &part).await?);
        }
        tell(of, of).await?;
        Ok(logits)
    }

    /// What a lane writes of itself, so many texts of a passage's length, one behind the other. `tell` as in [`Lab::taught`].
    ///
    /// # Errors
    /// Those of `tell`, and as [`Lab::generate`].
    pub async fn written(
        &self,
        lane: usize,
        texts: usize,
        seed: u32,
        mut tell: impl AsyncFnMut(usize, usize) -> Result<()>,
    ) -> Result<Vec<u32>> {
        let mut all = Vec::new();
        for text in 0..texts {
            tell(text, texts).await?;
            let sampling = Sampling { seed: u64::from(seed) << 16 | text as u64, ..Sampling::default() };
            let mut writing = self.generate(Some(lane), "", &Tokenizer::Bytes, sampling).await?;
            while writing.written() < self.task.sequence {
                writing.next_text();
            }
            all.extend(writing.drawn());
        }
        Ok(all)
    }

    /// Bits per token of whole passages; `None`: the base's.
    ///
    /// # Errors
    /// As [`Lab::score`].
    pub async fn bits(&mut self, lane: Option<usize>, passages: &Passages) -> Result<f64> {
        let nats = self.nats(lane, passages).await?;
        let counted = passages.y.iter().filter(|&&token| token != UNCOUNTED).count();
        let sum: f64 = nats.iter().map(|&nats| f64::from(nats)).sum();
        Ok(sum / counted.max(1) as f64 / std::f64::consts::LN_2)
    }

    /// Bytes of all buffers on the backend that trains: data, base, and every lane's own.
    pub fn bytes(&self) -> usize {
        let own = |lane: usize| self.engine.compiled(lane).buffers.iter().map(|(_, len)| 4 * len).sum::<usize>();
        self.shared_bytes + (0..self.lanes.len()).map(own).sum::<usize>()
    }

    /// Puts a lane's parameters back as [`Lab::parameters`] gave them.
    ///
    /// # Errors
    /// `Error::Missing` if there is no such lane; `Error::DeviceLost`.
    pub fn put(&mut self, lane: usize, parameters: &[f32]) -> Result<()> {
        self.check_lane(lane)?;
        self.engine.write(lane, PARAMS, parameters)?;
        self.lanes[lane].stale = true;
        Ok(())
    }
}
