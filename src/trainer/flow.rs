//! One probe token's way through the watched layer: what the parts of the lane's drawing hold, and what leaves each of them.
//! Knows nothing of how it is drawn.

use crate::lab::forward::{Answer, Forward};
use crate::method::Lane;
use crate::method::description::{Reads, Widths};
use crate::method::drawing::{Drawing, Part, Role};
use crate::protocol::FlowFrame;
use crate::task::TaskData;

/// `probe` has just evaluated the lane, which is `at`, with these parameters; the gate of the expert that is `off` is zero.
/// `None` where the layer is not adapted.
pub fn frame(
    task: &TaskData,
    lane: &Lane,
    (at, layer, token): (usize, usize, usize),
    off: Option<usize>,
    params: &[f32],
    probe: &Forward,
    answer: &Answer,
) -> Option<FlowFrame> {
    let (site, base) = (&task.network.sites()[layer], &task.base[layer]);
    if !lane.adapts(site) {
        return None;
    }
    let widths = Widths { inputs: site.inputs, outputs: site.outputs };
    let drawing = Drawing::new(lane, site.layer, widths);
    let compiled = &probe.compiled(at).sites[layer];
    let tensor = |name: &str| {
        let made = probe.effective_factor(at, &format!("{}.{name}", site.name));
        made.or_else(|| Some(compiled.held().find(|tensor| compiled.key(tensor) == name)?.gather(params)))
    };
    let gates = answer.gates.iter().find(|gates| gates.layer == layer);
    let values = |part: &Part| match part.role {
        Role::Gates { .. } => {
            let mut own = gates.map_or_else(Vec::new, |gates| row(&gates.values, gates.experts, token));
            off.and_then(|off| own.get_mut(off)).into_iter().for_each(|gate| *gate = 0.0);
            own
        }
        _ => tensor(part.name).unwrap_or_default(),
    };
    let inputs = probe.input(at, layer);
    let x = row(&inputs, site.inputs, token);
    let mut now: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
    let (mut held, mut outs) = (Vec::new(), Vec::new());
    for part in &drawing.parts {
        let own = values(part);
        now = part.apply(&own, &now);
        held.push(own);
        outs.push(now.iter().map(|&v| v as f32).collect());
    }
    let own = probe.own_weight(at, layer);
    let weight: &[f32] = own.as_deref().unwrap_or(&base.weight);
    let product = weight.chunks_exact(site.inputs).zip(&base.bias);
    let frozen: Vec<f32> = product.map(|(row, &b)| row.iter().zip(&x).fold(b, |sum, (&w, &x)| sum + w * x)).collect();
    let added: Vec<f32> = now.iter().map(|v| (drawing.scaling * v) as f32).collect();
    let y = match off {
        // Without the expert the lane itself computes nothing.
        Some(_) => frozen.iter().zip(&added).map(|(f, a)| f + a).collect(),
        None => row(&probe.layer_output(at, layer), site.outputs, token),
    };
    let begin = token / task.probe.sequence * task.probe.sequence;
    let read = drawing.reads.map_or(0..0, |reads| match reads {
        Reads::Token => token..token + 1,
        Reads::Sequence => begin..begin + task.probe.sequence,
        Reads::SoFar => begin..token + 1,
    });
    let share = 1.0 / read.len() as f32;
    let mut mean = vec![0.0; if read.is_empty() { 0 } else { site.inputs }];
    for row in inputs.chunks_exact(site.inputs).skip(read.start).take(read.len()) {
        mean.iter_mut().zip(row).for_each(|(sum, v)| *sum += share * v);
    }
    Some(FlowFrame {
        lane: at,
        layer,
        token,
        tokens: probe.rows(),
        gate: drawing.gate.iter().map(values).collect(),
        // As `Vector` has them.
        vectors: vec![
            x,
            weight.to_vec(),
            frozen,
            added,
            y,
            mean,
            drawing.behind.as_ref().map_or_else(Vec::new, values),
        ],
        values: held,
        outs,
    })
}

