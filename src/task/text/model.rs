//! A language model of Llama's form: its network, and its weights read from safetensors under transformers' names. Knows
//! neither texts nor adapters.

use super::config::ModelConfig;
use crate::args::Projection;
use crate::error::Result;
use crate::files::{Checkpoint, Source, broken};
use crate::fixed::{F16_END, Fixed, Stored};
use crate::lang::tr;
use crate::task::BaseLayer;
use crate::task::network::{Heads, Network};

const EMBEDDING: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";
const NORM: &str = "model.norm.weight";
const ROTARY: &str = "rotary";
/// Values that are read at a time.
const PIECE: u64 = 1 << 20;

/// A frozen model.
#[derive(Clone, Debug)]
pub struct Model {
    pub config: ModelConfig,
    pub network: Network,
    /// By site.
    pub base: Vec<BaseLayer>,
    /// By frozen tensor of the network.
    pub tensors: Vec<Fixed>,
}

impl Model {
    /// Reads the weights; `positions` is the longest sequence that it is to be run on. `go_on` hears before each tensor which
    /// share of all values has been read.
    ///
    /// # Errors
    /// `Error::File` naming the tensor that is missing, of another shape, not understood, or not all numbers; what `go_on` says.
    pub async fn read<S: Source>(
        config: ModelConfig,
        weights: &Checkpoint<S>,
        positions: usize,
        mut go_on: impl AsyncFnMut(f32) -> Result<()>,
    ) -> Result<Self> {
        let network = network(&config);
        check_names(&config, &network, weights)?;
        let all = network.parameters();
        let mut done = 0;
        let mut base = Vec::new();
        for site in network.sites() {
            go_on(done as f32 / all as f32).await?;
            done += site.inputs * site.outputs;
            let weight = table(all, weights, &weight_of(&site.name), [site.outputs, site.inputs]).await?;
            let bias = match site.projection.is_some_and(|projection| has_bias(&config, projection)) {
                true => read(weights, &format!("{}.bias", site.name), &[site.outputs]).await?,
                false => vec![0.0; site.outputs],
            };
            base.push(BaseLayer { weight, bias });
        }
        let mut tensors = Vec::new();
        for shape in network.tensors() {
            go_on(done as f32 / all as f32).await?;
            done += shape.rows * shape.cols;
            let values = match shape.name.as_str() {
                ROTARY => rotary(&config, positions).into(),
                name if shape.rows == 1 => read(weights, name, &[shape.cols]).await?.into(),
                name => table(all, weights, name, [shape.rows, shape.cols]).await?,
            };
            tensors.push(values);
        }
        Ok(Self { network: with_positions(&config, positions), config, base, tensors })
    }
}

impl Model {
    /// A model of that shape whose weights are all zero: what can be timed before any are read.
    pub fn zeros(config: ModelConfig, positions: usize) -> Self {
        let shape = Self::shape(config, positions);
        let zeros = |count: usize| Fixed::from(vec![0.0; count]);
        let sites = shape.network.sites().iter();
        let base =
            sites.map(|site| BaseLayer { weight: zeros(site.outputs * site.inputs), bias: vec![0.0; site.outputs] });
        let tensors = shape.network.tensors().iter().map(|tensor| zeros(tensor.rows * tensor.cols));
        Self { base: base.collect(), tensors: tensors.collect(), ..shape }
    }

    /// The same without weights: what can be recorded, and not run.
    pub fn shape(config: ModelConfig, positions: usize) -> Self {
        let network = with_positions(&config, positions);
        let base = network.sites().iter().map(|_| BaseLayer { weight: Fixed::default(), bias: Vec::new() }).collect();
        let tensors = network.tensors().iter().map(|_| Fixed::default()).collect();
        Self { config, network, base, tensors }
    }

