//! A prototype gate taken apart: what its intuition says and what its router says, domain by domain, and how the two are
//! mixed. On one scale with the gate itself, for they add up to it.

use yew::prelude::*;

use super::heat::{Cell, Heat, Matrix};
use crate::lang::tr;
use crate::view::{format::three, lane_view::GateView, scale::Scale, snap::Snap, words::signed};

#[derive(Properties, PartialEq)]
pub struct PartsProps {
    pub view: GateView,
    /// The lane whose gate it is.
    pub name: AttrValue,
    pub domains: Vec<String>,
    /// Of the panel's pictures.
    pub range: f32,
    /// The panel's class for as many experts.
    pub size: &'static str,
    pub dark: bool,
}

#[component]
pub fn GateParts(props: &PartsProps) -> Html {
    let at = use_state_eq(|| None::<Cell>);
    let frame = &props.view.frame;
    let Some(parts) = &frame.parts else {
        return html! {};
    };
    let experts = frame.experts;
    let on_cursor = {
        let at = at.clone();
        Callback::from(move |cell| at.set(cell))
    };
    let part = |what: &str, caption: Html, why: String, values: &[f32]| {
        let range = three(f64::from(props.range));
        let label = tr!("{}: {what}, experts × domains, from −{range} to {range}", props.name, what, range);
        html! {
            <figure>
                <figcaption data-why={why}>{ caption }</figcaption>
                <Heat class="strip" data={Snap::new(by_expert(values, props.domains.len(), experts))} {label}
                    scale={Scale::Diverging { range: props.range }} dark={props.dark} cursor={*at} on_cursor={on_cursor.clone()} />
                <div class="ticks">{ for (1..=props.domains.len()).map(|d| html! { <span>{ d }</span> }) }</div>
            </figure>
        }
    };
    let readout = at.map_or_else(
        || tr!("gate = intuition + router"),
        |(e, d)| {
            let value = |values: &[f32]| values.get(d * experts + e).map_or("–".into(), |&v| signed(f64::from(v)));
            let domain = props.domains.get(d).map_or("", String::as_str);
            tr!(
                "expert {} on {domain}: intuition {}, router {}, gate {}",
                e + 1,
                value(&parts.intuition),
                value(&parts.router),
                value(&frame.domains),
                domain
            )
        },
    );
    html! {
        <>
            <div class="row">
                <p class="readout">{ readout }</p>
                <span class="spring" />
                <span class="number" tabindex="0" data-why={tr!("How the two parts are mixed: ω = σ(100 w), w trained from 0. At 0 the gate is intuition alone, at 1 the router alone.")}>
                    { "ω " }<b>{ three(f64::from(parts.share)) }</b>
                </span>
            </div>
            <div class={classes!("gate-grid", "parts", props.size)}>
                <div class="experts"><span class="axis">{ tr!("expert") }</span><div class="cells">{ for (1..=experts).map(|e| html! { <span>{ e }</span> }) }</div></div>
                { part(&tr!("intuition"), html! { { tr!("intuition") } }, tr!("4 (1−ω) ⟨cᵢ, e⟩: how alike the direction of the sequence's mean is to the i-th prototype. Prototypes are k-means centroids of the task's data and are not trained."), &parts.intuition) }
                { part(&tr!("router"), html! { { tr!("router") } }, tr!("N ω softmax(W_r x): a trained router, which is even at first. Its parts sum to N ω."), &parts.router) }
            </div>
        </>
    }
}

/// `[n, experts]` turned so that experts are rows.
pub fn by_expert(values: &[f32], n: usize, experts: usize) -> Matrix {
    let at = |expert: usize, k: usize| values.get(k * experts + expert).copied().unwrap_or(f32::NAN);
    Matrix { rows: experts, cols: n, values: (0..experts).flat_map(|e| (0..n).map(move |k| at(e, k))).collect() }
}
