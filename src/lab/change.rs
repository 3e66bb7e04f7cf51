//! What a lane changed at one linear layer, from its parameters: dense, or experts' factors. Knows neither training nor what
//! is shown.

use ndarray::{Array1, Array2};

use super::forward::{Forward, matrix};
use crate::inspect::merge::Experts;
use crate::method::Lane;
use crate::method::description::{self, Layer, Start, Widths};
use crate::spectrum::{singular_values, singular_values_low_rank};
use crate::task::TaskData;

/// What a lane's adapter does to one layer.
pub enum Change {
    /// Full fine-tuning: the change itself, `[outputs, inputs]`.
    Dense(Array2<f64>),
    /// One expert without a gate is LoRA.
    Experts { experts: Experts, gated: bool },
}

impl Change {
    /// From a lane's parameters in the padded layout; `None` where the layer is not adapted.
    /// `probe` has just evaluated the lane, which is `at`, with these parameters.
    pub fn new(
        task: &TaskData,
        lane: &Lane,
        probe: &Forward,
        (at, layer): (usize, usize),
        params: &[f32],
    ) -> Option<Self> {
        let spec = &task.network.sites()[layer];
        let shape = (spec.inputs, spec.outputs);
        let get = |name: &str| {
            let made = probe.effective_factor(at, &format!("{}.{name}", spec.name));
            made.or_else(|| probe.compiled(at).sites[layer].parameter(name).map(|tensor| tensor.gather(params)))
        };
        let settings = lane.settings_at(spec.layer);
        let widths = Widths { inputs: spec.inputs, outputs: spec.outputs };
        let product = match (lane.method.change)(&settings, widths) {
            description::Change::Dense(name) => return Some(Self::Dense(matrix(&get(name)?, spec.inputs))),
            description::Change::Product(product) => product,
        };
        let (mut a, mut b) = (get(product.a)?, get(product.b)?);
        if let Some(readers) = product.readers {
            (a, b) = written_out(a, b, readers, shape);
        }
        let mut rank = product.rank;
        if product.from_weight {
            // What it began with is what the frozen weight lacks.
            let declared = (lane.method.parameters)(&settings, widths);
            let began = Layer { widths, weight: &task.base[layer].weight, seed: 0 };
            let start = |name: &str| match declared.iter().find(|parameter| parameter.name == name)?.start {
                Start::Made(make) => Some(make(&settings, &began)),
                _ => None,
            };
            let (first_a, first_b) = (start(product.a)?, start(product.b)?);
            let beside = |now: &[f32], first: &[f32]| [now, &first.iter().map(|&v| -v).collect::<Vec<_>>()].concat();
            b = b.chunks_exact(rank).zip(first_b.chunks_exact(rank)).flat_map(|(b, f)| beside(b, f)).collect();
            a.extend(first_a);
            rank *= 2;
        }
        let scaling = (lane.method.scaling)(&settings);
        let experts = Experts::new((product.experts, rank), shape, &a, &b, scaling).ok()?;
        let experts = if product.shares { experts } else { experts.with_free_gates() };
        Some(Self::Experts { experts, gated: product.gated })
    }

    /// Whether it is the same for every token, so that a merge of it is exact.
    pub fn is_exact(&self) -> bool {
        !matches!(self, Self::Experts { gated: true, .. })
    }

    /// The change of the weight `[outputs, inputs]`; `None` of a mixture, whose change is another for every gate.
    pub fn dense(&self) -> Option<Array2<f64>> {
        match self {
            Self::Dense(change) => Some(change.clone()),
            Self::Experts { experts, gated: false } => Some(experts.weighted(Array1::ones(1).view())),
            Self::Experts { .. } => None,
        }
    }

    /// ‖ΔW‖, Frobenius, with this mean gate.
    pub fn norm(&self, mean_gate: &Array1<f64>) -> f64 {
        match self {
            Self::Dense(change) => libm::sqrt(change.iter().map(|v| v * v).sum()),
            // ‖B A‖² is the sum over all pairs of directions of (bᵢ·bⱼ)(aᵢ·aⱼ): no matrix of the layer's size is made.
            Self::Experts { experts, .. } => {
                let (a, b) = experts.factors(mean_gate.view());
                libm::sqrt((a.dot(&a.t()) * b.t().dot(&b)).sum().max(0.0))
            }
        }
    }

    /// Singular values, largest first, with this mean gate; none where they are not numbers.
    pub fn spectrum(&self, mean_gate: &Array1<f64>) -> Vec<f32> {
        let values = match self {
            Self::Dense(change) => singular_values(change),
            Self::Experts { experts, .. } => {
                let (a, b) = experts.factors(mean_gate.view());
                singular_values_low_rank(&a, &b, 1.0)
            }
        };
        values.into_iter().map(|s| s as f32).collect()
    }
}

/// Shared vectors as each expert has them: reader i with every writer in turn.
fn written_out(a: Vec<f32>, b: Vec<f32>, readers: usize, (inputs, outputs): (usize, usize)) -> (Vec<f32>, Vec<f32>) {
    let writers = b.len() / outputs;
    let each = a.chunks_exact(inputs).flat_map(|row| std::iter::repeat_n(row, writers)).flatten().copied().collect();
    (each, b.repeat(readers))
}
