//! Options of a lane from the literature: starts, rates, quantised weights, noise and temperature of routers,
//! orthogonality, shared vectors, and sizes by layer. Weights of terms of the loss, noise, temperature and the ratio of rates change in
//! mid-training; everything else restarts the run.

use yew::prelude::*;

use super::control::{Choice, Number};
use super::lane_more::Controls;
use crate::config::{Form, Init, Lane, Method, Named, Weights, limits};
use crate::view::edit::{PATTERNS, sizes};

impl Controls<'_> {
    /// How values are held, and how much faster lora_B learns.
    fn factors(&self) -> Html {
        let options = &self.lane.options;
        html! {
            <>
                { self.choice("weights", options.weights,
                    "Entries of A and B in the forward pass: as trained, or one scale per matrix times −1, 0, 1 (ternary) or −1, 1 (binary). Gradients pass straight through.",
                    |lane, index| lane.options.weights = Weights::ALL[index]) }
                { self.number("LoRA+ ratio", options.lr_ratio, limits::LR_RATIO,
                    "Learning rate of B over that of A; 1 is plain LoRA. Changes in mid-training.",
                    |lane, value| lane.options.lr_ratio = value) }
            </>
        }
    }

    /// MoR1E's flex form: how many vectors read and how many write, of those that every layer's number of experts allows.
    fn shared(&self, layers: usize) -> Html {
        let Method::Mor1e { experts, flex, .. } = self.lane.method else {
            return html! {};
        };
        let of = |layer| if let Method::Mor1e { experts, .. } = self.lane.method_at(layer) { experts } else { 1 };
        let shapes: Vec<usize> = (1..=experts).filter(|p| (0..layers).all(|l| of(l).is_multiple_of(*p))).collect();
        let name = |p: &usize| match self.lane.options.experts_per_layer {
            Some(_) => format!("{p} × …"),
            None => format!("{p} × {}", experts / p),
        };
        let options: Vec<AttrValue> =
            std::iter::once("no".into()).chain(shapes.iter().map(|p| name(p).into())).collect();
        let chosen = flex.and_then(|p| shapes.iter().position(|&q| q == p)).map_or(0, |at| at + 1);
        let lane = self.lane.clone();
        let on_change = self.edit.reform(move |index: usize| {
            let mut lane = lane.clone();
            if let Method::Mor1e { flex, .. } = &mut lane.method {
                *flex = index.checked_sub(1).and_then(|at| shapes.get(at).copied());
            }
            lane
        });
        html! {
            <Choice label="shared vectors" {options} {chosen} {on_change}
                why="Flex: p vectors that read × q that write serve p·q experts, y += β B (Gᵀ A x) with the gate as a p × q matrix G. No: every expert has two of its own. Restarts the run." />
        }
    }

    /// Experts (ranks of LoRA) layer by layer, by a pattern of equal total or by hand.
    fn allocation(&self, layers: usize) -> Html {
        let of = |layer| match self.lane.method_at(layer) {
            Method::Lora { rank, .. } => rank,
            Method::Molora { experts, .. } | Method::Mor1e { experts, .. } => experts,
            _ => 0,
        };
        let now: Vec<usize> = (0..layers).map(of).collect();
        if layers < 2 || now.contains(&0) {
            return html! {};
        }
        let mean = now.iter().sum::<usize>().div_ceil(layers);
        let own = PATTERNS.iter().position(|pattern| sizes(pattern, layers, mean) == now);
        let mut options: Vec<AttrValue> = PATTERNS.iter().map(|pattern| (*pattern).into()).collect();
        if own.is_none() {
            options.push("by hand".into());
        }
        let put = |lane: &mut Lane, sizes: Vec<usize>| match lane.method {
            Method::Lora { .. } => lane.options.rank_per_layer = Some(sizes),
            Method::Mor1e { flex: Some(p), .. } => {
                // Vectors that read stay as many, so every layer has a multiple of them.
                let whole = |n: &usize| n.next_multiple_of(p).min(limits::EXPERTS.max / p * p);
                lane.options.experts_per_layer = Some(sizes.iter().map(whole).collect());
            }
            _ => lane.options.experts_per_layer = Some(sizes),
        };
        let lane = self.lane.clone();
        let on_pattern = self.edit.reform(move |index: usize| {
            let mut lane = lane.clone();
            if let Some(pattern) = PATTERNS.get(index) {
                put(&mut lane, sizes(pattern, layers, mean));
            }
            lane
        });
        let fields = (0..layers).map(|layer| {
            let (lane, now, value) = (self.lane.clone(), now.clone(), now[layer] as f64);
            let on_change = self.edit.reform(move |value: f64| {
                let (mut lane, mut now) = (lane.clone(), now.clone());
                now[layer] = value as usize;
                put(&mut lane, now);
                lane
            });
            html! {
                <Number label={format!("layer {layer}")} whole=true {value} min=1.0 max=64.0 {on_change}
                    why="Experts on this layer (for LoRA: its rank). Restarts the run." />
            }
        });
        html! {
            <>
                <Choice label="over layers" {options} chosen={own.unwrap_or(PATTERNS.len())} on_change={on_pattern}
                    why="How experts (for LoRA: ranks) are shared out over the layers, their total kept near what it is. MoLA found more of them in higher layers better." />
                { for fields }
            </>
        }
    }
}

/// Controls of what a lane's method has beyond size and strength, on a network of this many layers.
pub fn options(c: &Controls, layers: usize) -> Html {
    let own = &c.lane.options;
    match c.lane.method {
        Method::Full => html! {},
        Method::Variant { form: Form::Adalora, rank, .. } => html! {
            <>
                { c.whole("target rank", own.target(rank), (1, rank),
                    "Directions kept at the end, on average per layer; the least important are dropped on the way.",
                    |lane, value| lane.options.target_rank = Some(value as usize)) }
                { c.whole("pruned by step", own.budget_end, (own.budget_begin + 1, limits::TOTAL.max),
                    "The budget of directions falls from step 100 on and is down at this step.",
                    |lane, value| lane.options.budget_end = value as usize) }
            </>
        },
        Method::Variant { .. } => html! {},
        Method::Lora { .. } => html! {
            <>
                { c.choice("start", own.init,
                    "Kaiming: A random, B zero. PiSSA: A and B are the frozen weight's largest singular directions, which are taken out of it.",
                    |lane, index| lane.options.init = Init::ALL[index]) }
                { c.factors() }
                { c.allocation(layers) }
            </>
        },
        Method::Molora { .. } => html! {
            <>
                { c.number("temperature", own.temperature, limits::TEMPERATURE,
                    "The router's logits are divided by this: below 1 gates are sharper, above 1 flatter. Changes in mid-training.",
                    |lane, value| lane.options.temperature = value) }
                { c.number("router noise", own.noise, limits::NOISE,
                    "Standard deviation of the noise added to the router's logits while training, so that no expert is forgotten. Changes in mid-training.",
                    |lane, value| lane.options.noise = value) }
                { c.factors() }
                { c.allocation(layers) }
            </>
        },
        Method::Mor1e { .. } => html! {
            <>
                { c.number("orthogonality", own.orthogonality, limits::COEFFICIENT,
                    "Weight of Σ cos²(vᵢ, vⱼ) in the loss, which keeps the directions that experts read apart. Changes in mid-training.",
                    |lane, value| lane.options.orthogonality = value) }
                { c.shared(layers) }
                { c.allocation(layers) }
            </>
        },
    }
}
