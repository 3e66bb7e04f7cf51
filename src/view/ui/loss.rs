//! The loss chart: every lane's loss over steps on a logarithmic axis, theory's floors as dashed lines, both
//! labelled where they end.

use yew::prelude::*;

use super::{
    cursor::Steps,
    ends::{End, Mark, ends},
    size::use_size,
};
use crate::config::{Edit, Lane};
use crate::decimal::tenths;
use crate::lang::{columns, tr};
use crate::protocol::{
    Started,
    text::{HeldFrame, HeldScore},
};
use crate::view::{
    axis::{LogAxis, path},
    format::{self, predicted, three},
    lane_view::LaneView,
    marks::changes,
    snap::Snap,
};

const LEFT: f64 = 48.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 32.0;

#[derive(Properties, PartialEq)]
pub struct LossProps {
    pub started: Snap<Started>,
    /// What was changed on the way, of lanes that began like this.
    pub edits: Snap<Vec<Edit>>,
    pub begun: Vec<Lane>,
    pub lanes: Vec<LaneView>,
    pub names: Vec<String>,
    pub step: usize,
    /// "share of target energy" or "cross-entropy".
    pub unit: AttrValue,
    /// Of a language model: held-out scores, the newest of all and every lane's so far.
    pub held: Option<Snap<HeldFrame>>,
    pub history: Vec<Snap<Vec<HeldScore>>>,
}

impl LossProps {
    /// The step from which on a floor of these lanes holds.
    fn since(&self, lanes: &[usize]) -> usize {
        lanes.iter().filter_map(|&lane| Some(self.lanes.get(lane)?.frame.since)).min().unwrap_or(0)
    }
}

#[component]
pub fn LossChart(props: &LossProps) -> Html {
    let node = use_node_ref();
    let (width, height) = use_size(&node);
    let cursor = use_state_eq(|| None::<usize>);
    let narrow = width < 480.0;
    let levels = props.held.as_ref().map_or(Vec::new(), |held| held.levels());
    let floors: Vec<_> = props.started.floors.iter().chain(&levels).collect();
    // Where there is little room, that a floor is one is told by its dashes.
    let called = tr!("floor, ");
    let short = |label: &str| label.strip_prefix(&*called).filter(|_| narrow).unwrap_or(label).to_owned();
    let of_floors = floors.iter().map(|floor| label_width(&short(&floor.label), predicted(floor.share).len(), 14.0));
    let value = if props.history.is_empty() || narrow { 7 } else { 13 };
    let right = of_floors.chain(props.names.iter().map(|name| label_width(name, value, 22.0))).fold(0.0, f64::max);
    let steps = Steps::new(LEFT, (width - LEFT - right).max(1.0), props.step);
    let edge = steps.edge();
    let floor_end = (height - BOTTOM).max(TOP + 1.0);

    let courses: Vec<Vec<(f64, f64)>> =
        props.history.iter().map(|scores| course(props.held.as_deref(), scores)).collect();
    let axis = LogAxis::around(
        props
            .lanes
            .iter()
            .flat_map(|l| l.curve.series.points(0).map(|(_, y)| y).chain(l.curve.recent))
            .chain(floors.iter().map(|f| f.share))
            .chain(courses.iter().flatten().map(|&(_, y)| y)),
        TOP,
        floor_end,
    );

    let curves = props.lanes.iter().enumerate().map(|(index, lane)| {
        let now = lane.measured().map(|loss| (props.step as f64, loss));
        let d = path(lane.curve.series.points(0).chain(now).map(|(s, y)| (steps.x(s), axis.pixel(y))));
        html! { <path class={format!("curve lane-{index}")} {d} /> }
    });
    let held_out = courses.iter().enumerate().map(|(index, course)| {
        let d = path(course.iter().map(|&(s, y)| (steps.x(s), axis.pixel(y))));
        html! { <><path class="halo" d={d.clone()} /><path class={format!("curve held-out lane-{index}")} {d} /></> }
    });
    let diverged = props.lanes.iter().enumerate().filter_map(|(index, lane)| {
        let step = lane.frame.diverged?;
        let (at, last) = lane.curve.series.points(0).last()?;
        Some(html! {
            <text class={format!("mark lane-{index}")} x={tenths(steps.x(at))} y={tenths(axis.pixel(last) + 4.0)}
                data-why={tr!("{} diverged at step {step}: its loss is no longer a number.", props.names[index], step)}>
                { "×" }
            </text>
        })
    });

    let mut labels: Vec<End> = props
        .lanes
        .iter()
        .enumerate()
        .filter_map(|(index, lane)| {
            let mean = lane.curve.recent?;
            let name = props.names.get(index)?;
            let (value, why) = match lane.frame.diverged {
                Some(step) => (tr!("diverged"), tr!("{name} diverged at step {step}; the others go on.", name, step)),
                None => {
                    let over = match lane.measured() {
                        None => tr!("over its last {} steps", lane.curve.over),
                        Some(_) => tr!("of the lane as it is now, changed and not trained since, on the last steps' data"),
                    };
                    let why = tr!("{name}: mean loss {over}, as {}", props.unit, name, over);
                    let is_scored = props.held.as_ref().is_some_and(|held| held.lanes.get(index).is_some_and(Option::is_some));
                    match courses.get(index).and_then(|course| course.last()).filter(|_| !narrow && is_scored) {
                        Some(&(step, held)) => (
                            format!("{} / {}", three(mean), three(held)),
                            tr!("{why}; behind the stroke the held-out text of the languages trained on, their mean at step {step}.", why, step),
                        ),
                        None => (three(mean), format!("{why}.")),
                    }
                }
            };
            let last = lane.curve.series.points(0).last().map_or(edge, |(step, _)| steps.x(step));
            let from = if lane.measured().is_some() { steps.x(props.step as f64) } else { last };
            let from = (from.max(LEFT), axis.pixel(mean));
            Some(End { from, text: name.clone(), value, why, lane: Some(index), mark: Mark::Dot, since: None })
        })
        .collect();
    labels.extend(floors.iter().map(|floor| {
        let y = axis.pixel(floor.share);
        End {
            from: (edge, y),
            text: short(&floor.label),
            value: predicted(floor.share),
            why: floor.why.clone(),
            lane: None,
            mark: Mark::None,
            // A floor holds for the lanes as they are now; nothing at all is no level of a logarithmic axis.
            since: (floor.share > 0.0).then(|| steps.x(props.since(&floor.lanes) as f64)),
        }
    }));
    let label = {
        let ends = labels.iter().map(|l| format!("{} {}", l.text, l.value));
        tr!("Loss over {} steps as {}: {}", props.step, props.unit, ends.collect::<Vec<_>>().join(", "))
    };

    let rows = axis.ticks().into_iter().map(|tick| {
        let y = axis.pixel(tick);
        html! {
            <g class="tick">
                <path d={path([(LEFT, y), (edge, y)].into_iter())} />
                <text x={tenths(LEFT - 8.0)} y={tenths(y + 4.0)} text-anchor="end">{ format::tick(tick) }</text>
            </g>
        }
    });
    let along = steps.along(props.step, &cursor);
    let at = along.cursor;
    let readout = match at {
        Some(step) => {
            let values = props.names.iter().zip(&props.lanes).map(|(name, lane)| {
                let value = lane.curve.series.at(step, 0).map_or("–".into(), three);
                format!("{name} {value}")
            });
            tr!("step {step}: {}", values.collect::<Vec<_>>().join(" · "), step)
        }
        None if props.held.is_some() => {
            tr!("{}, log scale · training, and held out in dots: training / held out", props.unit)
        }
        None => tr!("{}, log scale", props.unit),
    };
    html! {
        <div class="loss">
            <p class="readout" aria-live={if at.is_some() { "polite" } else { "off" }}>{ readout }</p>
            <div class="chart" ref={node} onpointermove={along.over(".chart", move |x, _| steps.at(x))} onpointerleave={along.away()}>
                if width > 0.0 && height > 0.0 {
                    <div role="img" aria-label={label} tabindex="0" onkeydown={along.keys()}>
                        <svg aria-hidden="true" width={tenths(width)} height={tenths(height)}>
                            { for rows }
                            { steps.labels(floor_end + 18.0, narrow) }
                            { for curves }
                            { for held_out }
                            { for diverged }
                            if let Some(step) = at {
                                <path class="crosshair" d={path([TOP, floor_end].into_iter().map(|y| (steps.x(step as f64), y)))} />
                            }
                        </svg>
                    </div>
                    { marked(props, &steps, floor_end, (width, height)) }
                    { ends(tr!("Line ends and floors"), labels, edge, (width, height)) }
                }
            </div>
        </div>
    }
}

