//! Singular values as bars: a small strip for a lane, and the labelled charts of the inspector and of files.

use yew::prelude::*;

use super::size::use_size;
use crate::decimal::tenths;
use crate::lang::tr;
use crate::view::{axis::path, format::three, snap::Snap};

/// Bars of the small strip.
const FEW: usize = 12;

/// The largest singular values, relative to the first, without axes.
pub fn bars(values: &[f32]) -> Html {
    let Some(&top) = values.first().filter(|&&v| v > 0.0) else {
        return html! { <svg class="bars" aria-hidden="true" width="48" height="16" /> };
    };
    let shown = values.iter().take(FEW).map(|v| three(f64::from(*v)));
    let why = tr!("Singular values of ΔW, largest first: {}.", shown.collect::<Vec<_>>().join(", "));
    let bars = values.iter().take(FEW).enumerate().map(|(i, &value)| {
        let height = (f64::from(value / top) * 15.0).max(0.5);
        let (x, y) = ((i * 4).to_string(), tenths(16.0 - height));
        html! { <rect {x} {y} width="3" height={tenths(height)} /> }
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
const LEFT: f64 = 64.0;
const FOOT: f64 = 24.0;
const TOP: f64 = 16.0;
const MANY: usize = 32;

/// Where a chart's bars stand.
pub struct Place {
    pub width: f64,
    pub height: f64,
    /// Between two bars' left edges.
    pub slot: f64,
}

impl Place {
    /// For `count` bars, none wider than `widest`.
    pub fn new((width, height): (f64, f64), count: usize, widest: f64) -> Self {
        Self { width, height, slot: ((width - LEFT) / count.max(1) as f64).clamp(1.0, widest) }
    }

    /// Left edge of bar `i`.
    pub fn x(&self, i: usize) -> f64 {
        LEFT + i as f64 * self.slot
    }

    /// Where the bars stand on.
    pub fn base(&self) -> f64 {
        self.height - FOOT
    }
}

/// Values, largest first, as bars over 0 with the largest written; `marks` is drawn over them.
pub fn chart(place: &Place, values: &[f64], class: impl Fn(usize) -> &'static str, marks: Html) -> Html {
    let top = values.first().copied().unwrap_or(0.0);
    let base = place.base();
    let gap = if place.slot > 4.0 { 2.0 } else { 0.0 };
    let bars = values.iter().enumerate().map(|(i, &value)| {
        let height = if top > 0.0 { value / top * (base - TOP) } else { 0.0 };
        html! {
            <rect class={class(i)} x={tenths(place.x(i) + gap / 2.0 + 0.5)} y={tenths(base - height)}
                width={tenths((place.slot - gap - 1.0).max(1.0))} height={tenths(height)}
                data-why={tr!("Singular value {} of ΔW: {}.", i + 1, three(value))} />
        }
    });
    html! {
        <svg aria-hidden="true" width={tenths(place.width)} height={tenths(place.height)}>
            <text x={tenths(LEFT - 8.0)} y={tenths(TOP + 4.0)} text-anchor="end">{ three(top) }</text>
            <text x={tenths(LEFT - 8.0)} y={tenths(base)} text-anchor="end">{ "0" }</text>
            <path class="baseline" d={path([(LEFT, base + 0.5), (place.x(values.len()), base + 0.5)].into_iter())} />
            { for bars }
            { marks }
        </svg>
    }
}

/// The values for those who do not see the bars.
pub fn spoken(values: &[f64]) -> String {
    let shown = values.iter().take(8).map(|&v| three(v));
    let more = if values.len() > 8 { tr!(" and smaller ones") } else { String::new() };
    tr!("Singular values of ΔW, largest first: {}{more}", shown.collect::<Vec<_>>().join(", "), more)
}

/// Singular values of ΔW with the rank of a true change marked.
#[component]
pub fn Spectrum(props: &SpectrumProps) -> Html {
    let node = use_node_ref();
    let (width, _) = use_size(&node);
    let values: Vec<f64> = props.values.iter().map(|&v| f64::from(v)).collect();
    let label = spoken(&values);
    let shown = &values[..values.len().min(MANY)];
    let place = Place::new((width, HEIGHT), shown.len(), 24.0);
    let marker = props.true_rank.filter(|&rank| rank <= shown.len()).map(|rank| {
        let x = place.x(rank);
        let (at, anchor) = if x > width - 96.0 { (x - 4.0, "end") } else { (x + 4.0, "start") };
        html! {
            <g class="true-rank">
                <path d={path([(x, 0.0), (x, place.base())].into_iter())} />
                <text x={tenths(at)} y="11" text-anchor={anchor}>{ tr!("true rank {rank}", rank) }</text>
            </g>
        }
    });
    let marks = html! {
        <>
            { for marker }
            <text x={tenths(LEFT)} y={tenths(HEIGHT - 5.0)}>{ tr!("σ₁ … σ{} of ΔW", subscript(shown.len())) }</text>
        </>
    };
    html! {
        <div class={format!("spectrum lane-{}", props.lane)} ref={node} role="img" aria-label={label}>
            if width > 0.0 {
                { chart(&place, shown, |_| "bar", marks) }
            }
        </div>
    }
}

fn subscript(value: usize) -> String {
    let digit = |d: char| d.to_digit(10).and_then(|d| char::from_u32(0x2080 + d));
    value.to_string().chars().filter_map(digit).collect()
}
