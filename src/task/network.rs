//! A network as nodes with widths over named linear sites and named frozen tensors: what is computed from what. Knows
//! neither weights, nor adapters, nor how any of it is run: `evaluate` reads it in plain numbers, `net` compiles it into
//! passes.

use serde::{Deserialize, Serialize};

use crate::args::{Projection, SavedModule};

/// What a node hands on: rows of one width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wire(usize);

impl Wire {
    /// Place of the node in the network's order.
    pub fn index(self) -> usize {
        self.0
    }
}

/// A tensor that no lane changes and that is no linear site's weight, by its place in [`Network::tensors`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrozenTensor(usize);

impl FrozenTensor {
    pub fn index(self) -> usize {
        self.0
    }
}

/// Name and shape of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorShape {
    /// As transformers has it: "model.norm.weight".
    pub name: String,
    pub rows: usize,
    pub cols: usize,
}

/// Heads of an attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Of the queries.
    pub heads: usize,
    /// Of keys and values; each serves `heads / kv_heads` heads of queries.
    pub kv_heads: usize,
    /// Width of each.
    pub width: usize,
}

/// One operation. It reads wires that come before its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node {
    /// The data: rows of a batch.
    Rows,
    /// A frozen linear layer, which a lane may adapt: `from weightᵀ + bias`.
    Linear { site: usize, from: Wire },
    /// The tanh form.
    Gelu(Wire),
    /// A residual path: where the network is trained, its gradient goes both ways.
    Add(Wire, Wire),
    /// The mean of a sequence's rows, on each of them.
    Mean(Wire),
    /// The rows of a table `[vocabulary, width]` that the tokens name; a token is the first number of a row.
    Embedding { tokens: Wire, table: FrozenTensor },
    /// `weight ∘ x / √(mean x² + eps)`.
    RmsNorm { from: Wire, weight: FrozenTensor, eps: f32 },
    /// Rotary positions: pairs (i, i + width/2) of each head turn by the angles of a table `[positions, width]`, cosines
    /// before sines.
    Rotate { from: Wire, table: FrozenTensor, heads: usize },
    /// Softmax attention of each token to those of its sequence up to itself.
    Attention { query: Wire, key: Wire, value: Wire, heads: Heads },
    /// `silu(gate) ∘ up`.
    SwiGlu { gate: Wire, up: Wire },
    /// Logits: products with the rows of a table `[vocabulary, width]`, often the embedding's. Never adapted.
    Head { from: Wire, table: FrozenTensor },
}

impl Node {
    /// What it reads, in order.
    pub fn reads(self) -> impl Iterator<Item = Wire> {
        let read = match self {
            Self::Rows => [None, None, None],
            Self::Linear { from, .. }
            | Self::Gelu(from)
            | Self::Mean(from)
            | Self::Embedding { tokens: from, .. }
            | Self::RmsNorm { from, .. }
            | Self::Rotate { from, .. }
            | Self::Head { from, .. } => [Some(from), None, None],
            Self::Add(a, b) | Self::SwiGlu { gate: a, up: b } => [Some(a), Some(b), None],
            Self::Attention { query, key, value, .. } => [Some(query), Some(key), Some(value)],
        };
        read.into_iter().flatten()
    }

    /// What of it a lane may train whole, and the table that is its weight.
    pub fn module(self) -> Option<(SavedModule, FrozenTensor)> {
        match self {
            Self::Embedding { table, .. } => Some((SavedModule::Embedding, table)),
            Self::Head { table, .. } => Some((SavedModule::Head, table)),
            _ => None,
        }
    }
}

/// A linear layer by the name that its tensors begin with: "layers.0", "model.layers.0.self_attn.q_proj".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinearSite {
    pub name: String,
    pub inputs: usize,
    pub outputs: usize,
    /// Which layer of the network it belongs to: its own number, or that of a transformer's block.
    pub layer: usize,
    /// Which projection of a transformer's block it is.
    pub projection: Option<Projection>,
}

impl LinearSite {
    /// Where it lies in the order of computing: two of the same place read the same, or do not read each other.
    pub fn place(&self) -> (usize, usize) {
        let within = match self.projection {
            None | Some(Projection::Query | Projection::Key | Projection::Value) => 0,
            Some(Projection::Output) => 1,
            Some(Projection::Gate | Projection::Up) => 2,
            Some(Projection::Down) => 3,
        };
        (self.layer, within)
    }

