//! PiSSA (arXiv 2404.02948): LoRA that begins at the frozen weight's own largest singular directions, which the weight
//! then lacks: `W0 = R + s B₀ A₀`, R frozen. Its change of W0 is `s (B A − B₀ A₀)`, a LoRA of twice the rank.

use ndarray::Array2;

use super::description::{Mark, Modifier};
use crate::args::{Setting, Settings};
use crate::method::description::{Layer, Widths};
use crate::tensor::{matrix, svd, to_nalgebra, widened};

pub static PISSA: Modifier = Modifier {
    name: "pissa",
    applies_to: &["lora"],
    settings: &[Setting::choice("init", &["kaiming", "pissa"]).explained(
        "start",
        "Kaiming: A random, B zero. PiSSA: A and B are the frozen weight's largest singular directions, which are taken out of it.",
    )],
    mark: |settings| is_on(settings).then_some(Mark::After(" PiSSA")),
};

/// Whether a method that may begin so does.
pub fn is_on(settings: &Settings) -> bool {
    settings.get("init").is_some() && settings.choice("init") == "pissa"
}

/// The frozen weight taken apart, all in f32 as they are trained and stored.
pub struct Split {
    /// `[rank, inputs]`.
    pub a: Vec<f32>,
    /// `[outputs, rank]`.
    pub b: Vec<f32>,
    /// `W0 − s B₀ A₀` of the factors as rounded, `[outputs, inputs]`.
    pub residual: Vec<f32>,
}

/// `A₀ = √(Σ/s) Vᵀ`, `B₀ = U √(Σ/s)` of `weight [outputs, inputs]`, for scaling s. Directions beyond its rank are zero.
pub fn split(layer: &Layer, rank: usize, scaling: f64) -> Split {
    let Widths { inputs, outputs } = layer.widths;
    let w = widened(layer.weight, (outputs, inputs));
    let (u, values, v) = svd(to_nalgebra(&w)).unwrap_or_else(|| {
        let nothing = |rows| to_nalgebra(&matrix((rows, 0), &mut |_, _| 0.0));
        (nothing(outputs), vec![], nothing(inputs))
    });
    let root = |k: usize| values.get(k).map_or(0.0, |value| libm::sqrt(value / scaling));
    let left = |o: usize, k: usize| u.get((o, k)).copied().unwrap_or(0.0);
    let right = |k: usize, i: usize| v.get((i, k)).copied().unwrap_or(0.0);
    let rounded = |value: f64| f64::from(value as f32);
    let a: Array2<f64> = matrix((rank, inputs), &mut |k, i| rounded(root(k) * right(k, i)));
    let b: Array2<f64> = matrix((outputs, rank), &mut |o, k| rounded(root(k) * left(o, k)));
    let residual = w - b.dot(&a) * scaling;
    let narrow = |values: &Array2<f64>| values.iter().map(|&v| v as f32).collect();
    Split { a: narrow(&a), b: narrow(&b), residual: narrow(&residual) }
}
