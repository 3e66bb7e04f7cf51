//! What is written in the drawing of a lane, and the drawing as a table. Knows no places.

use crate::lang::tr;
use crate::method::drawing::{Drawing, Part, Role};
use crate::protocol::{FlowFrame, Vector};
use crate::view::{
    format::{count, three},
    table::Table,
};

/// The length of a vector.
pub fn length(values: &[f32]) -> f64 {
    libm::sqrt(values.iter().map(|&v| f64::from(v) * f64::from(v)).sum())
}

/// Above a part: its sign and its size.
pub fn name(part: &Part) -> String {
    match part.is_matrix() {
        true => format!("{} {} × {}", symbol(part), part.rows, part.cols),
        false => symbol(part),
    }
}

/// Above a part where its size has no room: its sign alone.
pub fn symbol(part: &Part) -> String {
    match part.branches {
        1 => part.symbol.into(),
        branches => format!("{0}1–{0}{branches}", part.symbol),
    }
}

/// What a part is, in a sentence.
pub fn explain(part: &Part) -> String {
    let Part { symbol, rows, cols, branches, .. } = part;
    let how = match (part.trained, part.from_zero) {
        (false, _) => tr!("frozen"),
        (_, true) => tr!("trained, from zero on"),
        _ => tr!("trained"),
    };
    match part.role {
        Role::Fixed(_) => tr!("{symbol}: a fixed rule, without numbers of its own.", symbol),
        Role::Scales => tr!("{symbol}: a number for each of {rows} entries, {how}.", symbol, rows, how),
        _ if *branches > 1 => {
            tr!("{symbol}: {branches} times {rows} × {cols}, {how}.", symbol, branches, rows, cols, how)
        }
        _ => tr!("{symbol}: {rows} × {cols} = {} numbers, {how}.", count(rows * cols), symbol, rows, cols, how),
    }
}

/// The same as rows: what each part is, and the length of what leaves it.
pub fn table(drawing: &Drawing, frame: &FlowFrame) -> Table {
    let mut rows = Vec::new();
    let mut row = |name: &str, what: String, out: &[f32]| rows.push(vec![name.into(), what, three(length(out))]);
    row("x", String::new(), frame.get(Vector::X));
    row("W0", tr!("frozen"), frame.get(Vector::Frozen));
    for (part, (values, out)) in drawing.parts.iter().zip(frame.values.iter().zip(&frame.outs)) {
        let name = if part.symbol.is_empty() { tr!("gates") } else { part.symbol.into() };
        let each: Vec<String> = values.iter().map(|&g| three(f64::from(g))).collect();
        row(&name, if part.symbol.is_empty() { each.join(" ") } else { explain(part) }, out);
    }
    row(&tr!("adds"), format!("× s = {}", three(drawing.scaling)), frame.get(Vector::Added));
    row("y", String::new(), frame.get(Vector::Y));
    let caption = tr!("The way of token {}, and the length of what leaves each part", frame.token + 1);
    Table { caption, head: vec![tr!("part"), tr!("what it is"), tr!("length")], rows }
}
