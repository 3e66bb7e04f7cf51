//! The map: every linear layer of one lane, blocks by projections, by one number each. A press shows the layer's weight and
//! its gate.

use yew::prelude::*;

use super::{
    control::Choice,
    gates::sequential,
    heat::{Cell, Heat, Matrix},
    panel::Panel,
};
use crate::config::{Named, Projection};
use crate::lang::{marked, said, tr};
use crate::protocol::text::{MapCell, MapFrame};
use crate::protocol::{Started, Watch};
use crate::view::{
    action::Action,
    format::{count, three, tick},
    scale::{Scale, range_for},
    snap::Snap,
    table::Table,
    words::site_name,
};

#[derive(Properties, PartialEq)]
pub struct MapProps {
    pub started: Snap<Started>,
    pub map: Option<Snap<MapFrame>>,
    pub names: Vec<String>,
    pub watch: Watch,
    pub step: usize,
    pub dark: bool,
    pub dispatch: Callback<Action>,
}

type Measure = (&'static str, &'static str, fn(&MapCell) -> Option<f32>);

const MEASURES: [Measure; 4] = [
    (
        "‖ΔW‖ / ‖W0‖",
        marked!("Size of the change against the size of the base's weight; of a mixture with its mean gate."),
        |cell| cell.change,
    ),
    (
        marked!("language, bits"),
        marked!(
            "Bits that the leading expert tells about the language of a byte: 0 is nothing; all of it would be log₂ of their number."
        ),
        |cell| cell.language,
    ),
    (
        marked!("kind of byte, bits"),
        marked!(
            "Bits that the leading expert tells about the kind of byte: letter, space, part of a longer character and so on."
        ),
        |cell| cell.kind,
    ),
    (
        marked!("gate entropy"),
        marked!("Mean entropy of the gates over log N: 1 is uniform, 0 is one expert only."),
        |cell| cell.entropy,
    ),
];

#[component]
pub fn Map(props: &MapProps) -> Html {
    let measure = use_state_eq(|| 0usize);
    let at = use_state_eq(|| None::<Cell>);
    let (lane, sites) = (props.watch.lane, &props.started.layers);
    // By blocks, of which each has the same projections.
    let each = if props.started.config.task.has_projections() { Projection::ALL.len() } else { 1 };
    let rows = (sites.len() / each).max(1);
    let cols = (sites.len() / rows).max(1);
    let (_, why, pick) = MEASURES[*measure];
    let why = said(why);
    let cells = props.map.as_ref().and_then(|map| map.lanes.get(lane));
    let values: Vec<Option<f32>> = cells.map_or(Vec::new(), |cells| cells.iter().map(pick).collect());
    let top = values.iter().flatten().fold(0f32, |top, &value| top.max(value));
    let top = if *measure == 3 { 1.0 } else { range_for(f64::from(top.max(0.01))) as f32 };
    let any = values.iter().any(Option::is_some) && values.len() == rows * cols;
    let data = Matrix { rows, cols, values: values.iter().map(|value| value.map_or(f32::NAN, |v| v / top)).collect() };
    let site = |(row, col): Cell| row * cols + col;
    let on_pick = {
        let (dispatch, watch) = (props.dispatch.clone(), props.watch);
        Callback::from(move |(row, col): Cell| {
            let layer = row * cols + col;
            dispatch.emit(Action::Watch(Watch { layer, ..watch }));
            dispatch.emit(Action::ShowGate { lane: watch.lane, layer });
        })
    };
    let on_cursor = {
        let at = at.clone();
        Callback::from(move |cell| at.set(cell))
    };
    let on_lane = {
        let watch = props.watch;
        props.dispatch.reform(move |lane| Action::Watch(Watch { lane, ..watch }))
    };
    let on_measure = {
        let measure = measure.clone();
        Callback::from(move |index| measure.set(index))
    };
    let readout = match (*at, any) {
        (Some(cell), true) => {
            let name = sites.get(site(cell)).map_or(String::new(), |layer| site_name(&layer.site, site(cell)));
            let value = values.get(site(cell)).copied().flatten();
            tr!("block {name}: {}", value.map_or(tr!("not adapted, or no gate"), |v| three(f64::from(v))), name)
        }
        _ => tr!("press a cell to see its weight and gate"),
    };
    let tables = {
        let (map, started) = (props.map.clone(), props.started.clone());
        Callback::from(move |()| {
            let cells = map.as_ref().and_then(|map| map.lanes.get(lane));
            cells.map(|cells| table(cells, &started)).into_iter().collect()
        })
    };
    let short = |name: &str| name.trim_end_matches("_proj").to_owned();
    let projections = sites.iter().take(cols).filter_map(|layer| layer.site.projection);
    html! {
        <Panel id="map" title={tr!("Map")} {tables} step={props.step}>
            <div class="choices">
                <Choice quiet=true label={tr!("Lane of the map")} why={tr!("Whose layers are shown.")} chosen={lane} on_change={on_lane}
                    options={props.names.iter().cloned().map(AttrValue::from).collect::<Vec<_>>()} />
                <Choice quiet=true label={tr!("Measure")} {why} chosen={*measure} on_change={on_measure}
                    options={MEASURES.map(|(name, _, _)| AttrValue::from(said(name))).to_vec()} />
            </div>
            if any {
                <p class="readout" aria-live={if at.is_some() { "polite" } else { "off" }}>{ readout }</p>
                <div class="map-grid">
                    <div class="ticks down">{ for (1..=rows).map(|row| html! { <span>{ row }</span> }) }</div>
                    <Heat class="strip" data={Snap::new(data)} scale={Scale::Unit} dark={props.dark} label={tr!("{}: blocks × projections", said(MEASURES[*measure].0))}
                        cursor={*at} {on_cursor} {on_pick} />
                    <div class="ticks across">{ for projections.map(|one| html! { <span>{ short(crate::config::Named::name(one)) }</span> }) }</div>
                </div>
                <p class="row"><span class="note">{ tr!("step {}", count(props.map.as_ref().map_or(0, |map| map.step))) }</span><span class="spring" />
                    { sequential(&tick(f64::from(top)), props.dark) }</p>
            } else {
                <p class="note">{ if props.map.is_some() { tr!("This lane has no gates, so there is nothing of that to show.") } else { tr!("The map is measured a while after the run begins.") } }</p>
            }
        </Panel>
    }
}

fn table(cells: &[MapCell], started: &Started) -> Table {
    let mut head = vec![tr!("layer")];
    head.extend(MEASURES.iter().map(|(name, _, _)| said(name)));
    let row = |(index, cell): (usize, &MapCell)| {
        let name = started.layers.get(index).map_or(String::new(), |layer| site_name(&layer.site, index));
        let value = |(_, _, pick): &Measure| pick(cell).map_or("–".into(), |value| three(f64::from(value)));
        std::iter::once(name).chain(MEASURES.iter().map(value)).collect()
    };
    Table { caption: tr!("Linear layers of the lane"), head, rows: cells.iter().enumerate().map(row).collect() }
}
