//! Layers × modules as a map of one column, its values printed where there is room. Pointer, arrow keys and Enter choose
//! a module.

use std::rc::Rc;

use yew::prelude::*;

use crate::decimal::tenths;
use crate::lang::tr;
use crate::peft::overview::{Outlier, Overview};
use crate::studio::adapters::grid::Grid;
use crate::studio::adapters::table::{Column, span};
use crate::view::axis::stepped_in;
use crate::view::scale::Scale;
use crate::view::ui::{pointer, size::use_size};

const ROW: f64 = 24.0;
const HEAD: f64 = 20.0;
const WIDEST: f64 = 72.0;
/// From this width on a cell holds its value.
const PRINTED: f64 = 52.0;
/// Width of a letter of the labels.
const LETTER: f64 = 7.3;

#[derive(Properties, PartialEq)]
pub struct MapProps {
    pub rows: Rc<Vec<Overview>>,
    pub outliers: Rc<Vec<Outlier>>,
    pub grid: Rc<Grid>,
    pub column: Column,
    pub dark: bool,
    pub on_pick: Callback<usize>,
}

#[component]
pub fn Map(props: &MapProps) -> Html {
    let node = use_node_ref();
    let (width, _) = use_size(&node);
    let cursor = use_state_eq(|| None::<(usize, usize)>);
    let (grid, rows, column) = (&props.grid, &props.rows, props.column);
    let (kinds, layers) = (grid.kinds.len(), grid.layers.len());
    let letters = grid.kinds.iter().map(|kind| kind.chars().count()).max().unwrap_or(0);
    let left = (letters as f64 * LETTER + 8.0).min(width * 0.4);
    let cell = ((width - left) / layers.max(1) as f64).clamp(1.0, WIDEST);
    let (low, high) = span(rows, column).unwrap_or((0.0, 0.0));
    let share = |value: f64| if high > low { ((value - low) / (high - low)) as f32 } else { 0.5 };
    let value =
        |kind: usize, layer: usize| grid.at(kind, layer).and_then(|row| Some((row, column.value(rows.get(row)?)?)));
    let marked = |row: usize| props.outliers.iter().find(|o| o.row == row && Some(o.column) == column.outlier());
    let cells = (0..kinds).flat_map(|kind| (0..layers).map(move |layer| (kind, layer))).filter_map(|(kind, layer)| {
        grid.at(kind, layer)?;
        let (x, y) = (left + layer as f64 * cell, HEAD + kind as f64 * ROW);
        let size = |extent: f64| format!("{:.2}", extent.max(0.5));
        let gap = if cell > 6.0 { 1.0 } else { 0.0 };
        let Some((row, value)) = value(kind, layer) else {
            return Some(html! { <rect class="empty" x={size(x + 0.5)} y={size(y + 0.5)} width={size(cell - gap - 1.0)} height={size(ROW - 2.0)} /> });
        };
        let share = share(value);
        let [r, g, b] = colour(share, props.dark);
        let deep = is_deep([r, g, b]);
        Some(html! {
            <g>
                <rect x={size(x)} y={size(y)} width={size(cell - gap)} height={size(ROW - 1.0)} fill={format!("rgb({r},{g},{b})")} />
                if cell >= PRINTED {
                    <text class={if deep { "deep" } else { "shallow" }} x={size(x + cell / 2.0)} y={size(y + 16.0)} text-anchor="middle">{ column.written(value) }</text>
                }
                if let Some(outlier) = marked(row) {
                    <path class={if deep { "odd deep" } else { "odd shallow" }} d={mark(x + (cell - gap) / 2.0, if cell >= PRINTED { y + 4.0 } else { y + ROW / 2.0 }, outlier.deviations > 0.0)} />
                }
            </g>
        })
    });
    let every = ((layers.max(1) as f64 * 28.0) / (layers.max(1) as f64 * cell)).ceil().max(1.0) as usize;
    let ticks = grid.layers.iter().enumerate().filter(|(at, _)| at % every == 0).map(|(at, layer)| {
        html! { <text x={tenths(left + (at as f64 + 0.5) * cell)} y="13" text-anchor="middle">{ layer }</text> }
    });
    let names = grid.kinds.iter().enumerate().map(|(at, kind)| {
        html! { <text x={tenths(left - 8.0)} y={tenths(HEAD + at as f64 * ROW + 16.0)} text-anchor="end">{ kind }</text> }
    });
    let place = move |event: &MouseEvent| {
        let ((x, y), _) = pointer::place(event, ".map")?;
        let at = |v: f64, step: f64, count: usize| (v >= 0.0 && v < step * count as f64).then(|| (v / step) as usize);
        Some((at(y - HEAD, ROW, kinds)?, at(x - left, cell, layers)?))
    };
    let onpointermove = {
        let cursor = cursor.clone();
        Callback::from(move |event: PointerEvent| cursor.set(place(&event)))
    };
    let onpointerleave = {
        let cursor = cursor.clone();
        Callback::from(move |_: PointerEvent| cursor.set(None))
    };
    let onclick = {
        let (grid, on_pick) = (grid.clone(), props.on_pick.clone());
        Callback::from(move |event: MouseEvent| {
            if let Some(row) = place(&event).and_then(|(kind, layer)| grid.at(kind, layer)) {
                on_pick.emit(row);
            }
        })
    };
    let onkeydown = {
        let (cursor, grid, on_pick) = (cursor.clone(), grid.clone(), props.on_pick.clone());
        Callback::from(move |event: KeyboardEvent| {
            let key = event.key();
            if let ("Enter" | " ", Some((kind, layer))) = (key.as_str(), *cursor) {
                event.prevent_default();
                return grid.at(kind, layer).into_iter().for_each(|row| on_pick.emit(row));
            }
            let last = (kinds.saturating_sub(1), layers.saturating_sub(1));
            let Some(next) = stepped_in(&key, *cursor, ((0, 0), last), 1) else { return };
            event.prevent_default();
            cursor.set(Some(next));
        })
    };
    let pointed = cursor.and_then(|(kind, layer)| grid.at(kind, layer)).and_then(|row| rows.get(row));
    let said = match (pointed, span(rows, column)) {
        (Some(row), _) => format!("{}  {} {}", row.name, column.name(), column.text(row)),
        (None, None) => tr!("not known yet"),
        (None, Some(_)) if layers > 1 => {
            tr!("{} layers × {} modules · point at one, press it to look inside", layers, kinds)
        }
        (None, Some(_)) => tr!("point at a module, press it to look inside"),
    };
    let label = tr!(
        "{} of {kinds} modules in {layers} layers, from {} to {}",
        column.name(),
        column.written(low),
        column.written(high),
        kinds,
        layers
    );
    let height = HEAD + kinds as f64 * ROW;
    html! {
        <>
            <div class="map" ref={node} role="img" aria-label={label} tabindex="0" {onpointermove} {onpointerleave} {onclick} {onkeydown}>
                if width > 0.0 {
                    <svg aria-hidden="true" width={width.to_string()} height={height.to_string()}>
                        { for ticks }
                        { for names }
                        { for cells }
                        if let Some((kind, layer)) = *cursor {
                            <rect class="cursor" x={tenths(left + layer as f64 * cell - 0.5)} y={tenths(HEAD + kind as f64 * ROW - 0.5)} width={tenths(cell)} height={tenths(ROW)} />
                        }
                    </svg>
                }
            </div>
            <div class="row under-map">
                { legend(low, high, column, props.dark) }
                <p class="readout" aria-live={if cursor.is_some() { "polite" } else { "off" }}>{ said }</p>
            </div>
        </>
    }
}

