//! MoRA (arXiv 2405.12130): one square matrix `M [r̂,r̂]` of as many parameters as a LoRA's factors, between a fold of the
//! input (inputs that agree mod r̂ are added) and a tiling of the output; its rank can be r̂. As factors: `lora_A = M·fold`,
//! `lora_B` the tiling, which is fixed.

use super::description::{Axis, Extras, Method, Parameter, Product, Products, Reach, Size, Start, Widths};
use super::factors::{Factors, ungated};
use super::lora::RANK;
use super::site::{AdapterPasses, LayerSite};
use crate::args::Settings;
use crate::graph::{Arena, GRADS, PARAMS};
use crate::op::pad;
use crate::op::tile::{self, TILE_BACKWARD, TILE_FORWARD};

pub static MORA: Method = Method {
    name: "mora",
    title: "MoRA",
    short: "MoRA",
    why: "One square matrix with as many parameters as LoRA of that rank, so that ΔW can have a higher one.",
    source: "Jiang et al. 2024, arXiv 2405.12130",
    settings: &[RANK],
    scaling: |_| 1.0,
    parameters: |settings, widths| {
        let side = Axis::Width(side(settings, widths));
        vec![Parameter::trained("mora_M", [side, side], Start::Zero)]
    },
    record,
    change: |settings, widths| Product::plain("lora_A", "lora_B", side(settings, widths)),
    // Folds are additions.
    products: |settings, widths, _| Products::Apart {
        down: 0,
        inner: side(settings, widths).pow(2),
        up: 0,
        untrained: 0,
    },
    // Of what folds of a square matrix can reach no bound near the truth is known.
    reach: |_| Reach::Unknown,
    // Its matrix has no part of smaller rank, so a trained one cannot be given another.
    extras: Extras {
        size: Some(Size::RANK),
        folds: Some([
            ("fold", |x, side| (0..side).map(|k| x.iter().skip(k).step_by(side.max(1)).sum()).collect()),
            ("tile", |x, outputs| x.iter().copied().cycle().take(outputs).collect()),
        ]),
        ..Extras::NONE
    },
};

/// r̂: the side of the square that a LoRA of this rank has parameters for, at most the layer's smaller side.
fn side(settings: &Settings, Widths { inputs, outputs }: Widths) -> usize {
    ((inputs + outputs) * settings.whole("rank")).isqrt().min(inputs).min(outputs)
}

fn record(settings: &Settings, place: &LayerSite, arena: &mut Arena) -> AdapterPasses {
    let side = side(settings, Widths { inputs: place.inputs, outputs: place.outputs });
    let (slots, i, o) = (pad(side), pad(place.inputs), pad(place.outputs));
    let m = arena.param(format!("{}.mora_M", place.name), slots * slots, vec![side, side], vec![slots, 1]);
    let mut buffer = |what: &str| arena.buffer(format!("{}.{what}", place.name), slots * (i + o));
    let (at, grads) = (buffer("factors"), buffer("dfactors"));
    let b = slots * i;
    let factors = Factors {
        at,
        a: 0,
        b,
        grads,
        grad_a: 0,
        grad_b: b,
        extra_rate: 0.0,
        slots,
        down_rows: slots,
        inputs: i,
        outputs: o,
    };
    let dims = tile::Dims {
        side: side as u32,
        slots: slots as u32,
        inputs: i as u32,
        outputs: o as u32,
        real_inputs: place.inputs as u32,
        real_outputs: place.outputs as u32,
        matrix: m as u32,
    };
    let first = TILE_FORWARD.pass(dims, &[("params", PARAMS), ("factors", at)]);
    AdapterPasses {
        backward_factors: vec![TILE_BACKWARD.pass(dims, &[("d_factors", grads), ("grads", GRADS)])],
        updates: Some((m, slots * slots)),
        effective_factors: factors.tensors((1, side), place),
        ..ungated(&factors, 1.0, vec![first], place, arena)
    }
}
