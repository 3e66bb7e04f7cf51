//! Changing the rank (LoRA, MoLoRA) or the number of experts (MoR1E) of a lane in the middle of training. Knows how a
//! lane's parameters are laid out; what becomes of them is `inspect`'s to say.

use super::Lab;
use crate::args::Kind;
use crate::error::{Error, Result};
use crate::exec::Recording;
use crate::graph::{MOMENTS, PARAMS, Tensor};
use crate::lang::{marked, tr};
use crate::method::Lane;
use crate::method::description::{Sizes, Widths};
use crate::method::resize::{Parameter, Tensors};
use crate::net::{CompiledLane, CompiledSite, compile};
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
                value: to.method.name.into(),
                allowed: tr!("balance, noise, temperature, orthogonality and lr_ratio can change in mid-training"),
            });
        }
        while self.in_flight() > 0 {
            self.collect().await?;
        }
        let state = self.engine.compiled(lane).state.clone();
        let held = self.engine.read(&state.iter().map(|&buffer| (lane, buffer)).collect::<Vec<_>>()).await?;
        self.engine.set_lane(lane, compile(&self.task, &to, &self.config.optimizer), &[])?;
        for (&buffer, values) in state.iter().zip(&held) {
            self.engine.write(lane, buffer, values)?;
        }
        self.change(lane, to);
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
        let Some(resize) = new.method.extras.resize else { return Ok(()) };
        let compiled = self.engine.compiled(lane);
        let (from, saved) = (compiled.sites.clone(), compiled.saved.clone());
        // Experts may be split and dropped by how much they are used.
        let gates: Vec<_> = compiled
            .gates()
            .filter(|_| resize.by_gate)
            .map(|(site, buffer, tensor)| (site, buffer, tensor.clone()))
            .collect();
        if !gates.is_empty() {
            self.engine.run(lane, Recording::Output, self.step_record(None, self.step, 0))?;
        }
        let mut wanted = vec![(lane, PARAMS), (lane, MOMENTS)];
        wanted.extend(gates.iter().map(|&(_, buffer, _)| (lane, buffer)));
        let read = self.engine.read(&wanted).await?;
        let usage = |layer: usize| {
            let at = gates.iter().position(|&(l, ..)| l == layer);
            at.map_or_else(Vec::new, |at| mean_gate(&gates[at].2, &read[2 + at]))
        };

        let (first, second) = read[1].split_at(read[1].len() / 2);
        let compiled = compile(&self.task, &new, &self.config.optimizer);
        let resizes = self.lanes[lane].resizes + 1;
        let mut rng = Rng::new(self.config.seed.into(), stream::resize(lane, resizes));
        let mut moved = Moved {
            from: &from,
            old: [&read[0], first, second],
            to: &compiled,
            new: std::array::from_fn(|_| vec![0.0; compiled.padded]),
            layer: 0,
            mean_gate: Vec::new(),
            rng: &mut rng,
        };
        for (l, spec) in self.task.network.sites().iter().enumerate().filter(|(_, site)| old.adapts(site)) {
            (moved.layer, moved.mean_gate) = (l, usage(l));
            let (before, after) = (old.settings_at(spec.layer), new.settings_at(spec.layer));
            let scalings = ((old.method.scaling)(&before), (new.method.scaling)(&after));
            let widths = Widths { inputs: spec.inputs, outputs: spec.outputs };
            (resize.run)(&Sizes { old: &before, new: &after, scalings, widths }, &mut moved)?;
        }
        // What trains whole stays as it is.
        for ((_, tensor), (_, to)) in saved.iter().zip(&moved.to.saved) {
            for (old, new) in moved.old.iter().zip(&mut moved.new) {
                to.scatter(new, &tensor.gather(old));
            }
        }
        let [params, first, second] = moved.new;
        self.engine.set_lane(lane, compiled, &params)?;
        self.engine.write(lane, MOMENTS, &[first, second].concat())?;
        self.lanes[lane].resizes = resizes;
        self.change(lane, new);
        Ok(())
    }

    fn change(&mut self, lane: usize, to: Lane) {
        let state = &mut self.lanes[lane];
        (state.lane, state.stale, state.since) = (to, true, self.step);
    }
}

/// The lane at another size, if there may be one like that.
fn with_size(old: &Lane, to: usize, lane: usize) -> Result<Lane> {
    let refuse = |what: &str, allowed: String| {
        Err(Error::Config { key: format!("lanes[{lane}].{what}"), value: to.to_string(), allowed })
    };
    let Some((key, _)) = old.size() else {
        return refuse("rank", tr!("{} has no rank", old.method.title));
    };
    let range = old.described().into_iter().find(|setting| setting.key == key).map(|setting| setting.kind);
    if let Some(Kind::Whole(range)) = range.filter(|kind| matches!(kind, Kind::Whole(range) if !range.contains(to))) {
        return refuse(key, range.to_string());
    }
    if !old.can_resize() {
        return refuse(key, tr!("this lane's rank is part of how it began; start again with another"));
    }
    let new = old.resized(to);
    match new.broken_limit(usize::MAX) {
        Some(broken) => refuse(broken.key, broken.allowed),
        None => Ok(new),
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

/// A lane's parameters and moments on their way from one layout to another, a layer at a time.
struct Moved<'a> {
    from: &'a [CompiledSite],
    old: [&'a [f32]; 3],
    to: &'a CompiledLane,
    new: [Vec<f32>; 3],
    layer: usize,
    mean_gate: Vec<f64>,
    rng: &'a mut Rng,
}

impl Tensors for Moved<'_> {
    fn take(&self, name: &str) -> Result<Parameter> {
        let tensor = find(self.from, self.layer, name)?;
        let [value, first, second] = self.old.map(|buffer| tensor.gather(buffer));
        Ok(Parameter { value, first, second })
    }

    fn put(&mut self, name: &str, parameter: &Parameter) -> Result<()> {
        let tensor = find(&self.to.sites, self.layer, name)?;
        let parts = [&parameter.value, &parameter.first, &parameter.second];
        self.new.iter_mut().zip(parts).for_each(|(buffer, values)| tensor.scatter(buffer, values));
        Ok(())
    }

    fn mean_gate(&self) -> &[f64] {
        &self.mean_gate
    }

    fn rng(&mut self) -> &mut Rng {
        self.rng
    }
}

fn find<'a>(sites: &'a [CompiledSite], site: usize, key: &str) -> Result<&'a Tensor> {
    sites[site].parameter(key).ok_or_else(|| Error::Missing {
        what: marked!("tensor"),
        name: format!("{}.{key}", sites[site].name),
        hint: tr!("the lane's method does not have it"),
    })
}