fn colour(share: f32, dark: bool) -> [u8; 3] {
    Scale::Unit.colour(0.06 + 0.94 * share, dark)
}

/// White is read better on it than black.
fn is_deep(colour: [u8; 3]) -> bool {
    let [r, g, b] = colour.map(|part| libm::pow(f64::from(part) / 255.0, 2.2));
    0.2126 * r + 0.7152 * g + 0.0722 * b < 0.18
}

/// A triangle that points where the value lies: above the others, or below.
fn mark(x: f64, y: f64, up: bool) -> String {
    let tip = if up { -3.0 } else { 3.0 };
    format!("M{} {}h6l-3 {}z", tenths(x - 3.0), tenths(y - tip / 2.0), tenths(1.6 * tip))
}

const STEPS: usize = 24;

fn legend(low: f64, high: f64, column: Column, dark: bool) -> Html {
    let steps = (0..STEPS).map(|at| {
        let [r, g, b] = colour(at as f32 / (STEPS - 1) as f32, dark);
        html! { <rect x={(at * 4).to_string()} y="0" width="4" height="8" fill={format!("rgb({r},{g},{b})")} /> }
    });
    if high <= low {
        return html! { <span class="legend">{ tr!("all {}", column.written(low)) }</span> };
    }
    html! {
        <span class="legend">
            <span>{ column.written(low) }</span>
            <svg aria-hidden="true" width="96" height="8">{ for steps }</svg>
            <span>{ column.written(high) }</span>
        </span>
    }
}
