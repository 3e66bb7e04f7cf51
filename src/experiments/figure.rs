//! A small chart as SVG text: columns, points with error bars, predictions as dashed lines. Its background is its own,
//! so that it can be read wherever it is shown. Knows nothing of experiments beyond their numbers.

use std::fmt::Write;

use super::draw::{Look, head, line, text, upright};
use super::names::Names;
use super::{Expected, Measured, Quantity};
use crate::decimal::{self, round_above};
use crate::lang;

/// Which quantities are drawn, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Titles of the axes; the vertical one may be empty.
    pub x: &'static str,
    pub y: &'static str,
    pub columns: Vec<String>,
    pub series: Vec<Series>,
    /// Logarithmic vertical axis.
    pub log: bool,
}

/// One value per column, from the quantity with this index on.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub name: &'static str,
    pub first: usize,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 52.0;
/// Height of what is plotted on a page, and below which width it is small, as beside a text.
const PLOT: f64 = 214.0;
const NARROW: f64 = 330.0;
const SMALL: f64 = 156.0;
/// Of a line of text, and of one letter, about.
const LINE: f64 = 16.0;
const LETTER: f64 = 7.2;
/// Blue, vermilion and green of Okabe and Ito's palette, told apart with any colour vision.
const INKS: [&str; 3] = ["#0072b2", "#d55e00", "#009e73"];
const STYLE: &str = "text{font:12px sans-serif;fill:#222}.axis{stroke:#444}.grid{stroke:#ddd}.said{stroke:#222;\
stroke-dasharray:5 3;stroke-width:1.5}";

/// Where things are.
struct Layout {
    look: Look,
    width: f64,
    height: f64,
    top: f64,
    bottom: f64,
    /// Of each entry of the legend.
    legend: Vec<(f64, f64)>,
    /// Lines that the columns' labels take turns on, so that long ones do not meet.
    lines: usize,
    /// One column in so many is labelled.
    every: usize,
}

impl Layout {
    fn new(look: Look, figure: &Figure, entries: &[impl AsRef<str>]) -> Self {
        let Look::Page(width) = look else {
            let legend = (0..entries.len()).map(|number| (LEFT + 8.0 + 190.0 * number as f64, 16.0)).collect();
            let (top, bottom) = (TOP, BOTTOM);
            return Self { look, width: WIDTH, height: HEIGHT, top, bottom, legend, lines: 1, every: 1 };
        };
        let mut legend = Vec::new();
        let (mut x, mut y) = (8.0, LINE);
        for entry in entries {
            let long = 32.0 + LETTER * lang::columns(entry.as_ref());
            if x > 8.0 && x + long > width {
                (x, y) = (8.0, y + LINE + 4.0);
            }
            legend.push((x, y));
            x += long;
        }
        let pitch = (width - LEFT - RIGHT) / figure.columns.len() as f64;
        let longest = figure.columns.iter().map(|label| lang::columns(label)).fold(0.0, f64::max);
        let need = ((LETTER * longest + 4.0) / pitch).ceil().max(1.0) as usize;
        // Numbers in order can be left out; names cannot.
        let numbers = figure.columns.iter().all(|label| decimal::parse(label).is_some());
        let (lines, every) = if numbers { (1, need) } else { (need, 1) };
        let (top, bottom) = (y + 18.0, BOTTOM + LINE * (lines - 1) as f64);
        let plot = if width < NARROW { SMALL } else { PLOT };
        Self { look, width, height: top + bottom + plot, top, bottom, legend, lines, every }
    }

    fn page(&self) -> bool {
        self.look != Look::File
    }

    /// The attributes that colour a line or a point of a series: the page's own do where there is one.
    fn ink(&self, series: usize, attribute: &str) -> String {
        match self.page() {
            true => format!(" class=\"series series-{}\"", series % INKS.len()),
            false => format!(" {attribute}=\"{}\"", INKS[series % INKS.len()]),
        }
    }
}

/// The vertical axis: values from `low` to `high`, or their logarithms.
struct Scale {
    low: f64,
    high: f64,
    log: bool,
}

