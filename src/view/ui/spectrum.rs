//! Singular values as bars: a small strip for a lane, and the labelled chart of the inspector.

use yew::prelude::*;

use super::size::use_size;
use crate::view::{axis::path, format::three, snap::Snap};

/// Bars of the small strip.
const FEW: usize = 12;

/// The largest singular values, relative to the first, without axes.
pub fn bars(values: &[f32]) -> Html {
    let Some(&top) = values.first().filter(|&&v| v > 0.0) else {
        return html! { <svg class="bars" aria-hidden="true" width="48" height="16" /> };
    };
    let shown = values.iter().take(FEW).map(|v| three(f64::from(*v)));
    let why = format!("Singular values of ΔW, largest first: {}.", shown.collect::<Vec<_>>().join(", "));
    let bars = values.iter().take(FEW).enumerate().map(|(i, &value)| {
        let height = (f64::from(value / top) * 15.0).max(0.5);
        let (x, y) = ((i * 4).to_string(), format!("{:.1}", 16.0 - height));
        html! { <rect {x} {y} width="3" height={format!("{height:.1}")} /> }
    });
    html! { <svg class="bars" role="img" aria-label={why.clone()} data-why={why} width="48" height="16">{ for bars }</svg> }
}

#[derive(Properties, PartialEq)]
pub struct SpectrumProps {
    pub values: Snap<Vec<f32>>,
    pub true_rank: Option<usize>,
    /// Lane whose colour the bars take.
    pub lane: usize,
}

const HEIGHT: f64 = 96.0;
const LEFT: f64 = 48.0;
const FOOT: f64 = 20.0;
const TOP: f64 = 16.0;
const MANY: usize = 32;

/// Singular values of ΔW with the rank of a true change marked.
#[component]
pub fn Spectrum(props: &SpectrumProps) -> Html {
    let node = use_node_ref();
    let (width, _) = use_size(&node);
    let count = props.values.len().min(MANY);
    let top = f64::from(props.values.first().copied().unwrap_or(0.0));
    let slot = ((width - LEFT) / count.max(1) as f64).min(24.0);
    let base = HEIGHT - FOOT;
    let bars = props.values.iter().take(MANY).enumerate().map(|(i, &value)| {
        let height = if top > 0.0 { f64::from(value) / top * (base - TOP) } else { 0.0 };
        html! {
            <rect class="bar" x={format!("{:.1}", LEFT + i as f64 * slot + 1.0)} y={format!("{:.1}", base - height)}
                width={format!("{:.1}", (slot - 2.0).max(1.0))} height={format!("{height:.1}")}
                data-why={format!("Singular value {} of ΔW: {}.", i + 1, three(f64::from(value)))} />
        }
    });
    let marker = props.true_rank.filter(|&rank| rank <= count).map(|rank| {
        let x = LEFT + rank as f64 * slot;
        let (at, anchor) = if x > width - 96.0 { (x - 4.0, "end") } else { (x + 4.0, "start") };
        html! {
            <g class="true-rank">
                <path d={path([(x, 0.0), (x, base)].into_iter())} />
                <text x={at.to_string()} y="11" text-anchor={anchor}>{ format!("true rank {rank}") }</text>
            </g>
        }
    });
    let shown = props.values.iter().take(8).map(|v| three(f64::from(*v)));
    let label = format!(
        "Singular values of ΔW, largest first: {}{}",
        shown.collect::<Vec<_>>().join(", "),
        if props.values.len() > 8 { " and smaller ones" } else { "" },
    );
    html! {
        <div class={format!("spectrum lane-{}", props.lane)} ref={node} role="img" aria-label={label}>
            if width > 0.0 {
                <svg aria-hidden="true" width={width.to_string()} height={HEIGHT.to_string()}>
                    <text x={(LEFT - 6.0).to_string()} y={(TOP + 8.0).to_string()} text-anchor="end">{ three(top) }</text>
                    <text x={(LEFT - 6.0).to_string()} y={base.to_string()} text-anchor="end">{ "0" }</text>
                    <path class="baseline" d={path([(LEFT, base + 0.5), (width, base + 0.5)].into_iter())} />
                    { for bars }
                    { for marker }
                    <text x={LEFT.to_string()} y={(HEIGHT - 5.0).to_string()}>{ format!("σ₁ … σ{} of ΔW", subscript(count)) }</text>
                </svg>
            }
        </div>
    }
}

fn subscript(value: usize) -> String {
    let digit = |d: char| d.to_digit(10).and_then(|d| char::from_u32(0x2080 + d));
    value.to_string().chars().filter_map(digit).collect()
}
