//! `sensors`: what every gate tells about which sensor it looks at, and about what is missing.

use yew::prelude::*;

use super::{digits::gate_bars, panel::Panel};
use crate::lang::tr;
use crate::protocol::Started;
use crate::view::{
    format::three,
    lane_view::GateView,
    sensors::{Tells, tells},
    snap::Snap,
    table::Table,
    words::{no_gates, site_name},
};

#[derive(Properties, PartialEq)]
pub struct MissingProps {
    pub started: Snap<Started>,
    pub gates: Vec<GateView>,
    pub names: Vec<String>,
    /// Tokens of an image.
    pub sequence: usize,
    /// Lanes that have been heard of.
    pub lanes: usize,
    pub step: usize,
}

/// One gate in numbers, with whose it is.
struct Line {
    lane: usize,
    name: String,
    layer: String,
    tells: Tells,
}

#[component]
pub fn Missing(props: &MissingProps) -> Html {
    let lines =
        use_memo((props.gates.clone(), props.names.clone(), props.started.clone()), |(gates, names, started)| {
            let line = |view: &GateView| {
                let frame = &view.frame;
                let site = started.layers.get(frame.layer).map_or(String::new(), |l| site_name(&l.site, frame.layer));
                let name = names.get(frame.lane).cloned().unwrap_or_default();
                Line { lane: frame.lane, name, layer: site, tells: tells(frame, props.sequence) }
            };
            gates.iter().map(line).collect::<Vec<_>>()
        });
    let domains = props.started.domains.len();
    let most = (domains as f64).log2();
    let tables = {
        let lines = lines.clone();
        Callback::from(move |()| vec![table(&lines, most)])
    };
    html! {
        <Panel id="missing" title={tr!("What gates tell about the sensors")} {tables} step={props.step}>
            if lines.is_empty() {
                <p class="note">{ no_gates(&props.started.config.lanes, props.lanes) }</p>
            } else {
                <table class="missing">
                    <thead><tr>
                        <th scope="col">{ tr!("gate") }</th>
                        if props.sequence == 2 {
                            <th scope="col" tabindex="0" data-why={tr!("Mean gate of the left sensor’s tokens where both sensors are there, expert by expert.")}>{ tr!("left") }</th>
                            <th scope="col" tabindex="0" data-why={tr!("Mean gate of the right sensor’s tokens where both sensors are there, expert by expert.")}>{ tr!("right") }</th>
                            <th scope="col" tabindex="0" data-why={tr!("Bits that these mean gates tell about which of the two sensors a token is of: 0 is nothing, 1 is all of it.")}>{ tr!("which sensor") }</th>
                        }
                        <th scope="col" tabindex="0"
                            data-why={tr!("Bits that the leading expert of a token tells about what is missing, of log₂ {domains} = {}; what chance alone would tell is taken off.", three(most), domains)}>
                            { tr!("what is missing") }
                        </th>
                    </tr></thead>
                    <tbody>{ for lines.iter().map(row) }</tbody>
                </table>
                <p class="note">{ tr!("Telling what is missing is not the same as coping with it: compare the accuracies beside the loss.") }</p>
            }
        </Panel>
    }
}

fn row(line: &Line) -> Html {
    let Line { lane, name, layer, tells } = line;
    let bars = |sensor: &str, gate: &[f64]| {
        let gate: Vec<f32> = gate.iter().map(|&g| g as f32).collect();
        let of = tr!("{name}, {layer}: mean gate of the {sensor} sensor", name, layer, sensor);
        html! { <td>{ gate_bars(&gate, &of) }</td> }
    };
    html! {
        <tr class={format!("lane-{lane}")}>
            <th scope="row"><span class="dot" />{ format!("{name}, {layer}") }</th>
            if let Some([left, right]) = &tells.by_sensor {
                { bars("left", left) }
                { bars("right", right) }
            }
            if let Some(bits) = tells.sensor {
                <td>{ three(bits) }</td>
            }
            <td>{ three(tells.missing) }</td>
        </tr>
    }
}

fn table(lines: &[Line], most: f64) -> Table {
    let both = lines.iter().any(|line| line.tells.sensor.is_some());
    let mut head = vec![String::new()];
    head.extend(both.then(|| tr!("which sensor, bits of 1")));
    head.push(tr!("what is missing, bits of {}", three(most)));
    let row = |line: &Line| {
        let mut row = vec![format!("{}, {}", line.name, line.layer)];
        row.extend(line.tells.sensor.map(three));
        row.push(three(line.tells.missing));
        row
    };
    Table { caption: tr!("What gates tell on the probe images"), head, rows: lines.iter().map(row).collect() }
}
