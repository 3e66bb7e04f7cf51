//! A network as nodes with widths over named linear sites: what is computed from what. Knows neither weights, nor
//! adapters, nor how any of it is run: `evaluate` reads it in plain numbers, `net` compiles it into passes.

/// What a node hands on: rows of one width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wire(usize);

impl Wire {
    /// Place of the node in the network's order.
    pub fn index(self) -> usize {
        self.0
    }
}

/// One operation. It reads wires that come before its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// The data: rows of a batch.
    Rows,
    /// A frozen linear layer, which a lane may adapt: `from weightᵀ + bias`.
    Linear { site: usize, from: Wire },
    /// The tanh form.
    Gelu(Wire),
    /// A residual path: where the network is trained, its gradient goes both ways.
    Add(Wire, Wire),
}

impl Node {
    /// What it reads, in order.
    pub fn reads(self) -> impl Iterator<Item = Wire> {
        let (first, second) = match self {
            Self::Rows => (None, None),
            Self::Linear { from, .. } | Self::Gelu(from) => (Some(from), None),
            Self::Add(a, b) => (Some(a), Some(b)),
        };
        first.into_iter().chain(second)
    }
}

/// A linear layer by the name that its tensors begin with: "layers.0".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinearSite {
    pub name: String,
    pub inputs: usize,
    pub outputs: usize,
}

/// Nodes in an order in which they can be computed. The last one's wire is the network's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    nodes: Vec<(Node, usize)>,
    sites: Vec<LinearSite>,
}

impl Network {
    /// A network that does nothing yet but read rows of this width, and their wire.
    pub fn new(width: usize) -> (Self, Wire) {
        (Self { nodes: vec![(Node::Rows, width)], sites: Vec::new() }, Wire(0))
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

    pub fn linear(&mut self, name: impl Into<String>, from: Wire, outputs: usize) -> Wire {
        let site = self.sites.len();
        self.sites.push(LinearSite { name: name.into(), inputs: self.width(from), outputs });
        self.push(Node::Linear { site, from }, outputs)
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

    fn push(&mut self, node: Node, width: usize) -> Wire {
        self.nodes.push((node, width));
        Wire(self.nodes.len() - 1)
    }

    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (Wire, Node)> + ExactSizeIterator {
        self.nodes.iter().enumerate().map(|(index, &(node, _))| (Wire(index), node))
    }

    pub fn node(&self, wire: Wire) -> Node {
        self.nodes[wire.0].0
    }

    pub fn width(&self, wire: Wire) -> usize {
        self.nodes[wire.0].1
    }

    /// Linear layers in order: what is adapted, and what weights are given by.
    pub fn sites(&self) -> &[LinearSite] {
        &self.sites
    }

    pub fn output(&self) -> Wire {
        Wire(self.nodes.len() - 1)
    }

    /// Width of the rows it reads.
    pub fn inputs(&self) -> usize {
        self.nodes[0].1
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