    /// Linear layers "layers.0", … of these (inputs, outputs), each a layer of its own.
    pub fn plain(shapes: &[(usize, usize)]) -> Vec<Self> {
        let site = |(layer, &(inputs, outputs)): (usize, &(usize, usize))| Self {
            name: format!("layers.{layer}"),
            inputs,
            outputs,
            layer,
            projection: None,
        };
        shapes.iter().enumerate().map(site).collect()
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Placed {
    node: Node,
    width: usize,
    /// What its values are called: "model.layers.0.input_layernorm".
    name: Option<String>,
}

/// Nodes in an order in which they can be computed. The last one's wire is the network's output.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    nodes: Vec<Placed>,
    sites: Vec<LinearSite>,
    tensors: Vec<TensorShape>,
}

impl Network {
    /// A network that does nothing yet but read rows of this width, and their wire.
    pub fn new(width: usize) -> (Self, Wire) {
        let rows = Placed { node: Node::Rows, width, name: None };
        (Self { nodes: vec![rows], sites: Vec::new(), tensors: Vec::new() }, Wire(0))
    }

    /// Linear layers "layers.0", "layers.1", … from width to width, with GELU between.
    pub fn stack(widths: &[usize]) -> Self {
        let (mut network, mut wire) = Self::new(widths[0]);
        for (l, &outputs) in widths[1..].iter().enumerate() {
            if l > 0 {
                wire = network.gelu(wire);
            }
            wire = network.linear(format!("layers.{l}"), wire, outputs);
        }
        network
    }

    /// A linear layer that is a layer of its own.
    pub fn linear(&mut self, name: impl Into<String>, from: Wire, outputs: usize) -> Wire {
        let (layer, inputs) = (self.sites.len(), self.width(from));
        self.site(LinearSite { name: name.into(), inputs, outputs, layer, projection: None }, from)
    }

    /// A projection of a transformer's block, named as its tensors are.
    pub fn projection(
        &mut self,
        prefix: &str,
        layer: usize,
        projection: Projection,
        from: Wire,
        outputs: usize,
    ) -> Wire {
        let name = format!("{prefix}.{}", projection.module());
        let inputs = self.width(from);
        self.site(LinearSite { name, inputs, outputs, layer, projection: Some(projection) }, from)
    }

    fn site(&mut self, site: LinearSite, from: Wire) -> Wire {
        let (index, outputs) = (self.sites.len(), site.outputs);
        self.sites.push(site);
        self.push(Node::Linear { site: index, from }, outputs)
    }

    /// A frozen tensor, for nodes to read.
    pub fn tensor(&mut self, name: impl Into<String>, rows: usize, cols: usize) -> FrozenTensor {
        self.tensors.push(TensorShape { name: name.into(), rows, cols });
        FrozenTensor(self.tensors.len() - 1)
    }

    pub fn embedding(&mut self, tokens: Wire, table: FrozenTensor) -> Wire {
        self.push(Node::Embedding { tokens, table }, self.tensors[table.0].cols)
    }

    pub fn rms_norm(&mut self, from: Wire, weight: FrozenTensor, eps: f32) -> Wire {
        self.push(Node::RmsNorm { from, weight, eps }, self.width(from))
    }

    pub fn rotate(&mut self, from: Wire, table: FrozenTensor, heads: usize) -> Wire {
        self.push(Node::Rotate { from, table, heads }, self.width(from))
    }

    pub fn attention(&mut self, query: Wire, key: Wire, value: Wire, heads: Heads) -> Wire {
        self.push(Node::Attention { query, key, value, heads }, self.width(query))
    }

    /// # Panics
    /// If their widths differ.
    pub fn swiglu(&mut self, gate: Wire, up: Wire) -> Wire {
        assert_eq!(self.width(gate), self.width(up), "gate and up are multiplied element by element");
        self.push(Node::SwiGlu { gate, up }, self.width(gate))
    }

    pub fn head(&mut self, from: Wire, table: FrozenTensor) -> Wire {
        self.push(Node::Head { from, table }, self.tensors[table.0].rows)
    }

    /// Calls the values of a wire by a name.
    pub fn name(&mut self, wire: Wire, name: impl Into<String>) -> Wire {
        self.nodes[wire.0].name = Some(name.into());
        wire
    }

    pub fn name_of(&self, wire: Wire) -> Option<&str> {
        self.nodes[wire.0].name.as_deref()
    }