    /// The same, what devices may store in fewer bits stored as it is said by name.
    #[must_use]
    pub fn stored_as(mut self, stored: impl Fn(&str) -> Stored) -> Self {
        for (site, layer) in self.network.sites().iter().zip(&mut self.base) {
            layer.weight = layer.weight.with_stored(stored(&weight_of(&site.name)));
        }
        for (shape, tensor) in self.network.tensors().iter().zip(&mut self.tensors).filter(|(shape, _)| shape.rows > 1)
        {
            *tensor = tensor.with_stored(stored(&shape.name));
        }
        self
    }

    /// The same, what devices may store in fewer bits stored as what is read from these files.
    #[must_use]
    pub fn stored_like<S: Source>(self, weights: &Checkpoint<S>) -> Self {
        let all = network(&self.config).parameters();
        self.stored_as(|name| stored(all, weights, name))
    }

    /// How a device stores the tensor of a name.
    pub fn stored(&self, name: &str) -> Stored {
        let layers =
            self.network.sites().iter().zip(&self.base).map(|(site, layer)| (weight_of(&site.name), &layer.weight));
        let tensors = self.network.tensors().iter().map(|shape| shape.name.clone()).zip(&self.tensors);
        layers.chain(tensors).find(|(own, _)| own == name).map_or(Stored::F32, |(_, values)| values.stored())
    }
}

fn weight_of(site: &str) -> String {
    format!("{site}.weight")
}

/// The network for sequences of any length: shapes of its weights, positions left out.
fn network(config: &ModelConfig) -> Network {
    with_positions(config, 0)
}

fn with_positions(config: &ModelConfig, positions: usize) -> Network {
    let (mut network, tokens) = Network::new(1);
    let table = network.tensor(EMBEDDING, config.vocabulary, config.hidden);
    let rotary = network.tensor(ROTARY, positions, config.head_dim);
    let heads = Heads { heads: config.heads, kv_heads: config.kv_heads, width: config.head_dim };
    let (queries, keys) = (config.heads * config.head_dim, config.kv_heads * config.head_dim);
    let mut x = network.embedding(tokens, table);
    network.name(x, "model.embed_tokens");
    for layer in 0..config.layers {
        let prefix = format!("model.layers.{layer}");
        let named = |what: &str| format!("{prefix}.{what}");
        let norm = |network: &mut Network, x, what: &str| {
            let weight = network.tensor(format!("{prefix}.{what}.weight"), 1, config.hidden);
            let out = network.rms_norm(x, weight, config.eps);
            network.name(out, format!("{prefix}.{what}"))
        };
        let n = norm(&mut network, x, "input_layernorm");
        let site = |network: &mut Network, projection, from, outputs| {
            network.projection(&prefix, layer, projection, from, outputs)
        };
        let q = site(&mut network, Projection::Query, n, queries);
        let k = site(&mut network, Projection::Key, n, keys);
        let v = site(&mut network, Projection::Value, n, keys);
        let q = network.rotate(q, rotary, config.heads);
        let k = network.rotate(k, rotary, config.kv_heads);
        network.name(q, named("q_rotated"));
        network.name(k, named("k_rotated"));
        let a = network.attention(q, k, v, heads);
        network.name(a, named("attention"));
        let o = site(&mut network, Projection::Output, a, config.hidden);
        x = network.add(x, o);
        network.name(x, named("after_attention"));
        let n = norm(&mut network, x, "post_attention_layernorm");
        let gate = site(&mut network, Projection::Gate, n, config.intermediate);
        let up = site(&mut network, Projection::Up, n, config.intermediate);
        let product = network.swiglu(gate, up);
        network.name(product, named("swiglu"));
        let down = site(&mut network, Projection::Down, product, config.hidden);
        x = network.add(x, down);
        network.name(x, named("output"));
    }
    let weight = network.tensor(NORM, 1, config.hidden);
    let n = network.rms_norm(x, weight, config.eps);
    network.name(n, "model.norm");
    let head = if config.tied { table } else { network.tensor(HEAD, config.vocabulary, config.hidden) };
    let logits = network.head(n, head);
    network.name(logits, "logits");
    network
}

fn has_bias(config: &ModelConfig, projection: Projection) -> bool {
    match projection {
        Projection::Query | Projection::Key | Projection::Value => config.bias.qkv,
        Projection::Output => config.bias.output,
        Projection::Gate | Projection::Up | Projection::Down => config.bias.mlp,
    }
}

