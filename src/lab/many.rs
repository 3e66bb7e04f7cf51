//! Many adapters on one base: batches of passages of which each is read with an adapter of its own. What is loaded once are the
//! base and all factors; which adapter a passage has is one number. Knows nothing of texts or of what is shown.

use super::library::Library;
use crate::error::{Error, Result};
use crate::exec::cpu::Cpu;
use crate::exec::gpu::{Device, Gpu};
use crate::exec::{Engine, Recording};
use crate::graph::{Buffer, LOSSES, Step};
use crate::lang::{marked, tr};
use crate::net::{Bank, SharedBuffers, gathering, share};
use crate::op::pad;
use crate::task::text::{Model, Passages, given};
use crate::task::{TaskData, UNCOUNTED};

/// A base with a library of adapters, on a device.
pub struct Many {
    engine: Engine,
    task: TaskData,
    adapters: usize,
    adapter: Buffer,
    loss_at: usize,
}

impl Many {
    /// Room for batches of so many passages of so many tokens, on `device` or else the CPU.
    ///
    /// # Errors
    /// `Error::Data` where a passage is too long for the model, `Error::Missing` for a layer that the library does not have.
    pub fn new(
        model: Model,
        library: &Library,
        (passages, sequence): (usize, usize),
        device: Option<Device>,
    ) -> Result<Self> {
        let nothing = vec![0; passages * sequence];
        let task = given(model, (passages, sequence), &nothing, &nothing)?;
        let adapters = library.names.len();
        let compiled = gathering(&task, Bank { adapters, rank: library.rank, scaling: library.scaling() });
        let mut bank = vec![0.0; compiled.lane.len_of(compiled.bank)];
        for (site, [a, b]) in task.network.sites().iter().zip(&compiled.factors) {
            let own = library.sites.iter().find(|own| own.name == site.name);
            let own = own.filter(|own| (own.inputs, own.outputs) == (site.inputs, site.outputs));
            let own = own.ok_or_else(|| Error::Missing {
                what: marked!("layer of the adapters"),
                name: site.name.clone(),
                hint: tr!("the base has one of {} → {}; take adapters of this base", site.inputs, site.outputs),
            })?;
            a.scatter(&mut bank, &own.a);
            b.scatter(&mut bank, &own.b);
        }
        let shared = share::<f32>(&task);
        let mut engine = match device {
            Some(device) => Engine::Gpu(Box::new(Gpu::new(device, shared))),
            None => Engine::Cpu(Cpu::new(shared)),
        };
        let loss_at = compiled.lane.loss_at;
        engine.set_lane(0, compiled.lane, &[])?;
        engine.write(0, compiled.bank, &bank)?;
        Ok(Self { engine, task, adapters, adapter: compiled.adapter, loss_at })
    }

    /// "webgpu" or "cpu".
    pub fn backend(&self) -> &'static str {
        self.engine.backend()
    }

    /// Passages that one run takes, and tokens of each.
    pub fn room(&self) -> (usize, usize) {
        (self.task.batch_sequences, self.task.sequence)
    }

    /// The adapters of the passages from now on, `None` for the base alone; passages behind the last have none.
    ///
    /// # Errors
    /// `Error::Missing` where there is no such adapter, `Error::Data` where they are too many, `Error::DeviceLost`.
    pub fn choose(&self, adapters: &[Option<usize>]) -> Result<()> {
        let room = self.task.batch_sequences;
        if adapters.len() > room {
            let (expected, got) = (tr!("at most {room}, one for each passage", room), adapters.len().to_string());
            return Err(Error::Data { what: tr!("adapters"), expected, got });
        }
        if let Some(other) = adapters.iter().flatten().find(|&&adapter| adapter >= self.adapters) {
            let hint = tr!("they are numbered 0 to {}", self.adapters - 1);
            return Err(Error::Missing { what: marked!("adapter"), name: other.to_string(), hint });
        }
        let mut numbers = vec![-1.0; room];
        numbers.iter_mut().zip(adapters).for_each(|(to, own)| *to = own.map_or(-1.0, |own| own as f32));
        self.engine.write(0, self.adapter, &numbers)
    }

    /// Nats of each token of these passages, with the adapters that were chosen; 0 where none is to be predicted.
    ///
    /// # Errors
    /// `Error::Data` where there are more than one run takes, `Error::DeviceLost`.
    pub async fn nats(&self, passages: &Passages) -> Result<Vec<f32>> {
        self.load(passages)?;
        self.engine.run(0, Recording::Losses, Step::default())?;
        let losses = self.engine.read(&[(0, LOSSES)]).await?.swap_remove(0);
        Ok(losses[self.loss_at..self.loss_at + passages.y.len()].to_vec())
    }

    /// Logits `[tokens, outputs]` of these passages, with the adapters that were chosen.
    ///
    /// # Errors
    /// As [`Many::nats`].
    pub async fn logits(&self, passages: &Passages) -> Result<Vec<f32>> {
        self.load(passages)?;
        self.engine.run(0, Recording::Output, Step::default())?;
        let (buffer, tensor) = &self.engine.compiled(0).output_tensor;
        let mut logits = tensor.gather(&self.engine.read(&[(0, *buffer)]).await?.swap_remove(0));
        logits.truncate(passages.x.len() * self.task.network.outputs());
        Ok(logits)
    }

    /// Writes passages into the batch; what they do not fill is token 0, and not counted.
    fn load(&self, passages: &Passages) -> Result<()> {
        let tokens = self.task.batch_rows();
        if passages.x.len() > tokens {
            let expected = tr!("at most {tokens} tokens", tokens);
            return Err(Error::Data { what: tr!("passages"), expected, got: passages.x.len().to_string() });
        }
        let shared = SharedBuffers::new(&self.task.network);
        let width = pad(self.task.network.inputs());
        let mut x = vec![0.0; tokens * width];
        x.chunks_exact_mut(width).zip(&passages.x).for_each(|(row, &token)| row[0] = token as f32);
        let mut target = vec![-1.0; tokens];
        for (to, &token) in target.iter_mut().zip(&passages.y) {
            *to = if token == UNCOUNTED { -1.0 } else { token as f32 };
        }
        self.engine.write(0, shared.x, &x)?;
        self.engine.write(0, shared.target, &target)
    }
}
