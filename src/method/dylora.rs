//! DyLoRA (arXiv 2210.07558): LoRA of which every step trains the first b directions only, b drawn anew from 1 to R, so
//! that each smaller rank is an adapter too. The scaling stays that of rank R.

use super::description::{Cut, Extras, Method, Product, Reach, Resize, Size};
use super::factors::ungated;
use super::lora::{ALPHA, RANK, pair, place_factors, products, resize_factors};
use super::site::{AdapterPasses, LayerSite};
use crate::args::Settings;
use crate::graph::{Arena, PARAMS};
use crate::op::truncate::{self, TRUNCATE};

pub static DYLORA: Method = Method {
    name: "dylora",
    title: "DyLoRA",
    short: "DyLoRA",
    why: "LoRA whose steps train the first few directions only, so that it works at every smaller rank.",
    source: "Valipour et al. 2022, arXiv 2210.07558",
    settings: &[RANK, ALPHA],
    scaling,
    parameters: |settings, widths| pair(settings, widths).into(),
    record,
    change: |settings, _| Product::plain("lora_A", "lora_B", settings.whole("rank")),
    products: |settings, widths, _| products(settings, widths),
    reach: |settings| Reach::Single { rank: Some(settings.whole("rank")) },
    extras: Extras {
        size: Some(Size::RANK),
        resize: Some(Resize { allowed: |_| true, by_gate: false, run: resize_factors }),
        cut: Some(Cut { rank: |settings| Some(settings.whole("rank")), tensor: "lora_B", trained: true }),
        ..Extras::NONE
    },
};

fn scaling(settings: &Settings) -> f64 {
    settings.real("alpha") / settings.whole("rank") as f64
}

fn record(settings: &Settings, place: &LayerSite, arena: &mut Arena) -> AdapterPasses {
    let rank = settings.whole("rank");
    let whole = place_factors(rank, place, arena);
    let factors = whole.read_from(arena.buffer(format!("{}.factors", place.name), whole.elements()));
    let dims = truncate::Dims {
        rank: rank as u32,
        slots: whole.slots as u32,
        inputs: whole.inputs as u32,
        outputs: whole.outputs as u32,
        a: whole.a as u32,
        b: whole.b as u32,
        sampled: 1,
    };
    let first = TRUNCATE.pass(dims, &[("params", PARAMS), ("factors", factors.at)]);
    // Directions left out are zero in both factors, and so are their gradients.
    AdapterPasses {
        effective_factors: factors.tensors((1, rank), place),
        ..ungated(&factors, scaling(settings), vec![first], place, arena)
    }
}
