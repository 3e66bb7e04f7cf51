//! The loss chart: every lane's loss over steps on a logarithmic axis, theory's floors as dashed lines, both
//! labelled where they end.

use yew::prelude::*;

use super::{pointer, size::use_size};
use crate::protocol::Started;
use crate::view::{
    axis::{LogAxis, path, spread, step_limit},
    format::{count, three},
    now::WINDOW,
    run::LaneView,
    snap::Snap,
};

const LEFT: f64 = 48.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 32.0;
/// Height of a label.
const LINE: f64 = 16.0;

#[derive(Properties, PartialEq)]
pub struct LossProps {
    pub started: Snap<Started>,
    pub lanes: Vec<LaneView>,
    pub names: Vec<String>,
    pub step: usize,
    /// "share of target energy" or "cross-entropy".
    pub unit: AttrValue,
}

/// What stands at the right end of a line.
struct Label {
    at: f64,
    text: String,
    value: String,
    why: String,
    lane: Option<usize>,
}

#[component]
pub fn LossChart(props: &LossProps) -> Html {
    let node = use_node_ref();
    let (width, height) = use_size(&node);
    let cursor = use_state_eq(|| None::<usize>);
    let limit = step_limit(props.step);
    let narrow = width < 480.0;
    let right = if narrow { 152.0 } else { 184.0 };
    let plot = (width - LEFT - right).max(1.0);
    let floor_end = (height - BOTTOM).max(TOP + 1.0);

    let floors = &props.started.floors;
    let axis = LogAxis::around(
        props.lanes.iter().flat_map(|l| l.curve.series.points(0).map(|(_, y)| y)).chain(floors.iter().map(|f| f.share)),
        TOP,
        floor_end,
    );
    let x = |step: f64| LEFT + plot * step / limit as f64;

    let curves = props.lanes.iter().enumerate().map(|(index, lane)| {
        let d = path(lane.curve.series.points(0).map(|(s, y)| (x(s), axis.pixel(y))));
        html! { <path class={format!("curve lane-{index}")} {d} /> }
    });
    let diverged = props.lanes.iter().enumerate().filter_map(|(index, lane)| {
        let step = lane.frame.diverged?;
        let (at, last) = lane.curve.series.points(0).last()?;
        Some(html! {
            <text class={format!("mark lane-{index}")} x={x(at).to_string()} y={(axis.pixel(last) + 4.0).to_string()}
                data-why={format!("{} diverged at step {step}: its loss is no longer a number.", props.names[index])}>
                { "×" }
            </text>
        })
    });

    let mut labels: Vec<Label> = props
        .lanes
        .iter()
        .enumerate()
        .filter_map(|(index, lane)| {
            let mean = lane.curve.recent?;
            let name = props.names.get(index)?;
            let (value, why) = match lane.frame.diverged {
                Some(step) => ("diverged".to_string(), format!("{name} diverged at step {step}; the others go on.")),
                None => (three(mean), format!("{name}: mean loss over its last {WINDOW} steps, as {}.", props.unit)),
            };
            Some(Label { at: axis.pixel(mean), text: name.clone(), value, why, lane: Some(index) })
        })
        .collect();
    labels.extend(floors.iter().map(|floor| Label {
        at: axis.pixel(floor.share),
        text: floor.label.clone(),
        value: if narrow { String::new() } else { three(floor.share) },
        why: floor.why.clone(),
        lane: None,
    }));
    let wanted: Vec<f64> = labels.iter().map(|l| l.at - LINE / 2.0).collect();
    let placed = spread(&wanted, LINE, 0.0, height - LINE);
    let edge = LEFT + plot;
    let ends = labels.iter().zip(placed).map(|(label, top)| {
        let middle = top + LINE / 2.0;
        let class = match label.lane {
            Some(index) => format!("end lane-{index}"),
            None => "end floor".to_string(),
        };
        let from = label
            .lane
            .and_then(|i| props.lanes[i].curve.series.points(0).last())
            .map_or(edge, |(s, _)| x(s));
        html! {
            <g {class} tabindex="0" data-why={label.why.clone()} aria-label={format!("{} {}", label.text, label.value)}>
                if label.lane.is_none() {
                    <path class="floor" d={path([(LEFT, label.at), (edge, label.at)].into_iter())} />
                }
                <path class="leader" d={path([(from.max(LEFT), label.at), (edge, label.at), (edge + 10.0, middle)].into_iter())} />
                if label.lane.is_some() {
                    <circle cx={(edge + 14.0).to_string()} cy={middle.to_string()} r="4" />
                }
                <text x={(edge + if label.lane.is_some() { 22.0 } else { 14.0 }).to_string()} y={(middle + 4.0).to_string()}>
                    { &label.text }<tspan class="value" dx="6">{ &label.value }</tspan>
                </text>
            </g>
        }
    });

    let rows = axis.ticks().into_iter().map(|tick| {
        let y = axis.pixel(tick);
        html! {
            <g class="tick">
                <path d={path([(LEFT, y), (edge, y)].into_iter())} />
                <text x={(LEFT - 8.0).to_string()} y={(y + 4.0).to_string()} text-anchor="end">{ tick_text(tick) }</text>
            </g>
        }
    });
    let columns = (0..=2).filter(|k| !narrow || *k != 1).map(|k| {
        let step = limit * k / 2;
        let anchor = ["start", "middle", "end"][k];
        html! {
            <text class="axis" x={x(step as f64).to_string()} y={(floor_end + 18.0).to_string()} text-anchor={anchor}>
                { if k == 2 { format!("{} steps", count(step)) } else { count(step) } }
            </text>
        }
    });

    let at = cursor.map(|step| step.min(props.step.saturating_sub(1)));
    let readout = match at {
        Some(step) => {
            let values = props.names.iter().zip(&props.lanes).map(|(name, lane)| {
                let value = lane.curve.series.at(step, 0).map_or("–".into(), three);
                format!("{name} {value}")
            });
            format!("step {step}: {}", values.collect::<Vec<_>>().join(" · "))
        }
        None => format!("{}, log scale", props.unit),
    };
    let onpointermove = {
        let cursor = cursor.clone();
        Callback::from(move |event: PointerEvent| {
            if let Some(((px, _), _)) = pointer::place(&event, ".chart") {
                let part = (px - LEFT) / plot;
                cursor.set((0.0..=1.0).contains(&part).then_some((part * limit as f64) as usize));
            }
        })
    };
    let onpointerleave = {
        let cursor = cursor.clone();
        Callback::from(move |_: PointerEvent| cursor.set(None))
    };
    let onkeydown = {
        let (cursor, last) = (cursor.clone(), props.step.saturating_sub(1));
        Callback::from(move |event: KeyboardEvent| {
            let jump = (limit / 50).max(1);
            let from = cursor.unwrap_or(last).min(last);
            let next = match event.key().as_str() {
                "ArrowLeft" => from.saturating_sub(jump),
                "ArrowRight" => (from + jump).min(last),
                "Home" => 0,
                "End" => last,
                _ => return,
            };
            event.prevent_default();
            cursor.set(Some(next));
        })
    };
    let label = {
        let ends = labels.iter().map(|l| format!("{} {}", l.text, l.value));
        format!("Loss over {} steps as {}: {}", props.step, props.unit, ends.collect::<Vec<_>>().join(", "))
    };
    html! {
        <div class="loss">
            <p class="readout" aria-live={if at.is_some() { "polite" } else { "off" }}>{ readout }</p>
            <div class="chart" ref={node} {onpointermove} {onpointerleave}>
                if width > 0.0 && height > 0.0 {
                    <div role="img" aria-label={label} tabindex="0" {onkeydown}>
                        <svg aria-hidden="true" width={width.to_string()} height={height.to_string()}>
                            { for rows }
                            { for columns }
                            { for curves }
                            { for diverged }
                            if let Some(step) = at {
                                <path class="crosshair" d={path([(x(step as f64), TOP), (x(step as f64), floor_end)].into_iter())} />
                            }
                        </svg>
                    </div>
                    // Beside the picture, not in it: these explain themselves one by one.
                    <svg class="ends" role="group" aria-label="Line ends and floors" width={width.to_string()} height={height.to_string()}>{ for ends }</svg>
                }
            </div>
        </div>
    }
}

fn tick_text(tick: f64) -> String {
    match tick {
        t if t >= 0.0009 => format!("{}", (t * 1e4).round() / 1e4),
        t => format!("{t:.0e}").replace('-', "−"),
    }
}
