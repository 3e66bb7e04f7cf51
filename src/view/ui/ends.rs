//! What stands at the right end of a chart's lines: names and values that keep apart, each with a leader to its line and an
//! explanation of its own. Knows nothing of what the lines are.

use yew::prelude::*;

use crate::decimal::tenths;
use crate::view::axis::{path, spread};

/// Height of a label.
const LINE: f64 = 16.0;

/// What points of a line are marked with.
#[derive(Clone, Copy)]
pub enum Mark {
    None,
    Dot,
    /// A path around (0, 0).
    Path(&'static str),
}

impl Mark {
    pub fn html(self) -> Html {
        match self {
            Self::None => html! {},
            Self::Dot => html! { <circle r="4" /> },
            Self::Path(d) => html! { <path {d} /> },
        }
    }
}

pub struct End {
    /// Where its line ends.
    pub from: (f64, f64),
    pub text: String,
    pub value: String,
    pub why: String,
    /// `None` is theory's.
    pub lane: Option<usize>,
    pub mark: Mark,
    /// Where a level line begins that is drawn with the label, and stands out with it.
    pub since: Option<f64>,
}

/// The labels of all lines, right of `edge`; the picture is as large as `size`.
pub fn ends(label: String, all: Vec<End>, edge: f64, size: (f64, f64)) -> Html {
    let wanted: Vec<f64> = all.iter().map(|end| end.from.1 - LINE / 2.0).collect();
    let placed = spread(&wanted, LINE, 0.0, size.1 - LINE);
    let ends = all.into_iter().zip(placed).map(|(end, top)| {
        let middle = top + LINE / 2.0;
        let class = match end.lane {
            Some(lane) => format!("end lane-{lane}"),
            None => "end floor".into(),
        };
        let text = edge + if matches!(end.mark, Mark::None) { 14.0 } else { 22.0 };
        let (x, y) = end.from;
        html! {
            <g {class} tabindex="0" data-why={end.why} aria-label={format!("{} {}", end.text, end.value)}>
                if let Some(since) = end.since {
                    <path d={path([(since, y), end.from].into_iter())} />
                }
                <path class="leader" d={path([end.from, (edge.max(x), y), (edge + 8.0, middle)].into_iter())} />
                <g transform={format!("translate({} {})", tenths(edge + 14.0), tenths(middle))}>{ end.mark.html() }</g>
                <text x={tenths(text)} y={tenths(middle + 4.0)}>
                    { end.text }<tspan class="value" dx="6">{ end.value }</tspan>
                </text>
            </g>
        }
    });
    // Beside the picture, not in it: these explain themselves one by one.
    html! {
        <svg class="ends" role="group" aria-label={label} width={tenths(size.0)} height={tenths(size.1)}>{ for ends }</svg>
    }
}