/// Cosines, then sines of each pair's angle at each position, `[positions, head_dim]`.
fn rotary(config: &ModelConfig, positions: usize) -> Vec<f32> {
    let frequencies = config.rope.frequencies(config.head_dim);
    let row = |position: usize| {
        let angles = frequencies.iter().map(move |frequency| position as f64 * frequency);
        let cosines = angles.clone().map(|angle| libm::cos(angle) as f32);
        cosines.chain(angles.map(|angle| libm::sin(angle) as f32)).collect::<Vec<_>>()
    };
    (0..positions).flat_map(row).collect()
}

/// Whether the files hold what the network needs, and nothing that it would leave out; no values are read for it.
fn check_names<S: Source>(config: &ModelConfig, network: &Network, weights: &Checkpoint<S>) -> Result<()> {
    let mut wanted: Vec<String> = Vec::new();
    for site in network.sites() {
        wanted.push(weight_of(&site.name));
        if site.projection.is_some_and(|projection| has_bias(config, projection)) {
            wanted.push(format!("{}.bias", site.name));
        }
    }
    wanted.extend(network.tensors().iter().map(|shape| shape.name.clone()).filter(|name| name != ROTARY));
    if let Some(missing) = wanted.iter().find(|name| weights.find(name).is_none()) {
        return Err(broken(&weights.file(), tr!("tensor {missing} is missing, which config.json asks for", missing)));
    }
    let left_out = |name: &str| name.ends_with("rotary_emb.inv_freq") || config.tied && name == HEAD;
    match weights.tensors().find(|tensor| !wanted.contains(&tensor.name) && !left_out(&tensor.name)) {
        Some(extra) => {
            let problem = tr!("tensor {} is none that a model of this config.json has", extra.name);
            Err(broken(&weights.file(), problem))
        }
        None => Ok(()),
    }
}

/// Frozen numbers from which on those of 16 bits stay so on a device. Fewer take no room worth saving (64 MiB), and cost speed:
/// kernels then unpack as they read, and the forms for quads have no such reader.
const MANY: usize = 1 << 24;

/// How devices store a tensor that has rows, one of a base of so many numbers, if its own allow it.
fn stored<S: Source>(all: usize, weights: &Checkpoint<S>, name: &str) -> Stored {
    match weights.find(name) {
        Some(info) if all >= MANY => info.dtype.stored(),
        _ => Stored::F32,
    }
}

/// A weight with rows, which devices store as the file does, where they can.
async fn table<S: Source>(all: usize, weights: &Checkpoint<S>, name: &str, shape: [usize; 2]) -> Result<Fixed> {
    let values = read(weights, name, &shape).await?;
    let stored = match stored(all, weights, name) {
        Stored::F16 if values.iter().any(|value| value.abs() >= F16_END) => Stored::F32,
        stored => stored,
    };
    Ok(Fixed::stored_as(values, stored))
}

/// A tensor's values, read a piece at a time: a file is never held beside what it becomes.
async fn read<S: Source>(weights: &Checkpoint<S>, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
    if let Some(info) = weights.find(name)
        && info.shape != shape
    {
        let (has, wanted) = (format!("{:?}", info.shape), format!("{shape:?}"));
        let problem = tr!("tensor {name} has shape {has}; config.json asks for {wanted}", name, has, wanted);
        return Err(broken(&weights.file(), problem));
    }
    let count: usize = shape.iter().product();
    let mut values = Vec::with_capacity(count);
    while values.len() < count {
        let from = values.len() as u64;
        let piece = weights.read_values(name, from..from + PIECE).await?;
        if let Some(at) = piece.iter().position(|value| !value.is_finite()) {
            let (value, at) = (piece[at], from as usize + at);
            let problem = tr!("tensor {name} holds {value} at element {at}; weights must be numbers", name, value, at);
            return Err(broken(&weights.file(), problem));
        }
        values.extend(piece);
    }
    Ok(values)
}
