//! DoRA (arXiv 2402.09353): `W' = m ∘ (W0 + s B A) / ‖W0 + s B A‖` per output row, m trained, the norm a constant to the
//! gradient. The weight is formed anew in every step, so it runs as a dense change `W' − W0`.

use super::description::{
    Axis, Change, Extras, Layer, Method, Parameter, Products, Reach, Resize, Size, Start, Widths,
};
use super::lora::{ALPHA, RANK, pair, place_factors, resize_factors};
use super::site::{Adapted, Place};
use crate::args::Settings;
use crate::graph::{Arena, GRADS, NOTHING, PARAMS, Tensor};
use crate::op::dora::{self, DORA_BACKWARD, DORA_DOWN, DORA_FORWARD};
use crate::op::weight_grad::WEIGHT_GRAD;
use crate::op::{pad, weight_grad};

pub static DORA: Method = Method {
    name: "dora",
    title: "DoRA",
    short: "DoRA",
    why: "LoRA for the direction of every row of the weight; their lengths train apart.",
    source: "Liu et al. 2024, arXiv 2402.09353",
    settings: &[RANK, ALPHA],
    scaling,
    parameters,
    record,
    change: |_, _| Change::Dense("delta"),
    // The weight is formed once per step, whatever the tokens, and then applied.
    products: |_, _, _| Products::InTheWeight,
    // Of what the trained lengths add to a rank no bound near the truth is known.
    reach: |_| Reach::Unknown,
    extras: Extras {
        size: Some(Size::RANK),
        resize: Some(Resize {
            allowed: |_| true,
            by_gate: false,
            run: |sizes, tensors| {
                resize_factors(sizes, tensors)?;
                tensors.carry(&["lora_magnitude_vector"])
            },
        }),
        ..Extras::NONE
    },
};

fn scaling(settings: &Settings) -> f64 {
    settings.real("alpha") / settings.whole("rank") as f64
}

/// As LoRA, and lora_magnitude_vector `[O]`, at first the lengths of the frozen weight's rows.
fn parameters(settings: &Settings, widths: Widths) -> Vec<Parameter> {
    let mut all = pair(settings, widths).to_vec();
    all.push(Parameter::trained("lora_magnitude_vector", [Axis::Outputs], Start::Made(|_, layer| lengths(layer))));
    all
}

/// Length of every row of the frozen weight.
fn lengths(layer: &Layer) -> Vec<f32> {
    let square = |row: &[f32]| row.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>();
    layer.weight.chunks_exact(layer.widths.inputs).map(|row| libm::sqrt(square(row)) as f32).collect()
}

fn record(settings: &Settings, place: &Place, arena: &mut Arena) -> Adapted {
    let rank = settings.whole("rank");
    let begin = arena.params;
    let factors = place_factors(rank, place, arena);
    let (i, o) = (pad(place.inputs), pad(place.outputs));
    let m = arena.param(format!("{}.lora_magnitude_vector", place.name), o, vec![place.outputs], vec![1]);
    let mut buffer = |what: &str| arena.buffer(format!("{}.{what}", place.name), o * i);
    let (delta, v, ddelta, dv) = (buffer("delta"), buffer("v"), buffer("ddelta"), buffer("dv"));
    let dims = dora::Dims {
        inputs: i as u32,
        outputs: o as u32,
        real_outputs: place.outputs as u32,
        rank: rank as u32,
        a: factors.a as u32,
        b: factors.b as u32,
        m: m as u32,
        scale: scaling(settings) as f32,
    };
    let gradient = weight_grad::Dims {
        rows: place.tokens as u32,
        m0: o as u32,
        n0: i as u32,
        left_stride0: o as u32,
        right_stride0: i as u32,
        right_batched0: place.x_batched.into(),
        ..Default::default()
    };
    Adapted {
        forward: vec![DORA_FORWARD.pass(dims, &[("params", PARAMS), ("v", v), ("w0", place.weight), ("delta", delta)])],
        backward: vec![WEIGHT_GRAD.pass(
            gradient,
            &[("left0", place.dy), ("right0", place.x), ("left1", NOTHING), ("right1", NOTHING), ("grads", ddelta)],
        )],
        backward_factors: vec![
            DORA_BACKWARD
                .pass(dims, &[("params", PARAMS), ("v", v), ("d_delta", ddelta), ("dv", dv), ("grads", GRADS)]),
            DORA_DOWN.pass(dims, &[("params", PARAMS), ("dv", dv), ("grads", GRADS)]),
        ],
        updates: Some((begin, arena.params - begin)),
        delta: Some((delta, 0)),
        made: vec![(
            delta,
            Tensor {
                name: format!("{}.delta", place.name),
                shape: vec![place.outputs, place.inputs],
                offset: 0,
                strides: vec![i, 1],
            },
        )],
        ..Default::default()
    }
}
