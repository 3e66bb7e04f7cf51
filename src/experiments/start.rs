//! Identities that hold to the last bit, or to rounding: the zero start, and a constant gate.

use super::runs::{answer, apart, config, domains, largest, lora, molora, mor1e, product, trained};
use super::{Expected, Experiment, Inputs, Measuring, quantity};
use crate::config::{Config, Domains, Lane, Schedule, Task};
use crate::error::Result;
use crate::lab::Lab;
use crate::method::FULL;
use crate::method::description::Product;

/// Sums of 64 products in two orders, each within 64 units of rounding.
pub const ROUNDING: f64 = 64.0 * f32::EPSILON as f64;

/// Tensors of a gate, by the start of their names.
const GATES: [&str; 3] = ["router", "intuition", "gate"];

pub fn all() -> Vec<Experiment> {
    vec![zero_start(), constant_gate()]
}

fn zero_start() -> Experiment {
    let rs = lora(8).with("rslora", true);
    let top = molora(4, 2).with("top_k", 2).with("renormalize", true);
    let lanes = vec![(&FULL).into(), lora(8), rs, molora(4, 2), top, mor1e(8, "pooled"), mor1e(8, "token")];
    let setup = config(Task::Domains(Domains::default()), lanes, Schedule { warmup: 0, total: 1 });
    Experiment {
        id: "zero-start",
        setups: vec![setup],
        quantities: vec![
            quantity("largest change of the output", Expected::AtMost(0.0)),
            quantity("largest gradient of a gate", Expected::AtMost(0.0)),
        ],
        measure: untrained,
        figure: None,
    }
}

fn untrained(mut setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let mut setup = setups.swap_remove(0);
        let Task::Domains(task) = &setup.task else { return Ok(vec![]) };
        let data = crate::task::domains(task, setup.seed.into())?;
        // A link cannot ask for a lane without layers: the page would have nothing to train.
        setup.lanes.push(Lane::base());
        let lab = Lab::new(setup, data, inputs.device())?;
        let last = lab.lane_count() - 1;
        let base = lab.tensor(last, "output").await?;
        let (mut change, mut gradient) = (0.0, 0.0);
        for lane in 0..last {
            change = f64::max(change, apart(&base, &lab.tensor(lane, "output").await?));
            for info in lab.tensors(lane)? {
                let Some((_, part)) = info.name.split_once(".grad.") else { continue };
                if GATES.iter().any(|gate| part.starts_with(gate)) {
                    gradient = f64::max(gradient, largest(&lab.tensor(lane, &info.name).await?));
                }
            }
        }
        Ok(vec![change, gradient])
    })
}

fn constant_gate() -> Experiment {
    // A gate of 1/4 on a scaling of 2 is a scaling of 1/2 in the single LoRA of rank 8.
    let one = lora(8).with("alpha", 4.0);
    Experiment {
        id: "constant-gate",
        setups: vec![domains(Domains::default(), vec![molora(4, 2), one])],
        quantities: vec![quantity("relative difference", Expected::AtMost(ROUNDING))],
        measure: flattened,
        figure: None,
    }
}

fn flattened(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let mut lab = trained(&setups[0], inputs).await?.lab;
        copy(&mut lab).await?;
        let (x, sequence) = (lab.task.x.clone(), lab.task.sequence);
        let mixture = answer(&lab, 0, x.clone(), sequence).await?.output;
        let single = answer(&lab, 1, x, sequence).await?.output;
        Ok(vec![apart(&mixture, &single) / largest(&single)])
    })
}

/// Lane 0's router to zero, its experts' factors side by side into lane 1.
async fn copy(lab: &mut Lab) -> Result<()> {
    let Product { experts, rank, .. } = product(lab, 0)?;
    let width = lab.task.network.inputs();
    lab.set_tensor(0, "layers.0.router", &vec![0.0; experts * width]).await?;
    let a = lab.tensor(0, "layers.0.lora_A").await?;
    lab.set_tensor(1, "layers.0.lora_A", &a).await?;
    // `[N, O, R]` to `[O, N·R]`.
    let b = lab.tensor(0, "layers.0.lora_B").await?;
    let wide = experts * rank;
    let side_by_side: Vec<f32> =
        (0..width * wide).map(|at| b[((at % wide / rank) * width + at / wide) * rank + at % rank]).collect();
    lab.set_tensor(1, "layers.0.lora_B", &side_by_side).await
}
