//! What is written in the drawing of a lane, and the drawing as a table. Knows no places.

use super::length;
use crate::method::drawing::{Drawing, Part, Role};
use crate::protocol::{FlowFrame, Vector};
use crate::view::{
    format::{count, three},
    table::Table,
};

/// Above a part: its sign and its size.
pub fn name(part: &Part) -> String {
    let Part { symbol, rows, cols, branches, .. } = part;
    match (part.is_matrix(), branches) {
        (true, 1) => format!("{symbol} {rows} × {cols}"),
        (true, _) => format!("{symbol}1–{symbol}{branches} {rows} × {cols}"),
        _ => (*symbol).into(),
    }
}

/// What a part is, in a sentence.
pub fn explain(part: &Part) -> String {
    let Part { symbol, rows, cols, branches, .. } = part;
    let how = match (part.trained, part.from_zero) {
        (false, _) => "frozen",
        (_, true) => "trained, from zero on",
        _ => "trained",
    };
    match part.role {
        Role::Fixed(_) => format!("{symbol}: a fixed rule, without numbers of its own."),
        Role::Scales => format!("{symbol}: a number for each of {rows} entries, {how}."),
        _ if *branches > 1 => format!("{symbol}: {branches} times {rows} × {cols}, {how}."),
        _ => format!("{symbol}: {rows} × {cols} = {} numbers, {how}.", count(rows * cols)),
    }
}

/// The same as rows: what each part is, and the length of what leaves it.
pub fn table(drawing: &Drawing, frame: &FlowFrame) -> Table {
    let mut rows = Vec::new();
    let mut row = |name: &str, what: String, out: &[f32]| rows.push(vec![name.into(), what, three(length(out))]);
    row("x", String::new(), frame.get(Vector::X));
    row("W0", "frozen".into(), frame.get(Vector::Frozen));
    for (part, (values, out)) in drawing.parts.iter().zip(frame.values.iter().zip(&frame.outs)) {
        let name = if part.symbol.is_empty() { "gates" } else { part.symbol };
        let each: Vec<String> = values.iter().map(|&g| three(f64::from(g))).collect();
        row(name, if part.symbol.is_empty() { each.join(" ") } else { explain(part) }, out);
    }
    row("adds", format!("× s = {}", three(drawing.scaling)), frame.get(Vector::Added));
    row("y", String::new(), frame.get(Vector::Y));
    let caption = format!("The way of token {}, and the length of what leaves each part", frame.token + 1);
    Table { caption, head: ["part", "what it is", "length"].map(String::from).to_vec(), rows }
}
