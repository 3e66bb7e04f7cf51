//! Operations joined with others that one kernel does at once, each rewrite on its own: what keeps a network of one layer as
//! fast as passes written for it. A step means the same with and without them. Knows what kernels can end in, not what a
//! network is for.

use super::constant::is_constant;
use super::node::{Operation, Site, Value, adamw};
use crate::graph::{Pass, Update};
use crate::task::network::{Network, Node};

/// Frozen products of the data are read, not computed.
pub fn constant_products(network: &Network, operations: &mut [Operation]) {
    for operation in operations {
        if let Operation::Linear(linear) = operation {
            linear.cached = is_constant(network, linear.site);
        }
    }
}

/// A linear layer at the end of the network ends in the mean squared error.
pub fn loss_in_last_layer(network: &Network, operations: &mut Vec<Operation>) {
    let Node::Linear { site: last, .. } = network.node(network.output()) else { return };
    let Some(at) = operations.iter().position(|operation| matches!(operation, Operation::Mse(_))) else { return };
    let Operation::Mse(mse) = operations.remove(at) else { unreachable!("it was found there") };
    for operation in operations {
        match operation {
            Operation::Linear(linear) if linear.site == last => linear.loss = Some(mse),
            _ => {}
        }
    }
}

/// Where all that comes back to a GELU is one linear layer's gradient, that layer multiplies by GELU'. A gradient that is
/// a sum, or that a sum hands on to others too, is not the GELU's own and stays as it is.
pub fn gelu_in_layer_backward(operations: &mut Vec<Operation>) {
    let mut at = 0;
    while at < operations.len() {
        let Operation::GeluBackward(gelu) = operations[at].clone() else {
            at += 1;
            continue;
        };
        let writer = operations[..at].iter_mut().find_map(|operation| match operation {
            Operation::LinearBackward(linear) if linear.dx == Value::Gradient(gelu.wire) => Some(linear),
            _ => None,
        });
        match writer {
            Some(linear) if linear.dx == gelu.dy => {
                (linear.dx, linear.gelu) = (gelu.dx, Some(gelu.from));
                operations.remove(at);
            }
            _ => at += 1,
        }
    }
}

/// AdamW in those passes that leave a parameter's whole gradient, and the loss gathered by the first that can; sites whose
/// gradients have more than one part, or come by way of others, keep a pass for it. Returns how many parameters are updated.
pub fn updates(sites: &[Site], update: &Update, operations: Vec<Operation>) -> (Vec<Operation>, usize) {
    let mut update = *update;
    let mut updated = 0;
    let own_pass = |site: usize| sites[site].adapted.as_ref().and_then(|adapted| adapted.updates);
    let mut out = Vec::with_capacity(operations.len());
    for operation in operations {
        match operation {
            Operation::ParameterGradient { site, pass } if own_pass(site).is_none() => {
                if let Some((pass, count)) = with_update(&pass, &mut update) {
                    updated += count;
                    out.push(Operation::Pass(pass));
                }
            }
            Operation::Update(begin, count) => {
                updated += count;
                out.push(Operation::Pass(adamw((begin, count), &update)));
                update.tiles = 0;
            }
            other => out.push(other),
        }
    }
    (out, updated)
}

/// The pass with AdamW at its end, and how many parameters that trains. `tiles` is 0 once a pass gathers the loss.
fn with_update(pass: &Pass, update: &mut Update) -> Option<(Pass, usize)> {
    let (pass, count) = pass.with_update(update)?;
    if pass.kernel.binds("losses") {
        update.tiles = 0;
    }
    Some((pass, count as usize))
}
