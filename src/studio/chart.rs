//! A sweep as a picture: a curve over one axis, a heatmap over two, as SVG text. On a page the style sheet colours text
//! and lines; the cells' colours are data. Knows nothing of how a sweep is run.

use std::fmt::Write;

use super::sweep::{Cell, Swept};
use crate::experiments::draw::{Look, head, text, upright};
use crate::experiments::{Expected, Figure, Measured, Names, Quantity, Series, Verdict, svg};
use crate::lang::{marked, said, tr};
use crate::view::format::three;
use crate::view::scale::Scale;

const LEFT: f64 = 72.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 48.0;
const CELL: f64 = 40.0;
const FILE_WIDTH: f64 = 640.0;
/// A number in a cell needs so much room.
const TEXT: f64 = 46.0;
const STEPS: usize = 24;
const STYLE: &str = "text{font:12px sans-serif;fill:#222}.deep{fill:#fff}.shallow{fill:#111}.cell{stroke:#fff}\
.empty{fill:none;stroke:#bbb}.best{fill:none;stroke:#fff;stroke-width:2}";

/// The sweep's picture; `dark` is the theme of the page around it.
pub fn picture(swept: &Swept, unit: &str, look: Look, dark: bool) -> String {
    if swept.plan.y.is_some() { heatmap(swept, unit, look, dark) } else { curve(swept, unit, look) }
}

/// What the picture shows, in one sentence.
pub fn caption(swept: &Swept, unit: &str) -> String {
    let plan = &swept.plan;
    let best = swept.best().map(|(row, column, cell)| {
        let y = plan.y.as_ref().map(|y| tr!(" and {} {}", said(y.axis.name), y.values[row])).unwrap_or_default();
        tr!("; least, {}, at {} {}{y}", three(cell.mean), said(plan.x.axis.name), plan.x.values[column], y)
    });
    let over = plan.y.as_ref().map(|y| tr!(" and {}", said(y.axis.name))).unwrap_or_default();
    tr!(
        "Loss after {} steps ({unit}) over {}{over}{}",
        plan.steps,
        said(plan.x.axis.name),
        best.unwrap_or_default(),
        unit,
        over
    )
}

fn curve(swept: &Swept, unit: &str, look: Look) -> String {
    let (mut quantities, mut measured, mut columns) = (Vec::new(), Vec::new(), Vec::new());
    for (_, column, Cell { mean, spread }) in swept.done() {
        let name = swept.plan.x.values[column].to_string();
        quantities.push(Quantity { name: name.clone(), expected: Expected::Shown });
        measured.push(Measured { mean, spread, values: vec![mean], verdict: Verdict::Open });
        columns.push(name);
    }
    let y = if unit == "cross-entropy" { marked!("loss, cross-entropy") } else { marked!("loss, share of energy") };
    let positive = measured.iter().all(|m| m.mean - m.spread > 0.0 || m.mean.is_nan());
    let name = if swept.plan.seeds > 1 { marked!("mean and spread") } else { marked!("loss") };
    let series = vec![Series { name, first: 0 }];
    let figure = Figure { x: swept.plan.x.axis.name, y, columns, series, log: positive };
    svg((&caption(swept, unit), &Names::default()), &figure, &quantities, &measured, look)
}

/// Logarithmic from the least loss to the greatest: 0 is the ground, 1 the deepest colour, which the least loss has.
struct Depth {
    low: f64,
    high: f64,
}

impl Depth {
    fn of(swept: &Swept) -> Self {
        let finite = swept.done().map(|(.., cell)| cell.mean).filter(|mean| mean.is_finite());
        let (low, high) = finite.fold((f64::MAX, f64::MIN_POSITIVE), |(low, high), v| (low.min(v), high.max(v)));
        // What is below a millionth of the largest is not told apart.
        Self { low: low.max(1e-6 * high).min(high), high }
    }

    fn at(&self, loss: f64) -> f64 {
        let span = libm::log(self.high / self.low).max(1e-9);
        (libm::log(self.high / loss.max(self.low)) / span).clamp(0.0, 1.0)
    }
}

