//! LoRA (Hu et al., arXiv 2106.09685): `y += s (x lora_Aᵀ) lora_Bᵀ` with s = α/R, or α/√R with rsLoRA (arXiv 2312.03732).

use serde_json::json;

use super::description::{
    Axis, Change, Cut, Extras, Method, Parameter, Peft, Product, Products, Reach, Resize, Size, Sizes, Start, Widths,
};
use super::factors::{Factors, Names, ungated};
use super::modifier::{lora_plus, pissa, quantised};
use super::resize::{Tensors, factors};
use super::site::{AdapterPasses, LayerSite};
use crate::args::{Setting, Settings, Shown, limits};
use crate::error::Result;
use crate::graph::Arena;

pub static LORA: Method = Method {
    name: "lora",
    title: "LoRA",
    short: "LoRA",
    why: "ΔW = s·B·A, a product of two thin matrices: its rank is at most r.",
    source: "Hu et al. 2021, arXiv 2106.09685",
    settings: &[
        RANK,
        ALPHA.explained(
            "alpha",
            "Strength of the adapter: s = α/r, or α/√r if rank-stabilised. Changing it restarts the run.",
        ),
        Setting::flag("rslora").link("rs").explained(
            "rank-stabilised: α/√r",
            "Scale by α/√r in place of α/r, so that large ranks learn as fast as small ones.",
        ),
    ],
    scaling,
    parameters,
    record,
    change,
    products: |settings, widths, _| products(settings, widths),
    reach: |settings| Reach::Single { rank: Some(settings.whole("rank")) },
    extras: Extras {
        size: Some(Size::RANK),
        resize: Some(Resize { allowed: |settings| !pissa::is_on(settings), by_gate: false, run: resize_factors }),
        cut: Some(Cut {
            rank: |settings| (!pissa::is_on(settings) && !quantised::is_on(settings)).then(|| settings.whole("rank")),
            tensor: "lora_B",
            trained: false,
        }),
        peft: Some(Peft {
            kind: "LORA",
            tensors: &[("lora_A", "lora_A.weight"), ("lora_B", "lora_B.weight")],
            shared: &[],
            config: |settings| {
                json!({
                    "r": settings.whole("rank"),
                    "lora_alpha": settings.real("alpha"),
                    "use_rslora": settings.flag("rslora"),
                    "lora_dropout": 0.0,
                    "bias": "none",
                })
            },
            allowed: |settings| !pissa::is_on(settings) && !quantised::is_on(settings),
            opens: None,
        }),
        scripted: |_| true,
        ..Extras::NONE
    },
};

pub const RANK: Setting = rank(8);
pub const ALPHA: Setting = alpha(16.0);

pub const fn rank(default: usize) -> Setting {
    Setting::whole("rank", limits::RANK, default).link("r").always().shown(Shown::Slider)
}

pub const fn alpha(default: f64) -> Setting {
    Setting::real("alpha", limits::ALPHA, default)
        .link("a")
        .explained("alpha", "Strength of the adapter: s = α/r. Changing it restarts the run.")
        .shown(Shown::Row)
}

fn scaling(settings: &Settings) -> f64 {
    let rank = settings.whole("rank") as f64;
    settings.real("alpha") / if settings.flag("rslora") { rank.sqrt() } else { rank }
}

fn parameters(settings: &Settings, widths: Widths) -> Vec<Parameter> {
    let mut pair = pair(settings, widths);
    if pissa::is_on(settings) {
        pair[0].start = Start::Made(|settings, layer| pissa::split(layer, settings.whole("rank"), scaling(settings)).a);
        pair[1].start = Start::Made(|settings, layer| pissa::split(layer, settings.whole("rank"), scaling(settings)).b);
    }
    pair.into()
}

/// lora_A `[R,I]`, uniform at first, and lora_B `[O,R]`, zero, so that an untrained adapter changes nothing.
pub fn pair(settings: &Settings, widths: Widths) -> [Parameter; 2] {
    let rank = Axis::Rank(settings.whole("rank"));
    [
        Parameter::trained("lora_A", [rank, Axis::Inputs], Start::Uniform { fan_in: widths.inputs }),
        Parameter::trained("lora_B", [Axis::Outputs, rank], Start::Zero),
    ]
}

fn record(settings: &Settings, place: &LayerSite, arena: &mut Arena) -> AdapterPasses {
    let rank = settings.whole("rank");
    let mut factors = place_factors(rank, place, arena);
    factors.extra_rate = lora_plus::extra_rate(settings);
    match quantised::quantised(factors, settings, (1, rank), place, arena) {
        None => ungated(&factors, scaling(settings), vec![], place, arena),
        Some((made, first)) => AdapterPasses {
            effective_factors: made.tensors((1, rank), place),
            ..ungated(&made, scaling(settings), vec![first], place, arena)
        },
    }
}

/// lora_A `[R,I]` and lora_B `[O,R]`.
pub fn place_factors(rank: usize, place: &LayerSite, arena: &mut Arena) -> Factors {
    Factors::place(&Names { a: "lora_A", b: "lora_B", experts: None, rank: Some(rank) }, 0, place, arena)
}

fn change(settings: &Settings, _: Widths) -> Change {
    let rank = settings.whole("rank");
    match Product::plain("lora_A", "lora_B", rank) {
        Change::Product(product) => Change::Product(Product { from_weight: pissa::is_on(settings), ..product }),
        dense => dense,
    }
}

pub fn products(settings: &Settings, Widths { inputs, outputs }: Widths) -> Products {
    let rank = settings.whole("rank");
    Products::Apart { down: rank * inputs, inner: 0, up: rank * outputs, untrained: 0 }
}

/// The factors at another rank, expert by expert.
pub fn resize_factors(sizes: &Sizes, tensors: &mut dyn Tensors) -> Result<()> {
    let Sizes { old, new, scalings, widths: Widths { inputs, outputs } } = *sizes;
    let experts = old.maybe_whole("experts").unwrap_or(1);
    let (a, b) = (tensors.take("lora_A")?, tensors.take("lora_B")?);
    let held = factors::Factors { experts, rank: old.whole("rank"), inputs, outputs, a, b };
    let resized = factors::resize(&held, new.whole("rank"), scalings, tensors.rng())?;
    tensors.put("lora_A", &resized.a)?;
    tensors.put("lora_B", &resized.b)
}
