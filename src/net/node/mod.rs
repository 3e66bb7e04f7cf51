//! What each kind of node records, forward and backward, a file each. A kind knows its own kernels; what comes before and
//! after it is `compile`'s, what can be joined `rewrite`'s.

pub mod add;
pub mod attention;
pub mod embedding;
pub mod gelu;
pub mod head;
pub mod linear;
pub mod loss;
pub mod mean;
pub mod rms_norm;
pub mod rotate;
pub mod swiglu;

use super::shared::{Frozen, SharedBuffers};
use crate::graph::{Arena, Buffer, GRADS, LOSSES, MOMENTS, PARAMS, Pass};
use crate::method::site::AdapterPasses;
use crate::op::adamw::{self, ADAMW};
use crate::op::pad;
use crate::task::Network;
use crate::task::network::{Node, Wire};

/// One operation of a step. Those that a rewrite may join with others say what they are; all others are passes already.
#[derive(Clone, Debug)]
pub enum Operation {
    Pass(Pass),
    Linear(linear::Forward),
    LinearBackward(linear::Backward),
    GeluBackward(gelu::Backward),
    Mse(loss::Mse),
    /// Leaves gradients of a site's parameters.
    ParameterGradient {
        site: usize,
        pass: Pass,
    },
    /// AdamW for parameters (first, how many) whose gradients are ready.
    Update(usize, usize),
}

/// Something that an operation reads or writes, `[tokens, padded width of its wire]`. It gets a buffer when a pass first
/// asks for one: what rewrites make needless never has any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// What a wire carries.
    Output(Wire),
    /// Its gradient.
    Gradient(Wire),
    /// One node's share of it, where several read the wire, and the sum of the first so many of these.
    Share {
        of: Wire,
        by: Wire,
    },
    Sum {
        of: Wire,
        count: usize,
    },
}

/// Size of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    pub sequences: usize,
    /// Tokens per sequence.
    pub sequence: usize,
    /// Of one sequence that goes on, positions that caches hold of what came before; 0 where sequences are whole.
    pub positions: usize,
}

impl Batch {
    pub fn real_tokens(self) -> usize {
        self.sequences * self.sequence
    }

    /// Padded, but for those with which a sequence goes on.
    pub fn tokens(self) -> usize {
        if self.positions > 0 { self.real_tokens() } else { pad(self.real_tokens()) }
    }
}

/// A linear site of the lane at hand.
#[derive(Debug)]
pub struct Site {
    pub adapted: Option<AdapterPasses>,
    /// Shared, or the lane's own.
    pub frozen: Frozen,
}

/// What nodes record with: the network, the lane's sites and buffers.
pub struct Recorder<'a> {
    pub network: &'a Network,
    pub batch: Batch,
    /// First of the step's own losses, before they are added up.
    pub loss_at: usize,
    pub shared: SharedBuffers,
    pub arena: Arena,
    pub sites: Vec<Site>,
    /// Nodes whose tables the lane trains, and where in `params` it keeps what it adds to them: `[rows, columns]`, padded.
    pub saved: Vec<(Wire, usize)>,
    buffers: Vec<(Value, Buffer)>,
}

impl<'a> Recorder<'a> {
    pub fn new(network: &'a Network, batch: Batch, loss_at: usize, losses: usize) -> Self {
        let (shared, arena) = (SharedBuffers::new(network), Arena::new(losses));
        Self { network, batch, loss_at, shared, arena, sites: Vec::new(), saved: Vec::new(), buffers: Vec::new() }
    }

    pub fn is_rows(&self, wire: Wire) -> bool {
        self.network.node(wire) == Node::Rows
    }

    /// Where the change of a node's table begins, if the lane trains that.
    pub fn saved(&self, wire: Wire) -> Option<usize> {
        self.saved.iter().find(|(of, _)| *of == wire).map(|&(_, offset)| offset)
    }

    /// Elements of a wire's value.
    pub fn elements(&self, wire: Wire) -> usize {
        self.batch.tokens() * pad(self.network.width(wire))
    }

    /// The buffer of a value; the rows are a batch of the pool.
    pub fn buffer(&mut self, value: Value) -> Buffer {
        if let Some((_, buffer)) = self.buffers.iter().find(|(known, _)| *known == value) {
            return *buffer;
        }
        let (wire, prefix, suffix) = match value {
            Value::Output(wire) if self.is_rows(wire) => return self.shared.x,
            Value::Output(wire) => (wire, "", String::new()),
            Value::Gradient(wire) => (wire, "d", String::new()),
            Value::Share { of, by } => (of, "d", format!(".{}", by.index())),
            Value::Sum { of, count } => (of, "d", format!(".sum{count}")),
        };
        let what = match self.network.node(wire) {
            Node::Gelu(from) if self.site_name(from).is_some() => "act",
            _ => "y",
        };
        let name = format!("{}.{prefix}{what}{suffix}", self.name(wire));
        let buffer = self.arena.buffer(name, self.elements(wire));
        self.buffers.push((value, buffer));
        buffer
    }

    /// What buffers of a wire's node begin with: its own name, or that of its site, or of the site that a GELU follows.
    pub fn name(&self, wire: Wire) -> String {
        let site = match self.network.node(wire) {
            Node::Gelu(from) => self.site_name(from),
            _ => self.site_name(wire),
        };
        match self.network.name_of(wire).or(site) {
            Some(name) => name.to_owned(),
            None => format!("nodes.{}", wire.index()),
        }
    }

    fn site_name(&self, wire: Wire) -> Option<&'a str> {
        match self.network.node(wire) {
            Node::Linear { site, .. } => Some(self.network.sites()[site].name.as_str()),
            _ => None,
        }
    }

    /// One pass for each operation; AdamW is recorded by [`super::rewrite::updates`], and none before it.
    pub fn passes(&mut self, operations: Vec<Operation>) -> Vec<Pass> {
        let pass = |operation| match operation {
            Operation::Pass(pass) | Operation::ParameterGradient { pass, .. } => Some(pass),
            Operation::Linear(forward) => Some(forward.pass(self)),
            Operation::LinearBackward(backward) => Some(backward.pass(self)),
            Operation::GeluBackward(backward) => Some(backward.pass(self)),
            Operation::Mse(mse) => Some(mse.pass(self)),
            Operation::Update(..) => None,
        };
        operations.into_iter().filter_map(pass).collect()
    }
}

/// AdamW for parameters (first, how many) in a pass of its own, which gathers the loss too.
pub fn adamw((begin, count): (usize, usize), update: &crate::graph::Update) -> Pass {
    let dims = adamw::Dims { begin: begin as u32, count: count as u32, ..Default::default() };
    let buffers = [("grads", GRADS), ("params", PARAMS), ("moments", MOMENTS), ("losses", LOSSES)];
    ADAMW.pass(dims.with_update(update), &buffers)
}
