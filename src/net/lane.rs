//! A compiled lane: its recordings, and where everything in them lies, by the site it belongs to. Knows neither how it was
//! compiled nor how it is run.

use crate::args::SavedModule;
use crate::graph::{Buffer, Pass, Tensor};
use crate::method::site::Parts;

/// A lane's recordings and buffers.
#[derive(Clone, Debug)]
pub struct CompiledLane {
    /// Name and length of each buffer of the lane's own, by the number in its [`Buffer`].
    pub buffers: Vec<(String, usize)>,
    /// Forward and backward: leaves the gradients in `grads` and the loss ready to be gathered.
    pub gradients: Vec<Pass>,
    /// A training step: the same with AdamW, and the loss into its slot.
    pub train: Vec<Pass>,
    /// Forward alone, into `output_tensor`.
    pub output: Vec<Pass>,
    /// Forward and the loss of each token, from `loss_at` on in `losses`; nothing under MSE.
    pub losses: Vec<Pass>,
    pub loss_at: usize,
    /// Buffers that training carries from step to step.
    pub state: Vec<Buffer>,
    /// Buffers of the lane's own that are not zero at first, and never change.
    pub constants: Vec<(Buffer, Vec<f32>)>,
    /// One for each linear site of the network, adapted or not.
    pub sites: Vec<CompiledSite>,
    /// What it adds to tables that it trains whole, in `params` like the sites'.
    pub saved: Vec<(SavedModule, Tensor)>,
    /// The network's output, `[batch, sequence, outputs]`.
    pub output_tensor: (Buffer, Tensor),
    /// Trainable parameters, padding not counted.
    pub parameters: usize,
    /// Padded width of `params`.
    pub padded: usize,
}

/// What a lane has at one linear site. Tensors are called as the outer world calls them, "layers.0.lora_A".
#[derive(Clone, Debug)]
pub struct CompiledSite {
    /// "layers.0".
    pub name: String,
    /// What it reads, and what it hands on, `[tokens, padded width]`.
    pub input: Buffer,
    pub output: Buffer,
    /// Passes of the output recording up to its own.
    pub passes: usize,
    /// Trainable tensors, in `params`; the same places hold their gradients and moments.
    pub parameters: Vec<Tensor>,
    /// Tensors in `params` that nothing trains.
    pub frozen_parameters: Vec<Tensor>,
    /// What it really adds where that is made of other parameters: lora_A and lora_B, or delta.
    pub effective_factors: Vec<(Buffer, Tensor)>,
    /// Gates, and what those of two parts are the sum of.
    pub gate: Option<(Buffer, Tensor)>,
    pub gate_parts: Option<Parts>,
}

impl CompiledLane {
    /// All trainable tensors, site by site, and those of tables trained whole.
    pub fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        self.sites.iter().flat_map(|site| &site.parameters).chain(self.saved.iter().map(|(_, tensor)| tensor))
    }

    /// All trainable tensors by what their gradients are called.
    pub fn gradient_names(&self) -> impl Iterator<Item = (String, &Tensor)> {
        let sites = self.sites.iter().flat_map(|site| site.parameters.iter().map(|t| (site.gradient_name(t), t)));
        let saved = self.saved.iter().map(|(module, tensor)| (format!("{}.grad.delta", module.module()), tensor));
        sites.chain(saved)
    }

    /// All that lies in `params` and is not trained.
    pub fn frozen_parameters(&self) -> impl Iterator<Item = &Tensor> {
        self.sites.iter().flat_map(|site| &site.frozen_parameters)
    }

    /// Sites with gates, by number.
    pub fn gates(&self) -> impl Iterator<Item = (usize, Buffer, &Tensor)> {
        let own = self.sites.iter().enumerate();
        own.filter_map(|(index, site)| site.gate.as_ref().map(|(buffer, tensor)| (index, *buffer, tensor)))
    }

    /// A factor that a site reads and does not train, by its name.
    pub fn effective_factor(&self, name: &str) -> Option<&(Buffer, Tensor)> {
        self.sites.iter().flat_map(|site| &site.effective_factors).find(|(_, tensor)| tensor.name == name)
    }

    /// Elements of a buffer of the lane's own; 0 for one that all lanes share.
    pub fn len_of(&self, buffer: Buffer) -> usize {
        match buffer {
            Buffer::Lane(index) => self.buffers[index].1,
            Buffer::Shared(_) => 0,
        }
    }
}

impl CompiledSite {
    /// A tensor's name here: "lora_A" for "layers.0.lora_A".
    pub fn key<'a>(&self, tensor: &'a Tensor) -> &'a str {
        let own = tensor.name.strip_prefix(&self.name).and_then(|rest| rest.strip_prefix('.'));
        own.unwrap_or(&tensor.name)
    }

    /// A trainable tensor by its name here.
    pub fn parameter(&self, key: &str) -> Option<&Tensor> {
        self.parameters.iter().find(|tensor| self.key(tensor) == key)
    }

    /// All that is held in `params`.
    pub fn held(&self) -> impl Iterator<Item = &Tensor> {
        self.parameters.iter().chain(&self.frozen_parameters)
    }

    /// What the gradient of a tensor here is called: "layers.0.grad.lora_A".
    pub fn gradient_name(&self, tensor: &Tensor) -> String {
        format!("{}.grad.{}", self.name, self.key(tensor))
    }
}
