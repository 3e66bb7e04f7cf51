//! Faster training by another start or another pace: PiSSA and LoRA+.

use nalgebra::DMatrix;

use super::runs::{domains, lora, relative_loss, steps_to, trained};
use super::squares::need;
use super::{Expected, Experiment, Figure, Inputs, Measuring, Series, each, near, quantity, shown};
use crate::config::{Config, Domains, Optimizer, Schedule};
use crate::lab::Lab;
use crate::lab::forward::matrix;
use crate::tensor::{svd, to_nalgebra};

/// Of PiSSA and the LoRA beside it; the true change has the first.
const RANKS: [usize; 2] = [8, 16];
/// LoRA+'s ratio in its paper.
const RATIO: f64 = 16.0;
/// Learning rates of the sweep, each twice the one before.
const RATES: usize = 8;
const SLOWEST: f64 = 0.0005;
const SWEEP_STEPS: usize = 300;
/// The rate at which both ratios are compared as they are.
const EQUAL: usize = 2;

pub fn all() -> Vec<Experiment> {
    vec![pissa(), plus()]
}

fn pissa() -> Experiment {
    let lanes = RANKS.iter().flat_map(|&rank| [lora(rank), lora(rank).with("init", "pissa")]).collect();
    let mut quantities = Vec::new();
    for rank in RANKS {
        quantities.extend([
            near(format!("LoRA r{rank}"), 0.0, 0.005),
            shown(format!("PiSSA r{rank}")),
            shown(format!("PiSSA r{rank}: floor")),
            near(format!("PiSSA r{rank} − its floor"), 0.0, 0.01),
            quantity(format!("r{rank}: steps to half the loss, LoRA over PiSSA"), Expected::AtLeast(1.1)),
            quantity(format!("PiSSA r{rank} − LoRA r{rank}"), Expected::AtMost(0.0)),
        ]);
    }
    Experiment {
        id: "pissa",
        setups: vec![domains(Domains { domains: 1, true_rank: 8, ..Domains::default() }, lanes)],
        quantities,
        measure: started,
        figure: None,
    }
}

fn started(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let lab = trained(&setups[0], inputs).await?.lab;
        let need = need(&lab)?;
        let mut values = Vec::new();
        for (number, rank) in RANKS.into_iter().enumerate() {
            let [plain, pissa] = [2 * number, 2 * number + 1];
            let floor = need.and(&largest_part(&lab, rank)).low_rank(rank) / need.energy();
            let (left, other) = (relative_loss(&lab, plain), relative_loss(&lab, pissa));
            let ratio = steps_to(&lab, plain, 0.5) / steps_to(&lab, pissa, 0.5);
            values.extend([left, other, floor, other - floor, ratio, other - left]);
        }
        Ok(values)
    })
}

/// The best approximation of this rank of the frozen weight.
fn largest_part(lab: &Lab, rank: usize) -> DMatrix<f64> {
    let weight = to_nalgebra(&matrix(&lab.task.base[0].weight, lab.task.network.inputs()));
    let (rows, cols) = weight.shape();
    let Some((u, singular, v)) = svd(weight) else { return DMatrix::zeros(rows, cols) };
    let scaled = DMatrix::from_fn(rows, rank, |r, k| u[(r, k)] * singular[k]);
    scaled * v.columns(0, rank).transpose()
}

fn rate(index: usize) -> f64 {
    SLOWEST * f64::powi(2.0, index as i32)
}

fn plus() -> Experiment {
    let lanes = [1.0, RATIO].map(|ratio| lora(8).with("lr_ratio", ratio));
    let task = Domains { dim: 128, domains: 1, true_rank: 8, batch: 16, ..Domains::default() };
    let setup = Config { schedule: Schedule { warmup: 20, total: SWEEP_STEPS }, ..domains(task, lanes.to_vec()) };
    let at = |index| Optimizer { lr: rate(index), ..Optimizer::default() };
    let rates: Vec<f64> = (0..RATES).map(rate).collect();
    let steps =
        ["1", "16"].map(|ratio| each(&rates, &|rate| shown(format!("ratio {ratio}: steps at {rate}")))).concat();
    let claims = vec![
        quantity(format!("rate {}: steps, ratio 1 over ratio 16", rate(EQUAL)), Expected::AtLeast(1.5)),
        quantity("each at its best rate: steps, ratio 1 over ratio 16", Expected::AtLeast(1.2)),
    ];
    Experiment {
        id: "lora-plus",
        setups: (0..RATES).map(|i| Config { optimizer: at(i), ..setup.clone() }).collect(),
        quantities: [steps, claims].concat(),
        measure: paced,
        figure: Some(Figure {
            x: "learning rate of A",
            y: "steps to a tenth of the loss",
            columns: (0..RATES).map(|i| rate(i).to_string()).collect(),
            series: vec![Series { name: "ratio 1", first: 0 }, Series { name: "ratio 16", first: RATES }],
            log: false,
        }),
    }
}

fn paced(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let mut steps = [Vec::new(), Vec::new()];
        for setup in &setups {
            let lab = trained(setup, inputs).await?.lab;
            steps.iter_mut().enumerate().for_each(|(lane, steps)| steps.push(steps_to(&lab, lane, 0.1)));
        }
        let [even, ahead] = &steps;
        let fastest = |of: &[f64]| of.iter().copied().fold(f64::INFINITY, f64::min);
        let ratios = vec![even[EQUAL] / ahead[EQUAL], fastest(even) / fastest(ahead)];
        Ok([even.clone(), ahead.clone(), ratios].concat())
    })
}
