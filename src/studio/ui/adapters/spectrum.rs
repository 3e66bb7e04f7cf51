//! Singular values as bars; those that a rank would keep are full, the others hollow.

use yew::prelude::*;

use crate::view::axis::path;
use crate::view::format::three;
use crate::view::ui::size::use_size;

const HEIGHT: f64 = 160.0;
const LEFT: f64 = 56.0;
const FOOT: f64 = 24.0;
const TOP: f64 = 16.0;
const WIDEST: f64 = 40.0;

#[derive(Properties, PartialEq)]
pub struct BarsProps {
    /// Largest first.
    pub values: Vec<f64>,
    pub kept: usize,
    pub label: AttrValue,
}

#[component]
pub fn Bars(props: &BarsProps) -> Html {
    let node = use_node_ref();
    let (width, _) = use_size(&node);
    let count = props.values.len();
    let top = props.values.first().copied().unwrap_or(0.0);
    let slot = ((width - LEFT) / count.max(1) as f64).clamp(1.0, WIDEST);
    let base = HEIGHT - FOOT;
    let bars = props.values.iter().enumerate().map(|(i, &value)| {
        let height = if top > 0.0 { value / top * (base - TOP) } else { 0.0 };
        let gap = if slot > 4.0 { 2.0 } else { 0.0 };
        html! {
            <rect class={if i < props.kept { "kept" } else { "cut" }} x={format!("{:.1}", LEFT + i as f64 * slot + gap / 2.0 + 0.5)} y={format!("{:.1}", base - height)}
                width={format!("{:.1}", (slot - gap - 1.0).max(1.0))} height={format!("{height:.1}")}
                data-why={format!("Singular value {}: {}.", i + 1, three(value))} />
        }
    });
    let every = (count as f64 * 28.0 / (slot * count.max(1) as f64)).ceil().max(1.0) as usize;
    let ticks = (0..count).filter(|i| (i + 1) % every == 0 || *i == 0).map(|i| {
        html! { <text x={format!("{:.1}", LEFT + (i as f64 + 0.5) * slot)} y={(HEIGHT - 8.0).to_string()} text-anchor="middle">{ i + 1 }</text> }
    });
    html! {
        <div class="singular" ref={node} role="img" aria-label={props.label.clone()}>
            if width > 0.0 {
                <svg aria-hidden="true" width={width.to_string()} height={HEIGHT.to_string()}>
                    <text x={(LEFT - 8.0).to_string()} y={(TOP + 4.0).to_string()} text-anchor="end">{ three(top) }</text>
                    <text x={(LEFT - 8.0).to_string()} y={base.to_string()} text-anchor="end">{ "0" }</text>
                    <path class="baseline" d={path([(LEFT, base + 0.5), (LEFT + slot * count as f64, base + 0.5)].into_iter())} />
                    { for bars }
                    { for ticks }
                </svg>
            }
        </div>
    }
}