/// Pixels that a label takes right of the picture, by what a letter and a digit take at most in the fonts there are.
fn label_width(name: &str, digits: usize, before: f64) -> f64 {
    before + 6.1 * columns(name) + 6.0 + 7.3 * digits as f64
}

/// Pixels within which marks of one slider are one, and that a character takes.
const ONE: f64 = 12.0;
const CHARACTER: f64 = 7.0;

/// What was changed on the way, as ticks on the axis of steps, written where there is room before the next one.
fn marked(props: &LossProps, steps: &Steps, foot: f64, (width, height): (f64, f64)) -> Html {
    let apart = ONE * steps.limit as f64 / steps.width;
    let found = changes(&props.edits, &props.begun, &props.names, apart as usize);
    let x = |at: usize| found.get(at).map_or(steps.edge(), |change| steps.x(change.step as f64));
    let marks = found.iter().enumerate().map(|(at, change)| {
        let (x, next, why) = (x(at), x(at + 1), &change.why);
        let is_written = CHARACTER * columns(&change.label) + ONE < next - x;
        html! {
            <g class={format!("end change lane-{}", change.lane)} tabindex="0" aria-label={why.clone()} data-why={why.clone()}>
                <path d={path([(x, foot - 16.0), (x, foot)].into_iter())} />
                <text x={tenths(x + 6.0)} y={tenths(foot - 6.0)}>{ if is_written { &change.label } else { "" } }</text>
            </g>
        }
    });
    html! { <svg class="ends" role="group" aria-label={tr!("Changes on the way")} width={tenths(width)} height={tenths(height)}>{ for marks }</svg> }
}

/// Held-out scores over steps, means over the languages trained on.
fn course(held: Option<&HeldFrame>, scores: &[HeldScore]) -> Vec<(f64, f64)> {
    let Some(held) = held else { return Vec::new() };
    scores.iter().filter_map(|score| Some((score.step as f64, held.new_mean(score)?))).collect()
}