fn row(values: &[f32], width: usize, at: usize) -> Vec<f32> {
    values.chunks_exact(width).nth(at).map_or_else(Vec::new, <[f32]>::to_vec)
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::config::{Config, Domains, Schedule, Task};
    use crate::lab::Lab;
    use crate::method::tests::lanes;
    use crate::protocol::Vector;
    use crate::task::domains;

    fn trained(lane: &Lane, steps: usize) -> (Lab, Forward) {
        let task = Domains { dim: 16, depth: 2, batch: 2, ..Domains::default() };
        let schedule = Schedule { warmup: 0, total: 100 };
        let config =
            Config { lanes: vec![lane.clone()], task: Task::Domains(task.clone()), schedule, ..Config::default() };
        let mut lab = Lab::new(config, domains(&task, 1).unwrap(), None).unwrap();
        let mut probe = Forward::new(&lab.task, lab.task.probe.x.clone(), lab.task.probe.sequence);
        probe.set_lane(0, lane, &lab.config.optimizer);
        block_on(lab.train(steps)).unwrap();
        (lab, probe)
    }

    /// Of every method and modifier, untrained and trained a little, the parts of the drawing make what the layer itself makes.
    #[test]
    fn the_drawing_computes_what_the_layer_does() {
        for lane in lanes() {
            let (mut lab, probe) = trained(&lane, 0);
            for step in [0, 25] {
                block_on(lab.train(step)).unwrap();
                let params = block_on(lab.parameters()).unwrap().remove(0);
                let answer = probe.run(0, &params);
                for (layer, token) in [(0, 0), (1, 5), (1, 63)] {
                    let frame = frame(&lab.task, &lane, (0, layer, token), None, &params, &probe, &answer).unwrap();
                    let widths = Widths { inputs: 16, outputs: 16 };
                    let drawing = Drawing::new(&lane, layer, widths);
                    let size = frame.get(Vector::Y).iter().map(|v| v.abs()).fold(0.0, f32::max);
                    for (o, &y) in frame.get(Vector::Y).iter().enumerate() {
                        let sum = f64::from(frame.get(Vector::Frozen)[o] + frame.get(Vector::Added)[o]);
                        let sum = drawing.behind.as_ref().map_or(sum, |_| sum * length_given(&drawing, &frame, o));
                        assert!((f64::from(y) - sum).abs() < 2e-5 * f64::from(size), "{lane:?} {layer} {o}: {y} {sum}");
                    }
                    let moves = frame.get(Vector::Added).iter().any(|&v| v.abs() > 1e-4 * size);
                    assert_eq!(moves, step > 0 || drawing.from_weight, "{lane:?} at step {step}");
                    assert_eq!(drawing.parts.iter().any(|part| part.from_zero), !drawing.from_weight);
                    assert_eq!(frame.get(Vector::Read).len(), if lane.is_gated() { 16 } else { 0 });
                }
            }
        }
    }

    /// An expert that is switched off adds nothing, and the others what they did; so says what they add together.
    #[test]
    fn what_experts_add_is_the_sum_over_them() {
        for lane in lanes().into_iter().filter(|lane| lane.is_gated()) {
            let (lab, probe) = trained(&lane, 25);
            let params = block_on(lab.parameters()).unwrap().remove(0);
            let answer = probe.run(0, &params);
            let added = |off: &[usize]| {
                let experts = answer.gates[0].experts;
                let mut only = answer.clone();
                only.gates[0]
                    .values
                    .iter_mut()
                    .enumerate()
                    .filter(|(at, _)| off.contains(&(at % experts)))
                    .for_each(|(_, g)| *g = 0.0);
                frame(&lab.task, &lane, (0, 0, 7), None, &params, &probe, &only).unwrap().get(Vector::Added).to_vec()
            };
            let all: Vec<usize> = (0..answer.gates[0].experts).collect();
            let whole = added(&[]);
            let mut sum = vec![0.0; whole.len()];
            for &expert in &all {
                let others: Vec<usize> = all.iter().copied().filter(|&e| e != expert).collect();
                sum.iter_mut().zip(added(&others)).for_each(|(sum, own)| *sum += own);
                let without = frame(&lab.task, &lane, (0, 0, 7), Some(expert), &params, &probe, &answer).unwrap();
                assert_eq!(without.get(Vector::Added), added(&[expert]), "{lane:?}");
                let y = without.get(Vector::Frozen).iter().zip(without.get(Vector::Added)).map(|(f, a)| f + a);
                assert!(y.eq(without.get(Vector::Y).iter().copied()));
            }
            let size = whole.iter().map(|v| v.abs()).fold(0.0, f32::max);
            assert!(whole.iter().zip(&sum).all(|(a, b)| (a - b).abs() < 1e-5 * size), "{lane:?}: {whole:?} {sum:?}");
        }
    }

    /// What a row's trained length makes of an output: m over the length of `W0 + s B A`.
    fn length_given(drawing: &Drawing, frame: &FlowFrame, row: usize) -> f64 {
        let inputs = drawing.widths.inputs;
        let entry = |i: usize| {
            let unit: Vec<f64> = (0..inputs).map(|k| f64::from(u8::from(k == i))).collect();
            let through = drawing.parts.iter().zip(&frame.values).fold(unit, |v, (part, held)| part.apply(held, &v));
            f64::from(frame.get(Vector::Weight)[row * inputs + i]) + drawing.scaling * through[row]
        };
        let square: f64 = (0..inputs).map(|i| entry(i).powi(2)).sum();
        f64::from(frame.get(Vector::Behind)[row]) / square.sqrt()
    }
}
