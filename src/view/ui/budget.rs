//! The dynamic rank panel: an AdaLoRA lane's directions in use over training, all layers' against the prescribed budget and
//! each layer's as a strip below, on one axis of steps.

use yew::prelude::*;

use super::{
    cursor::Steps,
    ends::{End, Mark, ends},
    gates::legend,
    heat::Matrix,
    panel::Panel,
    size::use_size,
};
use crate::decimal::tenths;
use crate::lang::tr;
use crate::protocol::Started;
use crate::view::{
    axis::{marks, path},
    format::count,
    ranks::{Budget, BudgetView, Usage, budget_state, decimals, usage_at, usage_table},
    scale::Scale,
    snap::Snap,
};

const LEFT: f64 = 64.0;
const TOP: f64 = 8.0;
/// Height of the upper plot, of a layer's strip, and of the gap between the two.
const PLOT: f64 = 128.0;
const STRIP: f64 = 20.0;
const GAP: f64 = 16.0;
const BOTTOM: f64 = 24.0;

#[derive(Properties, PartialEq)]
pub struct BudgetsProps {
    pub started: Snap<Started>,
    pub budgets: Vec<BudgetView>,
    pub names: Vec<String>,
    pub step: usize,
    pub dark: bool,
}

#[component]
pub fn Budgets(props: &BudgetsProps) -> Html {
    let chosen = use_state_eq(|| None::<usize>);
    let budget_of = |lane: usize| Budget::new(props.started.config.lanes.get(lane)?, adapted(props, lane));
    let lanes: Vec<(usize, Budget)> =
        (0..props.names.len()).filter_map(|lane| Some((lane, budget_of(lane)?))).collect();
    let Some(&(lane, budget)) = lanes.iter().find(|(lane, _)| Some(*lane) == *chosen).or(lanes.first()) else {
        return html! {};
    };
    let usage = props.budgets.iter().find(|view| view.lane == lane).map(|view| view.usage.clone());
    let name = props.names[lane].clone();
    let tables = {
        let (name, usage) = (name.clone(), usage.clone());
        Callback::from(move |()| usage.iter().map(|usage| usage_table(&name, &budget, usage)).collect::<Vec<_>>())
    };
    let tabs = lanes.iter().filter(|_| lanes.len() > 1).map(|&(of, _)| {
        let chosen = chosen.clone();
        html! {
            <button type="button" class={format!("tab lane-{of}")} aria-pressed={(of == lane).to_string()}
                data-why={tr!("Show the directions of {}.", props.names[of])}
                onclick={Callback::from(move |_: MouseEvent| chosen.set(Some(of)))}>
                <span class="dot" />{ &props.names[of] }
            </button>
        }
    });
    let controls = html! { <div class="tabs">{ for tabs }</div> };
    let rank = budget.first / adapted(props, lane).max(1);
    let ramp = Matrix { rows: 1, cols: rank + 1, values: (0..=rank).map(|k| k as f32 / rank as f32).collect() };
    html! {
        <Panel id="budget" title={tr!("Directions in use")} {tables} step={props.step} {controls}>
            if let Some(usage) = usage {
                <Chart {lane} {name} {budget} {rank} {usage} step={props.step} dark={props.dark}
                    total={props.started.config.schedule.total} />
                <div class="row">
                    <p class="note">{ budget_state(&budget, props.step) }</p>
                    <span class="spring" />
                    <span class="legend" data-why={tr!("Directions of one layer: singular values that are not pruned to zero.")}>
                        <span>{ "0" }</span>{ legend(ramp, Scale::Unit, props.dark) }<span>{ tr!("{rank} a layer", rank) }</span>
                    </span>
                </div>
            } else {
                <p class="note">{ tr!("No direction of {name} is in use yet: its singular values begin at zero. {}", budget_state(&budget, props.step), name) }</p>
            }
        </Panel>
    }
}

fn adapted(props: &BudgetsProps, lane: usize) -> usize {
    let lane = props.started.config.lanes.get(lane);
    lane.map_or(0, |lane| props.started.layers.iter().filter(|layer| lane.adapts(&layer.site)).count())
}

#[derive(Properties, PartialEq)]
struct ChartProps {
    lane: usize,
    name: String,
    budget: Budget,
    /// Directions that a layer begins with.
    rank: usize,
    usage: Snap<Usage>,
    step: usize,
    /// Steps of the whole run.
    total: usize,
    dark: bool,
}

