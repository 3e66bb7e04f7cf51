//! Changing the rank (LoRA, MoLoRA) or the number of experts (MoR1E) of a lane in the middle of training. Knows how a
//! lane's parameters are laid out; what becomes of them is `inspect`'s to say.

use super::Lab;
use crate::adapter::count::{hidden_width, scaling};
use crate::config::{Lane, Method, limits};
use crate::error::{Error, Result};
use crate::exec::Recording;
use crate::graph::{MOMENTS, PARAMS, Tensor};
use crate::inspect::{Parameter, experts, resize};
use crate::model::{LaneProgram, compile};
use crate::rng::{Rng, stream};

impl Lab {
    /// Go on with a lane whose parameters are the same and whose weights of the loss's terms, noise, temperature or ratio
    /// of rates are others.
    ///
    /// # Errors
    /// `Error::Missing` if there is no such lane, `Error::Config` where more than that differs.
    pub async fn tune(&mut self, lane: usize, to: Lane) -> Result<()> {
        self.check_lane(lane)?;
        if !self.lanes[lane].lane.tunes_to(&to) {
            return Err(Error::Config {
                key: format!("lanes[{lane}]"),
                value: to.method.name().into(),
                allowed: "balance, noise, temperature, orthogonality and lr_ratio can change in mid-training".into(),
            });
        }
        while self.in_flight() > 0 {
            self.collect().await?;
        }
        let state = self.engine.program(lane).state.clone();
        let held = self.engine.read(&state.iter().map(|&buffer| (lane, buffer)).collect::<Vec<_>>()).await?;
        self.engine.set_lane(lane, compile(&self.task, &to, &self.config.optimizer), &[])?;
        for (&buffer, values) in state.iter().zip(&held) {
            self.engine.write(lane, buffer, values)?;
        }
        (self.lanes[lane].lane, self.lanes[lane].stale) = (to, true);
        Ok(())
    }

    /// Give a lane another rank (LoRA; MoLoRA: of each expert) or number of experts (MoR1E) as it stands: growing
    /// leaves its output as it was, shrinking keeps the best of it, and the optimiser's state follows.
    ///
    /// # Errors
    /// `Error::Missing` if there is no such lane, `Error::Config` for full fine-tuning, which has no rank, and for
    /// values out of range, `Error::Data` where a diverged lane's values leave nothing to keep.
    pub async fn set_rank(&mut self, lane: usize, rank: usize) -> Result<()> {
        self.check_lane(lane)?;
        let old = self.lanes[lane].lane.clone();
        let new = with_size(&old, rank, lane)?;
        while self.in_flight() > 0 {
            self.collect().await?;
        }
        let program = self.engine.program(lane);
        let (tensors, gates) = (program.tensors.clone(), program.gates.clone());
        // Rank-1 experts are split and dropped by how much they are used.
        let gates = if matches!(new.method, Method::Mor1e { .. }) { gates } else { Vec::new() };
        if !gates.is_empty() {
            self.engine.run(lane, Recording::Output, self.step_record(self.step, 0))?;
        }
        let mut wanted = vec![(lane, PARAMS), (lane, MOMENTS)];
        wanted.extend(gates.iter().map(|&(_, buffer, _)| (lane, buffer)));
        let read = self.engine.read(&wanted).await?;
        let usage = |layer: usize| {
            let at = gates.iter().position(|&(l, ..)| l == layer);
            at.map_or_else(Vec::new, |at| mean_gate(&gates[at].2, &read[2 + at]))
        };

        let (first, second) = read[1].split_at(read[1].len() / 2);
        let program = compile(&self.task, &new, &self.config.optimizer);
        let resizes = self.lanes[lane].resizes + 1;
        let mut rng = Rng::new(self.config.seed.into(), stream::resize(lane, resizes));
        let mut moved = Moved {
            from: &tensors,
            old: [&read[0], first, second],
            to: &program,
            new: std::array::from_fn(|_| vec![0.0; program.padded]),
        };
        for (l, spec) in self.task.layers.iter().enumerate() {
            if old.adapts(l) {
                let at = Layer { index: l, inputs: spec.inputs, outputs: spec.outputs };
                moved.layer(&at, (&old.method_at(l), &new.method_at(l)), &usage(l), &mut rng)?;
            }
        }
        let [params, first, second] = moved.new;
        self.engine.set_lane(lane, program, &params)?;
        self.engine.write(lane, MOMENTS, &[first, second].concat())?;
        let state = &mut self.lanes[lane];
        (state.lane, state.resizes, state.stale) = (new, resizes, true);
        Ok(())
    }
}