impl Scale {
    fn new(values: &[f64], log: bool) -> Self {
        let finite = values.iter().copied().filter(|v| v.is_finite() && (!log || *v > 0.0));
        let (low, high) = finite.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            return Self { low: 0.0, high: 1.0, log: false };
        }
        if log {
            // Losses above 10 are runs that failed; how badly does not matter.
            let decade = |v: f64| libm::log10(v);
            return Self { low: libm::floor(decade(low).max(-6.0)), high: libm::ceil(decade(high).min(1.0)), log };
        }
        // From 0, unless all that is to be seen happens far above it.
        let low = if low > 0.6 * high { low - 0.3 * (high - low).max(0.02 * high) } else { low.min(0.0) };
        Self { low, high: high + 0.08 * (high - low).max(1e-9), log }
    }

    /// Vertical place of a value, kept inside the chart.
    fn at(&self, value: f64, layout: &Layout) -> f64 {
        let value = if self.log { libm::log10(value.max(f64::MIN_POSITIVE)) } else { value };
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        layout.height - layout.bottom - share * (layout.height - layout.top - layout.bottom)
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        if self.log {
            return (self.low as i32..=self.high as i32)
                .map(|p| (libm::pow(10.0, p.into()), format!("1e{p}")))
                .collect();
        }
        let step = round_above((self.high - self.low) / 7.0);
        let decimals = (-libm::floor(libm::log10(step))).max(0.0) as usize;
        let first = libm::ceil(self.low / step - 1e-9) as i64;
        let last = libm::floor(self.high / step + 1e-9) as i64;
        (first..=last).map(|i| (i as f64 * step, format!("{:.decimals$}", i as f64 * step))).collect()
    }
}

/// The chart as an SVG document, with `title` for those who cannot see it; what is drawn is called as `names` has it.
pub fn svg(
    (title, names): (&str, &Names),
    figure: &Figure,
    quantities: &[Quantity],
    measured: &[Measured],
    look: Look,
) -> String {
    let drawn: Vec<usize> = figure.series.iter().flat_map(|s| s.first..s.first + figure.columns.len()).collect();
    let said = |index: usize| match quantities[index].expected {
        Expected::Near { value, .. } => Some(value),
        _ => None,
    };
    let reach = drawn.iter().flat_map(|&i| {
        let Measured { mean, spread, .. } = measured[i];
        [Some(mean - spread), Some(mean + spread), said(i)].into_iter().flatten()
    });
    let scale = Scale::new(&reach.collect::<Vec<_>>(), figure.log);
    let predicted = drawn.iter().any(|&i| said(i).is_some());
    let entries: Vec<String> =
        figure.series.iter().map(|s| names.of(s.name)).chain(predicted.then(|| lang::tr!("predicted"))).collect();
    let figure = &Figure { columns: figure.columns.iter().map(|name| names.of(name)).collect(), ..figure.clone() };
    let layout = Layout::new(look, figure, &entries);
    let pitch = (layout.width - LEFT - RIGHT) / figure.columns.len() as f64;
    let mut out = head(look, title, STYLE, (layout.width, layout.height));
    axes(&mut out, (figure, names), &scale, &layout);
    for (number, series) in figure.series.iter().enumerate() {
        let fill = layout.ink(number, "fill");
        // Series stand beside each other within their column.
        let nudge = (number as f64 - (figure.series.len() - 1) as f64 / 2.0) * (0.2 * pitch).min(16.0);
        for column in 0..figure.columns.len() {
            let index = series.first + column;
            let x = LEFT + (column as f64 + 0.5) * pitch + nudge;
            let Measured { mean, spread, .. } = measured[index];
            if let Some(value) = said(index) {
                let (from, to) = (x - (0.3 * pitch).min(24.0), x + (0.3 * pitch).min(24.0));
                let y = scale.at(value, &layout);
                line(&mut out, " class=\"said\"", (from, y), (to, y), "");
            }
            if mean.is_finite() {
                let (class, more) = match layout.page() {
                    true => (layout.ink(number, ""), String::new()),
                    false => {
                        (" class=\"bar\"".into(), format!("{} stroke-width=\"1.5\"", layout.ink(number, "stroke")))
                    }
                };
                let (low, high) = (scale.at(mean - spread, &layout), scale.at(mean + spread, &layout));
                line(&mut out, &class, (x, low), (x, high), &more);
                let y = scale.at(mean, &layout);
                let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"{fill}/>");
            }
        }
        let (x, y) = layout.legend[number];
        let _ = writeln!(out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"4\"{fill}/>");
        text(&mut out, (x + 9.0, y + 4.0), "", &entries[number]);
    }
    if predicted {
        let (x, y) = layout.legend[figure.series.len()];
        line(&mut out, " class=\"said\"", (x - 8.0, y), (x + 12.0, y), "");
        text(&mut out, (x + 18.0, y + 4.0), "", &lang::tr!("predicted"));
    }
    out + "</svg>\n"
}

