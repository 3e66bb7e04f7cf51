//! What a lane's method can be told beyond its size and strength. Weights of terms of the loss, noise, temperature and the
//! ratio of rates change in mid-training; everything else restarts the run.

use yew::prelude::*;

use super::control::{Choice, Number, Switch, names, position};
use crate::config::{BalanceKind, Form, Gate, Init, Lane, Method, Named, Weights, limits};
use crate::view::edit::{PATTERNS, sizes};

/// What a control does to a lane.
type Change<T> = fn(&mut Lane, T);

struct Controls<'a> {
    lane: &'a Lane,
    edit: &'a Callback<Lane>,
}

impl Controls<'_> {
    fn changes<T: 'static>(&self, change: Change<T>) -> Callback<T> {
        let lane = self.lane.clone();
        self.edit.reform(move |value| {
            let mut lane = lane.clone();
            change(&mut lane, value);
            lane
        })
    }

    fn number(
        &self,
        label: &'static str,
        value: f64,
        limit: limits::Real,
        why: &'static str,
        change: Change<f64>,
    ) -> Html {
        html! {
            <Number {label} {value} min={limit.min} max={limit.max} {why} on_change={self.changes(change)} />
        }
    }

    fn whole(
        &self,
        label: &'static str,
        value: usize,
        (min, max): (usize, usize),
        why: &'static str,
        change: Change<f64>,
    ) -> Html {
        html! {
            <Number {label} whole=true value={value as f64} min={min as f64} max={max as f64} {why} on_change={self.changes(change)} />
        }
    }

    fn switch(&self, label: &'static str, on: bool, why: &'static str, change: Change<bool>) -> Html {
        html! { <Switch {label} {on} {why} on_change={self.changes(change)} /> }
    }

    fn choice<T: Named + PartialEq>(
        &self,
        label: &'static str,
        value: T,
        why: &'static str,
        change: Change<usize>,
    ) -> Html {
        html! {
            <Choice {label} options={names::<T>()} chosen={position(value)} {why} on_change={self.changes(change)} />
        }
    }

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

    fn balance(&self) -> Html {
        let (Method::Molora { balance, .. } | Method::Mor1e { balance, .. }) = &self.lane.method else {
            return html! {};
        };
        html! {
            <>
                { self.choice("load balance", balance.kind,
                    "A term added to the loss that evens the use of the experts. Changes in mid-training.",
                    |lane, index| if let Method::Molora { balance, .. } | Method::Mor1e { balance, .. } = &mut lane.method {
                        balance.kind = BalanceKind::ALL[index];
                    }) }
                { self.number("balance weight", balance.coefficient, limits::COEFFICIENT,
                    "What the balance term is multiplied by before it is added to the loss. Changes in mid-training.",
                    |lane, value| if let Method::Molora { balance, .. } | Method::Mor1e { balance, .. } = &mut lane.method {
                        balance.coefficient = value;
                    }) }
            </>
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
pub fn more(lane: &Lane, layers: usize, edit: &Callback<Lane>) -> Html {
    let c = Controls { lane, edit };
    let options = &lane.options;
    match lane.method {
        Method::Full => html! {},
        Method::Lora { rslora, .. } => html! {
            <>
                { c.switch("rank-stabilised: α/√r", rslora,
                    "Scale by α/√r in place of α/r, so that large ranks learn as fast as small ones.",
                    |lane, on| if let Method::Lora { rslora, .. } = &mut lane.method { *rslora = on; }) }
                { c.choice("start", options.init,
                    "Kaiming: A random, B zero. PiSSA: A and B are the frozen weight's largest singular directions, which are taken out of it.",
                    |lane, index| lane.options.init = Init::ALL[index]) }
                { c.factors() }
                { c.allocation(layers) }
            </>
        },
        Method::Variant { form: Form::Adalora, rank, .. } => html! {
            <>
                { c.whole("target rank", options.target(rank), (1, rank),
                    "Directions kept at the end, on average per layer; the least important are dropped on the way.",
                    |lane, value| lane.options.target_rank = Some(value as usize)) }
                { c.whole("pruned by step", options.budget_end, (options.budget_begin + 1, limits::TOTAL.max),
                    "The budget of directions falls from step 100 on and is down at this step.",
                    |lane, value| lane.options.budget_end = value as usize) }
            </>
        },
        Method::Variant { .. } => html! {},
        Method::Molora { experts, top_k, renormalize, .. } => html! {
            <>
                { c.whole("top-k", top_k, (0, experts), "Keep only the k largest gates of a token; 0 keeps all.",
                    |lane, k| if let Method::Molora { top_k, .. } = &mut lane.method { *top_k = k as usize; }) }
                { c.switch("renormalise kept gates", renormalize,
                    "Divide the kept gates by their sum, as MixLoRA and Mixtral do; MoLoRA does not.",
                    |lane, on| if let Method::Molora { renormalize, .. } = &mut lane.method { *renormalize = on; }) }
                { c.number("temperature", options.temperature, limits::TEMPERATURE,
                    "The router's logits are divided by this: below 1 gates are sharper, above 1 flatter. Changes in mid-training.",
                    |lane, value| lane.options.temperature = value) }
                { c.number("router noise", options.noise, limits::NOISE,
                    "Standard deviation of the noise added to the router's logits while training, so that no expert is forgotten. Changes in mid-training.",
                    |lane, value| lane.options.noise = value) }
                { c.balance() }
                { c.factors() }
                { c.allocation(layers) }
            </>
        },
        Method::Mor1e { gate, .. } => html! {
            <>
                { c.choice("gate", gate, "Pooled: one gate per sequence, from its mean. Token: one gate for every token.",
                    |lane, index| if let Method::Mor1e { gate, .. } = &mut lane.method { *gate = Gate::ALL[index]; }) }
                { c.balance() }
                { c.number("orthogonality", options.orthogonality, limits::COEFFICIENT,
                    "Weight of Σ cos²(vᵢ, vⱼ) in the loss, which keeps the directions that experts read apart. Changes in mid-training.",
                    |lane, value| lane.options.orthogonality = value) }
                { c.allocation(layers) }
            </>
        },
    }
}
