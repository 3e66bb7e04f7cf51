//! What a lane can be told beyond size and strength: what the four methods have in their papers. `lane_options` has the
//! rest.

use yew::prelude::*;

use super::control::{Choice, Number, Switch, names, position};
use crate::config::{Balance, BalanceKind, Gate, Lane, Method, Named, limits};

/// What a control does to a lane.
pub type Change<T> = fn(&mut Lane, T);

/// Controls that change a lane.
pub struct Controls<'a> {
    pub lane: &'a Lane,
    pub edit: &'a Callback<Lane>,
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

    pub fn number(
        &self,
        label: &'static str,
        value: f64,
        limit: limits::Real,
        why: &'static str,
        change: Change<f64>,
    ) -> Html {
        html! { <Number {label} {value} min={limit.min} max={limit.max} {why} on_change={self.changes(change)} /> }
    }

    pub fn whole(
        &self,
        label: &'static str,
        value: usize,
        (min, max): (usize, usize),
        why: &'static str,
        change: Change<f64>,
    ) -> Html {
        html! {
            <Number {label} whole=true value={value as f64} min={min as f64} max={max as f64} {why}
                on_change={self.changes(change)} />
        }
    }

    pub fn switch(&self, label: &'static str, on: bool, why: &'static str, change: Change<bool>) -> Html {
        html! { <Switch {label} {on} {why} on_change={self.changes(change)} /> }
    }

    pub fn choice<T: Named + PartialEq>(
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

    /// What the four methods have in their papers.
    pub fn plain(&self) -> Html {
        match self.lane.method {
            Method::Full | Method::Variant { .. } => html! {},
            Method::Lora { rslora, .. } => self.switch(
                "rank-stabilised: α/√r",
                rslora,
                "Scale by α/√r in place of α/r, so that large ranks learn as fast as small ones.",
                |lane, on| {
                    if let Method::Lora { rslora, .. } = &mut lane.method {
                        *rslora = on;
                    }
                },
            ),
            Method::Molora { experts, top_k, renormalize, .. } => html! {
                <>
                    { self.whole("top-k", top_k, (0, experts), "Keep only the k largest gates of a token; 0 keeps all.",
                        |lane, k| if let Method::Molora { top_k, .. } = &mut lane.method { *top_k = k as usize; }) }
                    { self.switch("renormalise kept gates", renormalize,
                        "Divide the kept gates by their sum, as MixLoRA and Mixtral do; MoLoRA does not.",
                        |lane, on| if let Method::Molora { renormalize, .. } = &mut lane.method { *renormalize = on; }) }
                    { self.balance() }
                </>
            },
            Method::Mor1e { gate, .. } => html! {
                <>
                    { self.choice("gate", gate, "Pooled: one gate per sequence, from its mean. Token: one per token. Prototype: by likeness to the data, and a router.",
                        |lane, index| if let Method::Mor1e { gate, hidden, balance, .. } = &mut lane.method {
                            *gate = Gate::ALL[index];
                            if *gate == Gate::Prototype {
                                // It has neither a network nor shares to balance.
                                (*hidden, *balance) = (None, Balance::default());
                            }
                        }) }
                    if !self.lane.method.has_prototypes() { { self.balance() } }
                </>
            },
        }
    }
}
