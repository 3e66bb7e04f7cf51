//! Full fine-tuning: a dense change `delta [O,I]`, zero at first; `y += x deltaᵀ`.

use super::description::{Axis, Change, Extras, Method, Parameter, Products, Reach, Start};
use super::site::{AdapterPasses, LayerSite};
use crate::args::Settings;
use crate::graph::{Arena, GRADS, NOTHING, PARAMS};
use crate::op::weight_grad::WEIGHT_GRAD;
use crate::op::{pad, weight_grad};

pub static FULL: Method = Method {
    name: "full",
    title: "full fine-tuning",
    short: "full",
    why: "Every weight of the layer trains: ΔW is any matrix.",
    source: "the baseline that adapters are held against",
    settings: &[],
    scaling: |_| 1.0,
    parameters: |_, _| vec![Parameter::trained("delta", [Axis::Outputs, Axis::Inputs], Start::Zero).drawn("ΔW")],
    record,
    change: |_, _| Change::Dense("delta"),
    products: |_, _, _| Products::InTheWeight,
    reach: |_| Reach::Single { rank: None },
    extras: Extras { scripted: |_| true, ..Extras::NONE },
};

fn record(_: &Settings, place: &LayerSite, arena: &mut Arena) -> AdapterPasses {
    let (i, o) = (pad(place.inputs), pad(place.outputs));
    let delta = arena.param(format!("{}.delta", place.name), o * i, vec![place.outputs, place.inputs], vec![i, 1]);
    let dims = weight_grad::Dims {
        rows: place.tokens as u32,
        m0: o as u32,
        n0: i as u32,
        left_stride0: o as u32,
        right_stride0: i as u32,
        right_batched0: place.x_batched.into(),
        out0: delta as u32,
        ..Default::default()
    };
    let gradient = WEIGHT_GRAD.pass(
        dims,
        &[("left0", place.dy), ("right0", place.x), ("left1", NOTHING), ("right1", NOTHING), ("grads", GRADS)],
    );
    AdapterPasses { backward: vec![gradient], delta: Some((PARAMS, delta)), ..Default::default() }
}