#[component]
fn Chart(props: &ChartProps) -> Html {
    let node = use_node_ref();
    let (width, _) = use_size(&node);
    let cursor = use_state_eq(|| None::<usize>);
    let ChartProps { budget, usage, rank, .. } = props;
    let last = props.step.saturating_sub(1);
    // The whole fall from the beginning on, as far as this run comes to it.
    let narrow = width < 480.0;
    let right = if narrow { 112.0 } else { 168.0 };
    let steps = Steps::new(LEFT, (width - LEFT - right).max(1.0), props.step.max(budget.end.min(props.total)));
    let (edge, limit) = (steps.edge(), steps.limit);
    let x = |step: f64| steps.x(step);
    let base = TOP + PLOT;
    let y = |directions: f64| base - PLOT * directions / budget.first as f64;
    let strips = base + GAP;
    let foot = strips + STRIP * usage.layers.len() as f64;
    let height = foot + BOTTOM;

    let rows = marks(budget.first as f64, true).into_iter().map(|mark| {
        html! {
            <g class="tick">
                <path d={path([(LEFT, y(mark)), (edge, y(mark))].into_iter())} />
                <text x={tenths(LEFT - 8.0)} y={tenths(y(mark) + 4.0)} text-anchor="end">{ count(mark as usize) }</text>
            </g>
        }
    });
    let cells = usage.layers.iter().enumerate().flat_map(|(place, _)| {
        let top = strips + STRIP * place as f64 + 1.0;
        usage.stretches(place).into_iter().map(move |stretch| (top, stretch))
    });
    let cells = cells.map(|(top, (from, to, kept))| {
        let [r, g, b] = Scale::Unit.colour(kept as f32 / (*rank).max(1) as f32, props.dark);
        let (left, end) = (x(from as f64), x(to as f64));
        html! {
            <rect fill={format!("#{r:02x}{g:02x}{b:02x}")} x={tenths(left)} y={tenths(top)}
                width={tenths((end - left).max(0.5))} height={tenths(STRIP - 2.0)} />
        }
    });
    let now = usage.levels.last();
    let strip_ends = usage.layers.iter().enumerate().map(|(place, layer)| {
        let middle = tenths(strips + STRIP * (place as f64 + 0.5) + 4.0);
        let until = now.map_or(LEFT, |level| x((level.last + 1) as f64));
        let kept = now.map_or(0, |level| level.kept[place]);
        html! {
            <g class="strip">
                <rect class="frame" x={tenths(LEFT)} y={tenths(strips + STRIP * place as f64 + 1.0)}
                    width={tenths((until - LEFT).max(1.0))} height={tenths(STRIP - 2.0)} />
                <text x={tenths(LEFT - 8.0)} y={middle.clone()} text-anchor="end">{ tr!("layer {}", layer + 1) }</text>
                <text x={tenths(edge + 24.0)} y={middle}>{ tr!("{kept} of {rank}", kept, rank) }</text>
            </g>
        }
    });

    let prescribed = path(budget.curve(limit).into_iter().map(|(step, directions)| (x(step), y(directions))));
    let measured = path(usage.course().map(|(step, directions)| (x(step), y(directions))));
    // Of the moment that was measured, so that both can be compared.
    let measured_at = now.map_or(last, |level| level.last);
    let (here, end) = (decimals(budget.at(measured_at as f64)), decimals(budget.at(limit as f64)));
    let mut labels = vec![End {
        from: (edge, y(budget.at(limit as f64))),
        text: tr!("budget"),
        value: if narrow || here == end { here.clone() } else { format!("{here} → {end}") },
        why: tr!("{} At step {measured_at}: {here}.", budget.why(), measured_at, here),
        lane: None,
        mark: Mark::Path("M-5 0H5"),
        since: None,
    }];
    labels.extend(now.map(|level| End {
        from: (x(level.last as f64), y(level.total() as f64)),
        text: tr!("in use"),
        value: level.total().to_string(),
        why: tr!(
            "{}: singular values that are not zero, in all layers together, counted after step {}. While the budget falls they are pruned every ten steps and may come back in between.",
            props.name, level.last),
        lane: Some(props.lane),
        mark: Mark::Dot,
        since: None,
    }));

    let along = steps.along(props.step, &cursor);
    let at = along.cursor;
    let readout = match at {
        Some(step) => usage_at(budget, usage, step),
        None => tr!("directions in use: all layers, then each"),
    };
    let label = {
        let layers = usage.layers.iter().enumerate();
        let each = layers.map(|(place, layer)| tr!("layer {} {}", layer + 1, now.map_or(0, |n| n.kept[place])));
        tr!(
            "Directions in use of {} over {} steps: {}; {}",
            props.name,
            props.step,
            usage_at(budget, usage, last),
            each.collect::<Vec<_>>().join(", ")
        )
    };
    html! {
        <>
            <p class="readout" aria-live={if at.is_some() { "polite" } else { "off" }}>{ readout }</p>
            <div class="chart flow" ref={node} onpointermove={along.over(".chart", move |x, _| steps.at(x))} onpointerleave={along.away()}>
                if width > 0.0 {
                    <div role="img" aria-label={label} tabindex="0" onkeydown={along.keys()}>
                        <svg aria-hidden="true" class={format!("lane-{}", props.lane)} width={tenths(width)} height={tenths(height)}>
                            { for rows }
                            { steps.labels(foot + 16.0, narrow) }
                            { for cells }
                            { for strip_ends }
                            <path class="curve" d={measured} />
                            <path class="theory" d={prescribed} />
                            if let Some(step) = at {
                                <path class="crosshair" d={path([(x(step as f64), TOP), (x(step as f64), foot)].into_iter())} />
                            }
                        </svg>
                    </div>
                    { ends(tr!("Budget and directions in use"), labels, edge, (width, base)) }
                }
            </div>
        </>
    }
}
