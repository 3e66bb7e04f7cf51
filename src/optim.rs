//! What varies from step to step: the learning rate of the schedule and AdamW's bias corrections, as the kernels
//! read them. Knows nothing of parameters.

use crate::args::{Optimizer, Schedule};
use crate::graph::Step;

/// Learning rate of step `t` (0-based): linear warmup from 0, then linear decay to 0 at `total`.
pub fn learning_rate(lr: f64, schedule: &Schedule, t: usize) -> f64 {
    let (warmup, total) = (schedule.warmup, schedule.total);
    if t < warmup {
        lr * t as f64 / warmup as f64
    } else if t < total {
        lr * (total - t) as f64 / (total - warmup) as f64
    } else {
        0.0
    }
}

/// Step `t` of a run, on the batch from `x_row` on, its loss going to `slot`.
pub fn step(optimizer: &Optimizer, schedule: &Schedule, t: usize, x_row: usize, slot: usize) -> Step {
    let lr = learning_rate(optimizer.lr, schedule, t);
    let power = (t + 1).min(i32::MAX as usize) as i32;
    let correction = |beta: f64| 1.0 - libm::pow(beta, f64::from(power));
    Step {
        x_row: x_row as u32,
        slot: slot as u32,
        rate: (lr / correction(optimizer.beta1)) as f32,
        decay: (1.0 - lr * optimizer.weight_decay) as f32,
        inv_sqrt_bias2: (1.0 / libm::sqrt(correction(optimizer.beta2))) as f32,
        index: t as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedule_rises_from_zero_and_falls_to_zero() {
        let schedule = Schedule { warmup: 5, total: 40 };
        let lr = |t| learning_rate(0.01, &schedule, t);
        assert_eq!(lr(0), 0.0);
        assert!((lr(4) - 0.008).abs() < 1e-15);
        assert_eq!(lr(5), 0.01);
        assert!((lr(6) - 0.009_714_285_714_285_715).abs() < 1e-15);
        assert_eq!(lr(40), 0.0);
        assert_eq!(lr(4000), 0.0);
    }
}