fn colour(depth: f64, dark: bool) -> String {
    let [r, g, b] = Scale::Unit.colour(depth as f32, dark);
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn heatmap(swept: &Swept, unit: &str, look: Look, dark: bool) -> String {
    let plan = &swept.plan;
    let (page, width) = match look {
        Look::Page(width) => (true, width),
        Look::File => (false, FILE_WIDTH),
    };
    let dark = dark && page;
    let pitch = ((width - LEFT - 8.0) / plan.columns() as f64).min(96.0);
    let right = LEFT + pitch * plan.columns() as f64;
    let bottom = TOP + CELL * plan.rows() as f64;
    let height = bottom + BOTTOM;
    let depth = Depth::of(swept);
    let mut out = head(look, &caption(swept, unit), STYLE, (width, height));
    legend(&mut out, &depth, dark, right);
    for row in 0..plan.rows() {
        let y = TOP + CELL * row as f64;
        if let Some(along) = &plan.y {
            text(&mut out, (LEFT - 8.0, y + CELL / 2.0 + 4.0), " text-anchor=\"end\"", &along.values[row].to_string());
        }
        for column in 0..plan.columns() {
            let place = Place { x: LEFT + pitch * column as f64, y, width: pitch };
            cell(&mut out, swept.cell(row, column), place, &depth, dark);
        }
    }
    if let Some((row, column, _)) = swept.best().filter(|_| swept.complete()) {
        let (x, y) = (LEFT + pitch * column as f64, TOP + CELL * row as f64);
        rect(&mut out, "best", Place { x: x + 4.0, y: y + 4.0, width: pitch - 8.0 }, CELL - 8.0, "");
    }
    for (column, value) in plan.x.values.iter().enumerate() {
        let x = LEFT + pitch * (column as f64 + 0.5);
        text(&mut out, (x, bottom + 18.0), " text-anchor=\"middle\"", &value.to_string());
    }
    text(&mut out, ((LEFT + right) / 2.0, bottom + 38.0), " text-anchor=\"middle\"", &said(plan.x.axis.name));
    upright(&mut out, (TOP + bottom) / 2.0, &plan.y.as_ref().map_or_else(String::new, |y| said(y.axis.name)));
    out + "</svg>\n"
}

#[derive(Clone, Copy)]
struct Place {
    x: f64,
    y: f64,
    width: f64,
}

fn cell(out: &mut String, cell: Option<Cell>, place: Place, depth: &Depth, dark: bool) {
    let Some(Cell { mean, .. }) = cell else { return rect(out, "empty", place, CELL, "") };
    let middle = (place.x + place.width / 2.0, place.y + CELL / 2.0 + 4.0);
    if !mean.is_finite() {
        rect(out, "empty", place, CELL, "");
        return text(out, middle, " text-anchor=\"middle\"", "×");
    }
    let at = depth.at(mean);
    rect(out, "cell", place, CELL, &format!(" fill=\"{}\"", colour(at, dark)));
    if place.width >= TEXT {
        // Deep colours are dark on light ground, and light on dark.
        let class = if (at > 0.55) == dark { "shallow" } else { "deep" };
        let class = if at > 0.55 || dark { class } else { "shallow" };
        text(out, middle, &format!(" class=\"{class}\" text-anchor=\"middle\""), &three(mean));
    }
}

/// From the greatest loss to the least, with both numbers.
fn legend(out: &mut String, depth: &Depth, dark: bool, right: f64) {
    if depth.low > depth.high || depth.low == f64::MAX {
        return;
    }
    let (from, step) = (LEFT + 56.0, 4.0);
    text(out, (from - 6.0, 20.0), " text-anchor=\"end\"", &three(depth.high));
    for at in 0..STEPS {
        let place = Place { x: from + step * at as f64, y: 10.0, width: step };
        let fill = colour(at as f64 / (STEPS - 1) as f64, dark);
        rect(out, "ramp", place, 12.0, &format!(" fill=\"{fill}\""));
    }
    let end = from + step * STEPS as f64;
    let note = if right - end > 190.0 { tr!(" log scale; × diverged") } else { String::new() };
    text(out, (end + 6.0, 20.0), "", &format!("{}{note}", three(depth.low)));
}

fn rect(out: &mut String, class: &str, Place { x, y, width }: Place, height: f64, more: &str) {
    let _ = writeln!(
        out,
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"{more}/>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::Where;
    use crate::studio::sweep::{Plan, tests::plan};

    fn swept(losses: &[f64]) -> Swept {
        Swept { plan: Plan { seeds: 1, ..plan() }, place: Where::Cpu, seconds: 1.0, losses: losses.to_vec() }
    }

    #[test]
    fn every_cell_is_drawn_whether_done_diverged_or_to_come() {
        let text = picture(&swept(&[1.0, 0.1, 0.01, f64::NAN]), "share", Look::Page(640.0), false);
        assert_eq!(text.matches("class=\"cell\"").count(), 3);
        assert_eq!(text.matches("class=\"empty\"").count(), 3);
        assert!(text.contains(">×<") && text.contains(">0.100<") && !text.contains("class=\"best\""));
        assert!(!text.contains("NaN") && !text.contains("<style"), "the page's policy forbids styles of its own");
    }

    #[test]
    fn the_least_loss_is_deepest_and_marked() {
        let done = swept(&[1.0, 0.1, 0.01, 0.5, 0.5, 0.5]);
        let depth = Depth::of(&done);
        assert_eq!((depth.at(1.0), depth.at(0.01)), (0.0, 1.0));
        assert!((depth.at(0.1) - 0.5).abs() < 1e-9);
        let file = picture(&done, "share of energy", Look::File, true);
        assert!(
            file.contains("class=\"best\"") && file.starts_with("<svg xmlns") && file.contains("<title>Loss after 20")
        );
        assert!(
            caption(&done, "u").ends_with("least, 0.0100, at rank 4 and learning rate 0.01"),
            "{}",
            caption(&done, "u")
        );
    }

    #[test]
    fn equal_or_missing_losses_still_draw() {
        for losses in [&[][..], &[f64::NAN], &[0.5, 0.5], &[0.0, 0.0]] {
            for look in [Look::File, Look::Page(340.0)] {
                let text = picture(&swept(losses), "u", look, true);
                assert!(text.ends_with("</svg>\n") && !text.contains("NaN") && !text.contains("inf"), "{text}");
            }
            let line = Swept { plan: Plan { y: None, ..swept(losses).plan }, ..swept(losses) };
            assert!(picture(&line, "u", Look::Page(340.0), false).ends_with("</svg>\n"));
        }
    }
}
