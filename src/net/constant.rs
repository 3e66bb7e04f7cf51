//! What of a network does not change while a lane trains, and so is computed once. Knows no buffers.

use crate::task::LossKind;
use crate::task::network::{Network, Node};

/// Whether a site reads the data themselves, which never change: its frozen product is then made once, with the shared
/// buffers, for every row of the pool.
pub fn is_constant(network: &Network, site: usize) -> bool {
    network.node(network.site_input(site)) == Node::Rows
}

/// The site whose frozen product is taken from the targets beforehand: known, and all that is done with it is to compare.
pub fn left_out_of_target(network: &Network, loss: LossKind) -> Option<usize> {
    match network.node(network.output()) {
        Node::Linear { site, .. } if loss == LossKind::Mse && is_constant(network, site) => Some(site),
        _ => None,
    }
}