fn axes(out: &mut String, (figure, names): (&Figure, &Names), scale: &Scale, layout: &Layout) {
    let (right, bottom) = (layout.width - RIGHT, layout.height - layout.bottom);
    let pitch = (right - LEFT) / figure.columns.len() as f64;
    for (value, label) in scale.ticks() {
        let y = scale.at(value, layout);
        line(out, " class=\"grid\"", (LEFT, y), (right, y), "");
        text(out, (LEFT - 6.0, y + 4.0), " text-anchor=\"end\"", &label);
    }
    line(out, " class=\"axis\"", (LEFT, bottom), (right, bottom), "");
    line(out, " class=\"axis\"", (LEFT, layout.top), (LEFT, bottom), "");
    for (column, label) in figure.columns.iter().enumerate().step_by(layout.every) {
        let y = bottom + 18.0 + LINE * (column % layout.lines) as f64;
        text(out, (LEFT + (column as f64 + 0.5) * pitch, y), " text-anchor=\"middle\"", label);
    }
    text(out, ((LEFT + right) / 2.0, layout.height - 10.0), " text-anchor=\"middle\"", &names.of(figure.x));
    let middle = (layout.top + bottom) / 2.0;
    upright(out, middle, &names.of(figure.y));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::{Verdict, near, shown};

    fn measured(mean: f64, spread: f64) -> Measured {
        Measured { mean, spread, values: vec![mean], verdict: Verdict::Open }
    }

    #[test]
    fn points_and_predictions_are_where_their_values_are() {
        let figure = Figure {
            x: "rank",
            y: "loss < 1",
            columns: vec!["1".into(), "2".into()],
            series: vec![Series { name: "LoRA", first: 0 }],
            log: false,
        };
        let text = svg(
            ("t", &Names::default()),
            &figure,
            &[near("a", 1.0, 0.1), shown("b")],
            &[measured(1.0, 0.0), measured(0.0, 0.1)],
            Look::File,
        );
        let scale = Scale::new(&[1.0, 0.1, -0.1], false);
        let one = scale.at(1.0, &Layout::new(Look::File, &figure, &["LoRA", "predicted"]));
        assert!(text.contains(&format!("cy=\"{one:.1}\"")) && text.contains(&format!("y1=\"{one:.1}\"")), "{text}");
        assert_eq!(text.matches("class=\"said\"").count(), 2, "one prediction and the legend's");
        assert!(text.contains("loss &lt; 1") && text.contains("fill=\"#fff\""));
    }

    #[test]
    fn on_a_page_names_share_lines_and_numbers_thin_out() {
        let of = |columns: &[&str], width: f64| {
            let columns = columns.iter().map(ToString::to_string).collect();
            let figure = Figure { x: "", y: "", columns, series: vec![], log: false };
            let layout =
                Layout::new(Look::Page(width), &figure, &["largest singular value", "overlap with u", "predicted"]);
            (layout.lines, layout.every, layout.legend.last().map(|at| at.1))
        };
        let names = ["soft", "top 2", "top 1", "top 2, renorm."];
        assert_eq!(of(&names, 340.0), (2, 1, Some(36.0)));
        assert_eq!(of(&names, 720.0), (1, 1, Some(16.0)));
        assert_eq!(of(&["0.0005", "0.001", "0.002", "0.004", "0.008"], 240.0).1, 2);
    }

    #[test]
    fn axes_fit_what_is_drawn() {
        let labels = |scale: Scale| scale.ticks().into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(labels(Scale::new(&[0.0, 1.0], false)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(Scale::new(&[0.002, 3.0], true)), ["1e-3", "1e-2", "1e-1", "1e0", "1e1"]);
        assert!(Scale::new(&[0.89, 0.97], false).low > 0.8);
        assert_eq!(labels(Scale::new(&[f64::NAN], false)).len(), 6, "from 0 to 1");
    }
}
