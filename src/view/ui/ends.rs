//! What stands at the right end of a chart's lines: names and values that keep apart, each with a leader to its line and an
//! explanation of its own. Knows nothing of what the lines are.

use yew::prelude::*;

use crate::view::axis::{path, spread};

/// Height of a label.
const LINE: f64 = 16.0;

pub struct End {
    /// Where its line ends.
    pub from: (f64, f64),
    pub text: String,
    pub value: String,
    pub why: String,
    /// `None` is theory's.
    pub lane: Option<usize>,
    /// As on the line, around (0, 0), where lines have marks.
    pub mark: Option<Html>,
    /// What is drawn with the label, and stands out with it.
    pub line: Option<Html>,
}

/// The labels of all lines, right of `edge`; the picture is as large as `size`.
pub fn ends(label: &'static str, all: Vec<End>, edge: f64, size: (f64, f64)) -> Html {
    let wanted: Vec<f64> = all.iter().map(|end| end.from.1 - LINE / 2.0).collect();
    let placed = spread(&wanted, LINE, 0.0, size.1 - LINE);
    let ends = all.into_iter().zip(placed).map(|(end, top)| {
        let middle = top + LINE / 2.0;
        let class = match end.lane {
            Some(lane) => format!("end lane-{lane}"),
            None => "end floor".to_string(),
        };
        let text = edge + if end.mark.is_some() { 22.0 } else { 14.0 };
        html! {
            <g {class} tabindex="0" data-why={end.why} aria-label={format!("{} {}", end.text, end.value)}>
                { for end.line }
                <path class="leader" d={path([end.from, (edge.max(end.from.0), end.from.1), (edge + 8.0, middle)].into_iter())} />
                { for end.mark.map(|mark| html! { <g transform={format!("translate({:.1} {middle:.1})", edge + 14.0)}>{ mark }</g> }) }
                <text x={text.to_string()} y={(middle + 4.0).to_string()}>
                    { end.text }<tspan class="value" dx="6">{ end.value }</tspan>
                </text>
            </g>
        }
    });
    // Beside the picture, not in it: these explain themselves one by one.
    html! {
        <svg class="ends" role="group" aria-label={label} width={size.0.to_string()} height={size.1.to_string()}>{ for ends }</svg>
    }
}
