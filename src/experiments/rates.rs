//! Speed: what the scaling rule does to the first steps, and which learning rate each method wants.

use super::runs::{config, lora, relative_loss, trained};
use super::{Expected, Experiment, Figure, Inputs, Measuring, Series, each, quantity, shown};
use crate::config::{Config, Domains, Lane, Optimizer, Schedule, Task};
use crate::lab::forward::matrix;
use crate::method::{FULL, LORA};
use crate::task::{Targets, TaskData};

const RANKS: [usize; 3] = [8, 32, 128];
/// Before this step (0-based) the early loss is read.
const EARLY: usize = 10;
/// Learning rates of the sweep, each twice the one before.
const RATES: usize = 12;
const SLOWEST: f64 = 0.0005;
const WIDTHS: [usize; 2] = [64, 128];
const SWEEP_STEPS: usize = 200;

pub fn all() -> Vec<Experiment> {
    vec![early(), ratio()]
}

/// The two rules agree at rank 16.
fn scaled(rank: usize, rslora: bool) -> Lane {
    Lane::from(&LORA).with("rank", rank).with("alpha", if rslora { 4.0 } else { 16.0 }).with("rslora", rslora)
}

fn early() -> Experiment {
    let lanes = [false, true].into_iter().flat_map(|rs| RANKS.map(|rank| scaled(rank, rs))).collect();
    let task = Domains { dim: 128, domains: 1, true_rank: 8, ..Domains::default() };
    let setup = config(Task::Domains(task), lanes, Schedule { warmup: 0, total: 1_000 });
    let names = ["r", "√r"].map(|by| each(&RANKS, &|rank| shown(format!("α/{by}, r = {rank}")))).concat();
    let judged = vec![
        quantity("α/r: largest − smallest", Expected::AtMost(0.03)),
        quantity("α/√r: largest − smallest", Expected::AtLeast(0.05)),
    ];
    Experiment {
        id: "early-curves",
        setups: vec![Config { optimizer: Optimizer { lr: 0.001, ..Optimizer::default() }, ..setup }],
        quantities: [names, judged].concat(),
        measure: early_losses,
        figure: Some(Figure {
            x: "rank",
            y: "loss before step 10, share of energy",
            columns: RANKS.map(|r| r.to_string()).to_vec(),
            series: vec![Series { name: "α/r", first: 0 }, Series { name: "α/√r", first: RANKS.len() }],
            log: false,
        }),
    }
}

fn early_losses(mut setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let mut setup = setups.swap_remove(0);
        // Stopped early, on the long schedule of the link: the rate has hardly fallen by then.
        let total = setup.schedule.total;
        inputs.expects(EARLY + 1);
        setup.schedule.total = EARLY + 1;
        let mut prepared = super::runs::begin(&setup, inputs).await?;
        prepared.lab.config.schedule.total = total;
        super::runs::train(&mut prepared.lab, EARLY + 1, inputs).await?;
        let lab = prepared.lab;
        let energy = batch_energy(&lab.task, EARLY);
        let mut values: Vec<f64> = (0..lab.lane_count()).map(|lane| lab.losses(lane)[EARLY] / energy).collect();
        let spread = |of: &[f64]| {
            let (low, high) = of.iter().fold((f64::MAX, f64::MIN), |(l, h), &v| (l.min(v), h.max(v)));
            high - low
        };
        let (plain, rs) = (spread(&values[..RANKS.len()]), spread(&values[RANKS.len()..]));
        values.extend([plain, rs]);
        Ok(values)
    })
}

/// Mean squared target change per element of one batch, which is an untrained lane's loss on it.
fn batch_energy(task: &TaskData, batch: usize) -> f64 {
    let Targets::Dense(y) = &task.y else { return 1.0 };
    let (inputs, outputs) = (task.network.inputs(), task.network.outputs());
    let rows = task.batch_rows() * batch..task.batch_rows() * (batch + 1);
    let x = matrix(&task.x[rows.start * inputs..rows.end * inputs], inputs);
    let y = matrix(&y[rows.start * outputs..rows.end * outputs], outputs);
    let change = y - x.dot(&matrix(&task.base[0].weight, inputs).t());
    change.iter().map(|v| v * v).sum::<f64>() / change.len() as f64
}

fn rate(index: usize) -> f64 {
    SLOWEST * f64::powi(2.0, index as i32)
}

fn ratio() -> Experiment {
    let setup = |dim| {
        let task = Domains { dim, domains: 1, true_rank: 8, batch: 16, ..Domains::default() };
        config(Task::Domains(task), vec![(&FULL).into(), lora(8)], Schedule { warmup: 20, total: SWEEP_STEPS })
    };
    let mut sweep = Vec::new();
    for width in WIDTHS {
        for lane in ["full", "LoRA r8"] {
            sweep.extend((0..RATES).map(|i| shown(format!("d = {width}: {lane} at {}", rate(i)))));
        }
    }
    let best = each(&WIDTHS, &|width| shown(format!("d = {width}: best rate of full")));
    let ratios =
        each(&WIDTHS, &|width| quantity(format!("d = {width}: best rate, LoRA : full"), Expected::Between(5.0, 20.0)));
    Experiment {
        id: "rate-ratio",
        setups: WIDTHS.map(setup).to_vec(),
        quantities: [sweep, best, ratios].concat(),
        measure: swept,
        figure: Some(Figure {
            x: "learning rate (d = 128)",
            y: "loss after 200 steps",
            columns: (0..RATES).map(|i| rate(i).to_string()).collect(),
            series: vec![Series { name: "full", first: 2 * RATES }, Series { name: "LoRA r8", first: 3 * RATES }],
            log: true,
        }),
    }
}

fn swept(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let (mut curves, mut bests, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        inputs.expects(setups.len() * RATES * SWEEP_STEPS);
        for setup in &setups {
            let mut lanes = [Vec::new(), Vec::new()];
            for index in 0..RATES {
                let optimizer = Optimizer { lr: rate(index), ..setup.optimizer };
                let lab = trained(&Config { optimizer, ..setup.clone() }, inputs).await?.lab;
                lanes.iter_mut().enumerate().for_each(|(lane, curve)| curve.push(relative_loss(&lab, lane)));
            }
            let [full, lora] = [0, 1].map(|lane| rate(least(&lanes[lane])));
            bests.push(full);
            ratios.push(lora / full);
            curves.extend(lanes.concat());
        }
        Ok(curves.into_iter().chain(bests).chain(ratios).collect())
    })
}

/// Where the least value is; what is not a number is never least.
fn least(values: &[f64]) -> usize {
    let key = |i: usize| if values[i].is_nan() { f64::INFINITY } else { values[i] };
    (0..values.len()).reduce(|best, i| if key(i) < key(best) { i } else { best }).unwrap_or(0)
}
