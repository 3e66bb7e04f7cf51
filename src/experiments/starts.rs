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
        title: "Starting from the largest directions",
        claim: "A LoRA that starts from the frozen weight's largest singular directions learns faster than one that starts from zero, and ends no higher.",
        source: "PiSSA, arXiv 2404.02948; the floor: methods",
        setups: vec![domains(Domains { domains: 1, true_rank: 8, ..Domains::default() }, lanes)],
        method: "One task of rank 8, LoRA and PiSSA of rank 8 and 16. Steps until the mean loss of sixteen is half the energy, and the loss at the end.",
        prediction: "If the claim holds, LoRA takes at least 1.1 times the steps and ends no lower. Against it: PiSSA's factors must hold the needed change T and the part P of W0 that was taken out, of rank 8 + r together, so its floor is the Eckart–Young tail of T + P beyond r, weighed by the inputs' second moments; LoRA's is 0.",
        quantities,
        measure: started,
        otherwise: "The frozen weight here is random: its largest directions are no better than others, and holding on to them costs rank that the change needs. A pretrained weight's largest directions may be those that a new task uses.",
        remark: "A rank of r is worth r only if the change lies in what PiSSA starts from; otherwise up to half of it stays bound.",
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
        title: "A larger rate for B",
        claim: "LoRA learns up to twice as fast where B's learning rate is sixteen times that of A.",
        source: "LoRA+, arXiv 2402.12354",
        setups: (0..RATES).map(|i| Config { optimizer: at(i), ..setup.clone() }).collect(),
        method: "One task of rank 8 at width 128, LoRA of rank 8 with B's rate 1 or 16 times A's; 300 steps at each of eight rates of A from 0.0005 up, each twice the one before. Steps until the mean loss of sixteen is a tenth of the energy; 300 where it never is.",
        prediction: "At an equal rate of 0.002, at least 1.5 times faster; with the best rate for each, at least 1.2 times (the paper says up to 2 after tuning).",
        quantities: [steps, claims].concat(),
        measure: paced,
        otherwise: "A's rows must turn towards the 8 of 128 directions that the task reads, and a larger rate for B does nothing for that; at A's best rates B's would be too large. The paper's argument is about much wider layers, in which B's best rate parts from A's, and about tasks for which A's random directions are good enough.",
        remark: "The first of the two numbers compares a tuned with an untuned rate; the second is the fair one. On digits, at the smaller rate, B's larger one does help; see *digits-variants*.",
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
