//! Load balance: a term of the loss that evens the use of a mixture's experts. `entropy`: `Σ p̄ᵢ log p̄ᵢ` of the mean gate
//! p̄ (least at −log N). `switch` (Fedus et al. 2021, arXiv 2101.03961): `N Σ fᵢ p̄ᵢ`, fᵢ the share of tokens whose largest
//! gate is i (1 when balanced).

use crate::args::{Setting, Settings, limits};
use crate::graph::{Buffer, NOTHING, Pass};
use crate::method::modifier::description::Modifier;
use crate::op::balance::{self, BALANCE};
use crate::op::pad;

const KIND: &str = "balance.kind";
const COEFFICIENT: &str = "balance.coefficient";

pub static LOAD_BALANCE: Modifier = Modifier {
    name: "balance",
    applies_to: &["molora", "mor1e"],
    settings: &[
        Setting::choice(KIND, &["none", "entropy", "switch"])
            .with(COEFFICIENT)
            .explained(
                "load balance",
                "A term added to the loss that evens the use of the experts. Changes in mid-training.",
            )
            .live(),
        Setting::real(COEFFICIENT, limits::COEFFICIENT, 0.0)
            .explained(
                "balance weight",
                "What the balance term is multiplied by before it is added to the loss. Changes in mid-training.",
            )
            .live(),
    ],
    mark: |_| None,
};

/// The balance term's gradient, if there is one; otherwise a buffer of zeros in its place.
pub fn balance_pass(
    settings: &Settings,
    g: Buffer,
    balance: Buffer,
    rows: usize,
    tokens: usize,
    experts: usize,
    passes: &mut Vec<Pass>,
) -> Buffer {
    let kind = match settings.choice(KIND) {
        "entropy" => 1,
        "switch" => 2,
        _ => return NOTHING,
    };
    let dims = balance::Dims {
        rows: rows as u32,
        tokens: tokens as u32,
        experts: experts as u32,
        logits: pad(experts) as u32,
        kind,
        coefficient: settings.real(COEFFICIENT) as f32,
    };
    passes.push(BALANCE.pass(dims, &[("g", g), ("balance", balance)]));
    balance
}
