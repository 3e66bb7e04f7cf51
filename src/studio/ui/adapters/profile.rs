//! Values along an axis of a weight, as strokes from 0: one for each entry, or for as many as share a pixel. Pointer and
//! arrow keys move the cursor; what it stands on is for the caller to say.

use std::fmt::Write;

use yew::prelude::*;

use crate::decimal::tenths;
use crate::studio::adapters::profile::{stretches, under};
use crate::view::axis::path;
use crate::view::format::{count, three};
use crate::view::snap::Snap;
use crate::view::ui::{cursor::Along, size::use_size};

const HEIGHT: f64 = 112.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 8.0;
const FOOT: f64 = 24.0;
/// No stroke is wider.
const WIDEST: f64 = 8.0;

#[derive(Properties, PartialEq)]
pub struct ProfileProps {
    pub values: Snap<Vec<f64>>,
    /// "row" or "column".
    pub axis: &'static str,
    pub label: AttrValue,
    /// The entry under inspection.
    pub cursor: Option<usize>,
    pub on_cursor: Callback<Option<usize>>,
}

#[component]
pub fn Profile(props: &ProfileProps) -> Html {
    let node = use_node_ref();
    let (width, _) = use_size(&node);
    let values = &props.values;
    let inner = (width - LEFT).max(1.0);
    let most = inner as usize;
    let along = Along {
        cursor: props.cursor,
        last: values.len().saturating_sub(1),
        rest: 0,
        stride: 1,
        on_cursor: props.on_cursor.clone(),
    };
    let nearest = {
        let values = values.clone();
        move |x: f64, width: f64| {
            let share = Some((x - LEFT) / (width - LEFT)).filter(|share| (0.0..1.0).contains(share));
            share.and_then(|share| under(&values, share, most))
        }
    };
    let shrunk = stretches(values, most);
    let (low, high) = shrunk.iter().fold((0.0f64, 0.0f64), |(low, high), s| (low.min(s.0), high.max(s.1)));
    let (foot, span) = (HEIGHT - FOOT, (high - low).max(f64::MIN_POSITIVE));
    let y = |value: f64| foot - (value - low) / span * (foot - TOP);
    let slot = inner / shrunk.len().max(1) as f64;
    let stroke = (slot - if slot > 3.0 { 1.0 } else { 0.0 }).min(WIDEST);
    let mut strokes = String::new();
    for (at, &(low, high)) in shrunk.iter().enumerate().filter(|(_, s)| s.0 < s.1) {
        // Writing to a String cannot fail.
        let _ = write!(strokes, "M{} {}V{}", tenths(LEFT + (at as f64 + 0.5) * slot), tenths(y(low)), tenths(y(high)));
    }
    let cursor = props.cursor.map(|at| LEFT + (at as f64 + 0.5) * inner / values.len().max(1) as f64);
    let level = |value: f64, at: f64| html! { <text x={tenths(LEFT - 8.0)} y={tenths(at)} text-anchor="end">{ three(value) }</text> };
    html! {
        <div class="profile" ref={node} role="img" tabindex="0" aria-label={props.label.clone()}
            onpointermove={along.over(".profile", nearest)} onpointerleave={along.away()} onkeydown={along.keys()}>
            if width > 0.0 {
                <svg aria-hidden="true" width={tenths(width)} height={tenths(HEIGHT)}>
                    { level(high, TOP + 4.0) }
                    if low < 0.0 {
                        { level(low, foot) }
                    } else {
                        { level(0.0, foot) }
                    }
                    <path class="strokes" stroke-width={tenths(stroke)} d={strokes} />
                    <path class="baseline" d={path([(LEFT, y(0.0)), (width, y(0.0))].into_iter())} />
                    if let Some(x) = cursor {
                        { for ["halo", "at"].map(|class| html! { <path {class} d={path([(x, TOP), (x, foot)].into_iter())} /> }) }
                    }
                    <text x={LEFT.to_string()} y={(HEIGHT - 6.0).to_string()}>{ format!("{} 0", props.axis) }</text>
                    <text x={width.to_string()} y={(HEIGHT - 6.0).to_string()} text-anchor="end">{ count(values.len().saturating_sub(1)) }</text>
                </svg>
            }
        </div>
    }
}
