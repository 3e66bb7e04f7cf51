//! The panel of smaller ranks: the loss of lanes whose factors are cut to their first directions, over how many those are,
//! beside the least that any weight of that rank leaves.

use yew::prelude::*;

use super::{
    cursor::Along,
    ends::{End, Mark, ends},
    panel::Panel,
    shown::use_shown,
    size::use_size,
};
use crate::decimal::{plain, tenths};
use crate::lang::tr;
use crate::protocol::{CutsFrame, Started};
use crate::view::{
    action::Action,
    axis::{marks, path},
    format::{count, three},
    ranks::{cut_floor, cut_loss, cut_ranks, cuts_at, cuts_table},
    snap::Snap,
};

const LEFT: f64 = 48.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 32.0;
/// From the axis to the first rank.
const INSET: f64 = 16.0;
/// Between two ranks that are both written.
const APART: f64 = 24.0;
/// More points than these are drawn without marks.
const MARKED: usize = 24;

#[derive(Properties, PartialEq)]
pub struct CutsProps {
    pub started: Snap<Started>,
    pub cuts: Option<Snap<CutsFrame>>,
    pub names: Vec<String>,
    pub step: usize,
    /// "share of target energy" or "cross-entropy".
    pub unit: AttrValue,
    pub dispatch: Callback<Action>,
}