/// The lane at another rank or number of experts, if there may be one like that.
fn with_size(old: &Lane, size: usize, lane: usize) -> Result<Lane> {
    let refuse = |what: &str, allowed: String| {
        Err(Error::Config { key: format!("lanes[{lane}].{what}"), value: size.to_string(), allowed })
    };
    let (what, limit) = match old.method {
        Method::Full => return refuse("rank", "full fine-tuning has no rank".into()),
        Method::Mor1e { .. } => ("experts", limits::EXPERTS),
        Method::Lora { .. } | Method::Variant { .. } | Method::Molora { .. } => ("rank", limits::RANK),
    };
    if !limit.contains(size) {
        return refuse(what, limit.to_string());
    }
    if !old.can_resize() {
        return refuse(what, "this lane's rank is part of how it began; start again with another".into());
    }
    let new = old.resized(size);
    let layers = new.options.experts_per_layer.as_ref().map_or(1, Vec::len);
    let widest = (0..layers).filter_map(|l| match new.method_at(l) {
        Method::Molora { experts, rank, .. } => Some(experts * rank),
        _ => None,
    });
    match widest.max() {
        Some(wide) if wide > limits::MIXTURE_RANK => {
            refuse("rank", format!("experts · rank = {wide} must be at most {}", limits::MIXTURE_RANK))
        }
        _ => Ok(new),
    }
}

/// Mean over tokens of the gates `[batch, sequence, experts]` in a buffer.
fn mean_gate(gates: &Tensor, buffer: &[f32]) -> Vec<f64> {
    let experts = gates.shape[2];
    let share = 1.0 / (gates.shape[0] * gates.shape[1]) as f64;
    let mut mean = vec![0.0; experts];
    for row in gates.gather(buffer).chunks_exact(experts) {
        mean.iter_mut().zip(row).for_each(|(m, &g)| *m += share * f64::from(g));
    }
    mean
}

struct Layer {
    index: usize,
    inputs: usize,
    outputs: usize,
}

/// A lane's parameters and moments on their way from one layout to another.
struct Moved<'a> {
    from: &'a [Tensor],
    old: [&'a [f32]; 3],
    to: &'a LaneProgram,
    new: [Vec<f32>; 3],
}

impl Moved<'_> {
    fn layer(&mut self, at: &Layer, (old, new): (&Method, &Method), usage: &[f64], rng: &mut Rng) -> Result<()> {
        let &Layer { index, inputs, outputs } = at;
        let scales = (scaling(old), scaling(new));
        match (old, new) {
            (
                Method::Lora { rank: before, .. }
                | Method::Variant { rank: before, .. }
                | Method::Molora { rank: before, .. },
                &Method::Lora { rank, .. } | &Method::Variant { rank, .. } | &Method::Molora { rank, .. },
            ) => {
                let experts = if let Method::Molora { experts, .. } = old { *experts } else { 1 };
                let (a, b) = (self.take(index, "lora_A")?, self.take(index, "lora_B")?);
                let factors = resize::Factors { experts, rank: *before, inputs, outputs, a, b };
                let resized = resize::resize(&factors, rank, scales, rng)?;
                self.put(index, "lora_A", &resized.a)?;
                self.put(index, "lora_B", &resized.b)?;
                self.carry(index, &["router", "lora_magnitude_vector"])
            }
            (&Method::Mor1e { experts: before, .. }, &Method::Mor1e { experts: count, .. }) => {
                let [v, u, gate_weight, gate_bias] = ["v", "u", "gate.w", "gate.b"].map(|name| self.take(index, name));
                let hidden = hidden_width(old, inputs);
                let (v, u, gate_weight, gate_bias) = (v?, u?, gate_weight?, gate_bias?);
                let held =
                    experts::RankOneExperts { count: before, inputs, outputs, hidden, v, u, gate_weight, gate_bias };
                let (resized, _) = experts::resize(&held, count, usage, rng)?;
                self.put(index, "v", &resized.v)?;
                self.put(index, "u", &resized.u)?;
                self.put(index, "gate.w", &resized.gate_weight)?;
                self.put(index, "gate.b", &resized.gate_bias)?;
                let network = ["w1", "b1", "ln_weight", "ln_bias", "w2", "b2"].map(|name| format!("intuition.{name}"));
                self.carry(index, &network.each_ref().map(String::as_str))
            }
            _ => Ok(()),
        }
    }

    fn take(&self, layer: usize, name: &str) -> Result<Parameter> {
        let tensor = find(self.from, layer, name)?;
        let [value, first, second] = self.old.map(|buffer| tensor.gather(buffer));
        Ok(Parameter { value, first, second })
    }

    fn put(&mut self, layer: usize, name: &str, parameter: &Parameter) -> Result<()> {
        let tensor = find(&self.to.tensors, layer, name)?;
        let parts = [&parameter.value, &parameter.first, &parameter.second];
        self.new.iter_mut().zip(parts).for_each(|(buffer, values)| tensor.scatter(buffer, values));
        Ok(())
    }

    /// Those of the tensors that the method has, unchanged.
    fn carry(&mut self, layer: usize, names: &[&str]) -> Result<()> {
        for name in names {
            if find(self.from, layer, name).is_ok() {
                let parameter = self.take(layer, name)?;
                self.put(layer, name, &parameter)?;
            }
        }
        Ok(())
    }
}

fn find<'a>(tensors: &'a [Tensor], layer: usize, name: &str) -> Result<&'a Tensor> {
    let full = format!("layers.{layer}.{name}");
    tensors.iter().find(|tensor| tensor.name == full).ok_or_else(|| Error::Missing {
        what: "tensor",
        name: full,
        hint: "the lane's method does not have it".into(),
    })
}