    /// # Panics
    /// Of the data themselves: what is known beforehand is no part of a network.
    pub fn gelu(&mut self, from: Wire) -> Wire {
        assert_ne!(self.node(from), Node::Rows, "GELU of the data can be taken before they are data");
        self.push(Node::Gelu(from), self.width(from))
    }

    /// # Panics
    /// If their widths differ.
    pub fn add(&mut self, a: Wire, b: Wire) -> Wire {
        assert_eq!(self.width(a), self.width(b), "only rows of one width can be added");
        self.push(Node::Add(a, b), self.width(a))
    }

    pub fn mean(&mut self, from: Wire) -> Wire {
        self.push(Node::Mean(from), self.width(from))
    }

    fn push(&mut self, node: Node, width: usize) -> Wire {
        self.nodes.push(Placed { node, width, name: None });
        Wire(self.nodes.len() - 1)
    }

    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (Wire, Node)> + ExactSizeIterator {
        self.nodes.iter().enumerate().map(|(index, placed)| (Wire(index), placed.node))
    }

    /// What a lane may train whole, and the tables that are its weights.
    pub fn modules(&self) -> impl Iterator<Item = (SavedModule, FrozenTensor)> {
        self.nodes().filter_map(|(_, node)| node.module())
    }

    pub fn node(&self, wire: Wire) -> Node {
        self.nodes[wire.0].node
    }

    pub fn width(&self, wire: Wire) -> usize {
        self.nodes[wire.0].width
    }

    /// Linear layers in order: what is adapted, and what weights are given by.
    pub fn sites(&self) -> &[LinearSite] {
        &self.sites
    }

    /// Frozen tensors beside the sites' weights, in order: what their values are given by.
    pub fn tensors(&self) -> &[TensorShape] {
        &self.tensors
    }

    /// Layers that the sites belong to.
    pub fn layers(&self) -> usize {
        self.sites.iter().map(|site| site.layer + 1).max().unwrap_or(0)
    }

    pub fn parameters(&self) -> usize {
        let sites = self.sites.iter().map(|site| site.outputs * site.inputs);
        sites.chain(self.tensors.iter().map(|tensor| tensor.rows * tensor.cols)).sum()
    }

    pub fn output(&self) -> Wire {
        Wire(self.nodes.len() - 1)
    }

    /// Width of the rows it reads.
    pub fn inputs(&self) -> usize {
        self.nodes[0].width
    }

    /// Width of its output.
    pub fn outputs(&self) -> usize {
        self.width(self.output())
    }

    /// Nodes that read a wire, in order.
    pub fn readers(&self, wire: Wire) -> impl Iterator<Item = (Wire, Node)> + '_ {
        self.nodes().filter(move |(_, node)| node.reads().any(|read| read == wire))
    }

    /// What a site reads.
    pub fn site_input(&self, site: usize) -> Wire {
        self.at(site).1
    }

    /// What it hands on.
    pub fn site_output(&self, site: usize) -> Wire {
        self.at(site).0
    }

    fn at(&self, site: usize) -> (Wire, Wire) {
        let mut own = self.nodes().filter_map(|(wire, node)| match node {
            Node::Linear { site: of, from } if of == site => Some((wire, from)),
            _ => None,
        });
        own.next().unwrap_or_else(|| unreachable!("every site was made with its node"))
    }

    /// Whether a site's output goes through GELU.
    pub fn gelu_follows(&self, site: usize) -> bool {
        self.readers(self.site_output(site)).any(|(_, node)| matches!(node, Node::Gelu(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_has_gelu_between_its_layers() {
        let network = Network::stack(&[5, 4, 3]);
        let shapes: Vec<_> = network.sites().iter().map(|s| (s.name.as_str(), s.inputs, s.outputs)).collect();
        assert_eq!(shapes, [("layers.0", 5, 4), ("layers.1", 4, 3)]);
        assert_eq!((network.inputs(), network.outputs()), (5, 3));
        assert_eq!((network.gelu_follows(0), network.gelu_follows(1)), (true, false));
        let between = network.site_input(1);
        assert_eq!((network.node(between), network.width(between)), (Node::Gelu(network.site_output(0)), 4));
        assert_eq!(network.site_output(1), network.output());
    }

    #[test]
    fn what_is_read_twice_has_two_readers() {
        let (mut network, x) = Network::new(4);
        let y = network.linear("mixer", x, 4);
        let sum = network.add(x, y);
        assert_eq!(network.readers(x).map(|(wire, _)| wire).collect::<Vec<_>>(), [y, sum]);
        assert_eq!(network.output(), sum);
    }
}