#[component]
pub fn Cuts(props: &CutsProps) -> Html {
    let node = use_node_ref();
    use_shown(&node, props.dispatch.reform(Action::ShowCuts));
    let tables = {
        let (cuts, names, unit) = (props.cuts.clone(), props.names.clone(), props.unit.clone());
        Callback::from(move |()| cuts.iter().map(|cuts| cuts_table(cuts, &names, &unit)).collect::<Vec<_>>())
    };
    let note = props.cuts.as_ref().map(|cuts| {
        let floors = if cuts.floors.is_empty() { tr!(" No floor is proved for this task.") } else { String::new() };
        tr!(
            "Measured after {} steps on {} tokens of the training data, without further training.{floors}",
            count(cuts.step),
            count(cuts.tokens),
            floors
        )
    });
    html! {
        <div ref={node}>
            <Panel id="cuts" title={tr!("Smaller ranks")} {tables} step={props.step}>
                if let Some(cuts) = &props.cuts {
                    <Chart cuts={cuts.clone()} names={props.names.clone()} unit={props.unit.clone()} />
                    <p class="note" data-why={tr!("Only the first directions of every layer's factors are kept, all others set to zero; shares are of these tokens' own energy. DyLoRA trains for it: each of its steps trains the first b directions, b drawn anew. A plain LoRA may turn its directions as it likes, so its first ones are no better than others.")}>
                        { note }
                    </p>
                } else {
                    <p class="note">{ tr!("Measuring what is lost when only the first directions are kept …") }</p>
                }
            </Panel>
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct ChartProps {
    cuts: Snap<CutsFrame>,
    names: Vec<String>,
    unit: AttrValue,
}

/// A lane's mark: a shape of its own, so that lanes differ not by colour alone.
fn mark(lane: usize) -> Mark {
    match lane % 4 {
        0 => Mark::Dot,
        1 => Mark::Path("M-3.5 -3.5H3.5V3.5H-3.5Z"),
        2 => Mark::Path("M0 -4.5L4.5 3.5H-4.5Z"),
        _ => Mark::Path("M0 -5L5 0L0 5L-5 0Z"),
    }
}

#[component]
fn Chart(props: &ChartProps) -> Html {
    let node = use_node_ref();
    let (width, height) = use_size(&node);
    let cursor = use_state_eq(|| None::<usize>);
    let (cuts, names) = (&props.cuts, &props.names);
    let ranks = cut_ranks(cuts);
    let whole = ranks.last().copied().unwrap_or(1);
    let right = if width < 480.0 { 128.0 } else { 160.0 };
    let plot = (width - LEFT - right).max(1.0);
    let edge = LEFT + plot;
    let base = (height - BOTTOM).max(TOP + 1.0);
    // Ranks 1 to the whole, the first a little off the axis.
    let x = |rank: usize| LEFT + INSET + (plot - 2.0 * INSET) * (rank - 1) as f64 / (whole - 1).max(1) as f64;
    let values = cuts.lanes.iter().flat_map(|lane| lane.losses.iter().map(|&(_, loss)| f64::from(loss)));
    let top = values.chain(cuts.floors.iter().map(|&(_, floor)| floor)).filter(|v| v.is_finite()).fold(0.0, f64::max);
    let top = if top > 0.0 { top * 1.05 } else { 1.0 };
    let y = |loss: f64| base - (base - TOP) * loss / top;

    let rows = marks(top, false).into_iter().map(|mark| {
        html! {
            <g class="tick">
                <path d={path([(LEFT, y(mark)), (edge, y(mark))].into_iter())} />
                <text x={tenths(LEFT - 8.0)} y={tenths(y(mark) + 4.0)} text-anchor="end">{ round(mark) }</text>
            </g>
        }
    });
    let mut free = f64::NEG_INFINITY;
    let written = ranks.iter().copied().filter(|&rank| {
        let fits = rank == whole || x(rank) >= free && x(whole) - x(rank) >= APART;
        if fits {
            free = x(rank) + APART;
        }
        fits
    });
    let columns = written.map(|rank| {
        html! {
            <text class="axis" x={tenths(x(rank))} y={tenths(base + 18.0)} text-anchor="middle">{ rank }</text>
        }
    });
    let points = |place: usize| -> Vec<(f64, f64)> {
        let losses = cuts.lanes[place].losses.iter().filter(|(_, loss)| loss.is_finite());
        losses.map(|&(rank, loss)| (x(rank), y(f64::from(loss)))).collect()
    };
    let curves = cuts.lanes.iter().enumerate().map(|(place, lane)| {
        let all = points(place);
        let marks = all.iter().filter(|_| all.len() <= MARKED).map(|(px, py)| {
            html! { <g transform={format!("translate({} {})", tenths(*px), tenths(*py))}>{ mark(lane.lane).html() }</g> }
        });
        html! {
            <g class={format!("cut lane-{} dash-{}", lane.lane, lane.lane % 4)}>
                <path class="curve" d={path(all.iter().copied())} />
                { for marks }
            </g>
        }
    });
    let floor: Vec<(f64, f64)> = cuts.floors.iter().map(|&(rank, floor)| (x(rank), y(floor))).collect();
    let levels = floor.iter().filter(|_| floor.len() <= MARKED).map(|&(px, py)| {
        html! { <path class="level" d={path([(px - 8.0, py), (px + 8.0, py)].into_iter())} /> }
    });

    let mut labels: Vec<End> = cuts
        .lanes
        .iter()
        .enumerate()
        .filter_map(|(place, lane)| {
            let &(rank, loss) = lane.losses.last()?;
            let name = names.get(lane.lane)?.clone();
            let (from, value) = match points(place).last() {
                Some(&last) if loss.is_finite() => (last, three(f64::from(loss))),
                _ => ((edge, TOP), tr!("diverged")),
            };
            let why = tr!("{name}: {value} at its full rank {rank}, as {}.", props.unit, name, value, rank);
            Some(End { from, text: name, value, why, lane: Some(lane.lane), mark: mark(lane.lane), since: None })
        })
        .collect();
    labels.extend(floor.last().map(|&from| End {
        from,
        text: tr!("floor, each rank"),
        value: String::new(),
        why: tr!("Eckart–Young: the least that any single weight of each rank leaves in expectation, the energy beyond the largest singular values of the true change (of several tasks, of its mean). On a sample of tokens a loss can still lie a little below."),
        lane: None,
        mark: Mark::Path("M-5 0H5"),
        since: None,
    }));

    // The cursor is a place among the ranks.
    let at = cursor.and_then(|at| ranks.get(at).copied());
    let readout = match at {
        Some(rank) => cuts_at(cuts, names, rank),
        None => tr!("{}, over directions kept", props.unit),
    };
    let label = {
        let lanes = cuts.lanes.iter().enumerate().filter_map(|(place, lane)| {
            let ends = [ranks.first(), ranks.last()].into_iter().flatten();
            let values = ends.filter_map(|&rank| {
                cut_loss(cuts, place, rank).map(|loss| tr!("{} at rank {rank}", three(loss), rank))
            });
            Some(format!("{} {}", names.get(lane.lane)?, values.collect::<Vec<_>>().join(", ")))
        });
        let floor = cut_floor(cuts, 1).map(|floor| tr!("floor {} at rank 1", three(floor)));
        tr!("Loss over rank as {}: {}", props.unit, lanes.chain(floor).collect::<Vec<_>>().join("; "))
    };
    let along = Along {
        cursor: *cursor,
        last: ranks.len().saturating_sub(1),
        rest: 0,
        stride: 1,
        on_cursor: Callback::from(move |at| cursor.set(at)),
    };
    let places: Vec<f64> = ranks.iter().map(|&rank| x(rank)).collect();
    let nearest = move |px: f64, _| {
        let all = (0..places.len()).filter(|_| (LEFT..=edge).contains(&px));
        all.min_by(|&a, &b| (places[a] - px).abs().total_cmp(&(places[b] - px).abs()))
    };
    html! {
        <>
            <p class="readout" aria-live={if at.is_some() { "polite" } else { "off" }}>{ readout }</p>
            <div class="chart" ref={node} onpointermove={along.over(".chart", nearest)} onpointerleave={along.away()}>
                if width > 0.0 && height > 0.0 {
                    <div role="img" aria-label={label} tabindex="0" onkeydown={along.keys()}>
                        <svg aria-hidden="true" width={tenths(width)} height={tenths(height)}>
                            { for rows }
                            { for columns }
                            <text class="axis" x={tenths(LEFT)} y={tenths(base + 18.0)} text-anchor="end">{ tr!("rank") }</text>
                            <path class="theory" d={path(floor.iter().copied())} />
                            { for levels }
                            { for curves }
                            if let Some(rank) = at {
                                <path class="crosshair" d={path([(x(rank), TOP), (x(rank), base)].into_iter())} />
                            }
                        </svg>
                    </div>
                    { ends(tr!("Lanes and the floor"), labels, edge, (width, height)) }
                }
            </div>
        </>
    }
}

/// A round number as it is.
fn round(mark: f64) -> String {
    plain((mark * 1e6).round() / 1e6)
}
