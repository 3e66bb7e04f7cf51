//! Bits per byte of the held-out text over bytes of file: each point a run, named beside it.

use yew::prelude::*;

use crate::cases::personal::wire::{Bounds, Run, Way};
use crate::cases::personal::words::trained;
use crate::decimal::tenths;
use crate::lang::tr;
use crate::order::{falling, sorted};
use crate::view::axis::{LogAxis, spread};
use crate::view::ui::size::use_size;

const HEIGHT: f64 = 320.0;
const LEFT: f64 = 40.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 280.0;
/// Of a point, and between two names.
const RADIUS: f64 = 5.0;
const LINE: f64 = 15.0;
/// Of a character of a name, about.
const CHARACTER: f64 = 6.5;

#[derive(Properties, PartialEq)]
pub struct ChartProps {
    pub runs: Vec<Run>,
    pub bounds: Bounds,
    /// In KB.
    pub budget: f64,
}

#[component]
pub fn Chart(props: &ChartProps) -> Html {
    let node = use_node_ref();
    let (width, _) = use_size(&node);
    let label = tr!(
        "Bits per byte of held-out text over kilobytes of file, {} runs; the table below has the values",
        props.runs.len()
    );
    html! {
        <div class="curve bits-by-bytes" ref={node} role="img" aria-label={label}>
            if width > 0.0 { { drawn(props, width) } }
        </div>
    }
}

/// A run's place, and what is to be written beside it.
struct Point<'a> {
    run: &'a Run,
    x: f64,
    y: f64,
}

fn drawn(props: &ChartProps, width: f64) -> Html {
    let ChartProps { runs, bounds, budget } = props;
    // Beside the points, for how they were trained.
    let names = if width < 560.0 { 104.0 } else { 184.0 };
    let right = (width - names).max(LEFT + 1.0);
    let sizes = runs.iter().map(|run| run.bytes as f64 / 1000.0).chain([*budget]);
    let axis = LogAxis::around(sizes, right, LEFT);
    let all = || runs.iter().map(|run| run.bits).chain([bounds.base, bounds.teacher]);
    let (low, high) = all().fold((f64::INFINITY, 0.0f64), |(low, high), bits| (low.min(bits), high.max(bits)));
    let pad = 0.1 * (high - low).max(0.2);
    let (low, high) = (low - pad, high + pad);
    let y = |bits: f64| BOTTOM - (BOTTOM - TOP) * ((bits - low) / (high - low)).clamp(0.0, 1.0);
    let points: Vec<Point> =
        runs.iter().map(|run| Point { run, x: axis.pixel(run.bytes as f64 / 1000.0), y: y(run.bits) }).collect();
    let line = |bits: f64, what: &str, below: bool| {
        let at = y(bits);
        html! {
            <g>
                <path class="none" d={format!("M{LEFT} {}H{}", tenths(at), tenths(right))} />
                <text x={tenths(LEFT + 4.0)} y={tenths(if below { at + 14.0 } else { at - 5.0 })}>{ format!("{what} {bits:.2}") }</text>
            </g>
        }
    };
    let first = (low / 0.5).ceil() as usize;
    let marks = (first..).map(|at| at as f64 * 0.5).take_while(|&mark| mark <= high).map(|mark| {
        html! {
            <g>
                <path class="grid" d={format!("M{LEFT} {}H{}", tenths(y(mark)), tenths(right))} />
                <text class="axis" x={tenths(LEFT - 6.0)} y={tenths(y(mark) + 4.0)} text-anchor="end">{ format!("{mark:.1}") }</text>
            </g>
        }
    });
    let sizes = axis.ticks().into_iter().map(|size| {
        html! { <text class="axis" x={tenths(axis.pixel(size))} y={tenths(BOTTOM + 16.0)} text-anchor="middle">{ format!("{size}") }</text> }
    });
    let at = axis.pixel(*budget);
    html! {
        <svg aria-hidden="true" width={tenths(width)} height={HEIGHT.to_string()}>
            { for marks }
            { for sizes }
            <text class="axis" x={tenths(right)} y={tenths(BOTTOM + 32.0)} text-anchor="end">{ tr!("KB of file") }</text>
            { line(bounds.base, &tr!("base"), false) }
            { line(bounds.teacher, &tr!("teacher, a whole model"), true) }
            <path class="budget" d={format!("M{} {TOP}V{BOTTOM}", tenths(at))} />
            <text x={tenths(at - 5.0)} y={tenths(TOP + 10.0)} text-anchor="end">{ tr!("budget") }</text>
            { for points.iter().map(mark) }
            { for students(&points, (LEFT, right)) }
            { for ways(&points, right) }
        </svg>
    }
}

/// Round for one's own text, square for all of it; full where a teacher was listened to.
fn mark(point: &Point) -> Html {
    let class = if point.run.way.is_distilled() { "run distilled" } else { "run" };
    match point.run.way {
        Way::Plain | Way::Distilled => {
            html! { <circle {class} cx={tenths(point.x)} cy={tenths(point.y)} r={RADIUS.to_string()} /> }
        }
        Way::All | Way::AllDistilled => {
            let (x, y, side) = (tenths(point.x - RADIUS), tenths(point.y - RADIUS), tenths(2.0 * RADIUS));
            html! { <rect {class} {x} {y} width={side.clone()} height={side} /> }
        }
    }
}

/// Each student's name above the highest of its points; where another stands there, to one side, or higher.
fn students<'a>(points: &'a [Point], (left, right): (f64, f64)) -> Vec<Html> {
    let mut tops: Vec<&'a Point> = Vec::new();
    for point in points {
        match tops.iter_mut().find(|top| top.run.student == point.run.student) {
            Some(top) if top.y <= point.y => {}
            Some(top) => *top = point,
            None => tops.push(point),
        }
    }
    let mut placed: Vec<(f64, f64, f64)> = Vec::new();
    let place = |point: &Point| {
        let half = CHARACTER * point.run.name.chars().count() as f64 / 2.0;
        let beside = half - RADIUS;
        let at = |aside: f64| (point.x + aside).clamp(left + half, (right - half).max(left + half));
        let covers = |x: f64, y: f64, others: &[(f64, f64, f64)]| {
            let point = |p: &Point| (p.x - x).abs() < half + RADIUS && p.y > y - LINE && p.y < y + RADIUS;
            let name =
                |&(other, width, at): &(f64, f64, f64)| (other - x).abs() < half + width && (at - y).abs() < LINE;
            others.iter().any(name) || points.iter().any(point)
        };
        let lines = (0..).map(|line| point.y - RADIUS - 6.0 - LINE * f64::from(line)).take_while(|&y| y > TOP);
        let places = lines.flat_map(|y| [0.0, -beside, beside].map(|aside| (at(aside), y)));
        let above = (at(0.0), point.y - RADIUS - 6.0);
        let (x, y) = places.into_iter().find(|&(x, y)| !covers(x, y, &placed)).unwrap_or(above);
        placed.push((x, half, y));
        html! { <text class="who" x={tenths(x)} y={tenths(y)} text-anchor="middle">{ &point.run.name }</text> }
    };
    sorted(tops, |a, b| a.x.total_cmp(&b.x)).into_iter().map(place).collect()
}

/// How runs were trained, once for each way, beside the rightmost of its points.
fn ways(points: &[Point], right: f64) -> Vec<Html> {
    let mut last: Vec<(String, &Point)> = Vec::new();
    let order = falling(&points.iter().map(|point| point.x).collect::<Vec<_>>());
    for point in order.into_iter().map(|at| &points[at]) {
        let way = trained(point.run);
        if last.iter().all(|(known, _)| *known != way) {
            last.push((way, point));
        }
    }
    let wanted: Vec<f64> = last.iter().map(|(_, point)| point.y).collect();
    let placed = spread(&wanted, LINE, TOP, BOTTOM);
    last.iter()
        .zip(placed)
        .map(|((way, point), y)| {
            html! {
                <g>
                    <path class="leader" d={format!("M{} {}L{} {}", tenths(point.x + RADIUS + 2.0), tenths(point.y), tenths(right + 6.0), tenths(y))} />
                    <text x={tenths(right + 10.0)} y={tenths(y + 4.0)}>{ way }</text>
                </g>
            }
        })
        .collect()
}
