//! Where everything stands in the drawing of a lane's way through a layer: heatmaps to one scale, bands as wide as what they
//! carry has entries, gates as wide as they are. SVG as text, and the heatmaps for a canvas over it. Pure; it knows neither
//! the page nor which method it draws.

mod marks;
#[cfg(test)]
mod tests;
mod words;

pub use marks::{Picture, Tile};
pub use words::{length, table};

use marks::{End, STRIP, path, why_of};
use words::{explain, name, symbol};

use super::{format::three, scale::range_for};
use crate::decimal::tenths;
use crate::lang::tr;
use crate::method::description::Reads;
use crate::method::drawing::{Drawing, Part, Role};
use crate::protocol::{FlowFrame, Vector};

/// Height of a line of text, and room between two things: less below this width.
const TEXT: f64 = 16.0;
const GAPS: [f64; 2] = [12.0, 24.0];
const WIDE: f64 = 440.0;
/// Advance of a letter, and height of a digit.
const LETTER: f64 = 7.3;
const DIGIT: f64 = 9.0;
/// Edge of a matrix's entry where there is room for it.
const ENTRY: f64 = 12.0;
/// Height of what a gate reads.
const READ: f64 = 4.0;
/// Width of a gate of 1.
const GATE: f64 = 10.0;

/// Pixels of an entry, and what follows from them.
struct Room {
    entry: f64,
    /// Between experts' rows, and between their columns.
    apart: (f64, f64),
    height: f64,
    /// Of the adapter's row.
    adapter: f64,
    /// Between two things.
    gap: f64,
    is_wide: bool,
}

fn top(values: &[f32]) -> f32 {
    values.iter().filter(|v| v.is_finite()).fold(0.0, |top, v| top.max(v.abs()))
}

fn range(values: &[f32]) -> f32 {
    range_for(f64::from(top(values))) as f32
}

/// Of branches side by side.
fn extent(size: usize, entry: f64, branches: usize, apart: f64) -> f64 {
    let count = branches as f64;
    count * size as f64 * entry + (count - 1.0) * apart
}

/// Pixels from the left of a part to the next.
fn advance(part: &Part, room: &Room) -> f64 {
    let own = width(part, room);
    if matches!(part.role, Role::Gates { .. }) {
        return own;
    }
    // Where there is little room, what is written is as short as can be, and may stand over the gap.
    let named = written(&if room.is_wide { name(part) } else { symbol(part) }) - room.gap;
    own.max(named) + STRIP + room.gap
}

/// Pixels of a line of text.
fn written(text: &str) -> f64 {
    LETTER * text.chars().count() as f64
}

/// Pixels of a part itself.
fn width(part: &Part, room: &Room) -> f64 {
    match part.role {
        Role::Gates { .. } => 2.0 * room.gap,
        Role::Reads => part.cols as f64 * room.entry,
        Role::Writes => extent(part.cols, room.entry, part.branches, room.apart.1),
        _ => STRIP,
    }
}

/// The largest entries with which all of it has room.
fn room(drawing: &Drawing, (w, h): (f64, f64)) -> Room {
    let (inputs, outputs) = (drawing.widths.inputs as f64, drawing.widths.outputs as f64);
    let is_wide = w >= WIDE;
    let gap = GAPS[usize::from(is_wide)];
    let mut room = Room { entry: ENTRY, apart: (0.0, 0.0), height: 0.0, adapter: 0.0, gap, is_wide };
    loop {
        let entry = room.entry;
        let (mut width, mut gate) = (0.0, 0.0);
        // x comes in as high as it is.
        room.adapter = inputs * entry;
        for part in &drawing.parts {
            if part.branches > 1 {
                let between = part.branches as f64 - 1.0;
                match part.role {
                    Role::Reads => {
                        let free = outputs - (part.rows * part.branches) as f64;
                        room.apart.0 = (free * entry / between).clamp(2.0, 20.0);
                    }
                    _ => room.apart.1 = (48.0 / between).clamp(1.0, 8.0),
                }
            }
            let tall = match part.role {
                Role::Gates { .. } => 0.0,
                Role::Reads => extent(part.rows, entry, part.branches, room.apart.0),
                _ => part.rows as f64 * entry,
            };
            room.adapter = tall.max(room.adapter);
            width += advance(part, &room);
        }
        for part in drawing.gate.iter().filter(|part| part.cols == drawing.widths.inputs) {
            gate += TEXT + STRIP + part.rows as f64 * entry;
        }
        let behind = if drawing.behind.is_some() { STRIP + gap } else { 0.0 };
        width = width.max(inputs * entry + STRIP) + 2.0 * STRIP + 7.0 * gap + behind;
        let below = if is_wide { 0.0 } else { 2.0 * TEXT };
        room.height = 3.0 * TEXT + gap + outputs * entry + room.adapter + f64::max(gate, below);
        if width <= w && room.height <= h || entry <= 0.25 {
            return room;
        }
        room.entry -= 0.25;
    }
}

/// Whose numbers a heatmap has, so that others can light it up, and what explains it.
fn of(symbol: &str, branch: Option<usize>, why: &str) -> String {
    let branch = branch.map_or_else(String::new, |branch| format!("data-branch='{branch}' "));
    format!("data-part='{symbol}' {branch}{}", why_of(why))
}

/// All of it, in so many pixels.
pub fn picture(drawing: &Drawing, frame: &FlowFrame, (w, h): (f64, f64)) -> Picture {
    let mut picture = Picture::default();
    let all = room(drawing, (w, h));
    let entry = all.entry;
    let (inputs, outputs) = (drawing.widths.inputs as f64 * entry, drawing.widths.outputs as f64 * entry);
    // What is left over in height stands between the rows.
    let gap = all.gap;
    let spare = ((h - all.height) / 2.0).clamp(0.0, gap);
    let upper = TEXT + outputs / 2.0;
    let lower = 2.0 * TEXT + outputs + gap + spare + all.adapter / 2.0;
    let middle = f64::max((upper + lower) / 2.0, TEXT + inputs / 2.0);
    let (left, right) = (STRIP + 2.0 * gap, w - STRIP);
    let end = right - if drawing.behind.is_some() { STRIP + gap } else { 0.0 };
    let tokens: Vec<f32> =
        [Vector::X, Vector::Frozen, Vector::Added, Vector::Y].iter().map(|&vector| top(frame.get(vector))).collect();
    let tokens = range(&tokens);

    // The token, and the frozen weight.
    let x_in = (STRIP, middle, inputs);
    let sum = (end, middle, outputs);
    picture.band("base", x_in, (left, upper, outputs), true);
    picture.band("own", x_in, (left, lower, inputs), true);
    picture.vector((0.0, middle, inputs), frame.get(Vector::X), tokens, &tr!("x: what the layer reads of the token."));
    picture.ends(0.0, "start", "x", (middle, inputs), frame.get(Vector::X));
    let frozen = if drawing.from_weight { tr!("W0 without s·B·A of the start") } else { "W0".into() };
    let sized = tr!("{frozen} {} × {}, frozen", drawing.widths.outputs, drawing.widths.inputs, frozen);
    let why = &tr!("The weight of the pretrained layer. Training changes none of its numbers.");
    let weight = frame.get(Vector::Weight);
    picture.tile([left, TEXT, inputs, outputs], drawing.widths.inputs, weight, range(weight), &of("W0", None, why));
    picture.label(left, TEXT - 4.0, "start", &sized, why);
    let out = left + inputs + 3.0;
    picture.band("base", (out + STRIP, upper, outputs), sum, true);
    picture.vector(
        (out, upper, outputs),
        frame.get(Vector::Frozen),
        tokens,
        &tr!("What the frozen weight makes of x."),
    );
    // Within its band, or under one that is too thin for it.
    let is_thin = outputs < 2.0 * TEXT;
    let under = |middle: f64, height: f64| middle + if is_thin { height / 2.0 + TEXT - 2.0 } else { 4.0 };
    let given = under(upper, outputs);
    picture.length(out + 2.0 * STRIP, given, "start", &tr!("gives "), frame.get(Vector::Frozen));

    // The adapter, from left to right; where its last part ended, and the heights of its branches.
    let mut own = 0f32;
    for (part, values) in drawing.parts.iter().zip(&frame.values) {
        own = own.max(if part.is_matrix() { top(values) } else { 0.0 });
    }
    let own = range(&[own]);
    let above = lower - all.adapter / 2.0;
    let mut x = left;
    let mut from: End = (left, lower, inputs);
    let mut rows = Vec::new();
    let mut gates: Option<(f64, &Part, &[f32])> = None;
    for (at, part) in drawing.parts.iter().enumerate() {
        let (values, held) = (&frame.values[at], &frame.outs[at]);
        let why = explain(part);
        let leaves = held.len() as f64 * entry;
        let (width, height) = (part.cols as f64 * entry, part.rows as f64 * entry);
        let size = (part.rows * part.cols).max(1);
        let is_gates = matches!(part.role, Role::Gates { .. });
        if !is_gates && gates.is_none() && x > left {
            picture.band("own", from, (x, lower, from.2), false);
        }
        match part.role {
            Role::Gates { .. } => gates = Some((x, part, values)),
            Role::Reads => {
                let tall = extent(part.rows, entry, part.branches, all.apart.0);
                picture.band("own", (x, lower, from.2), (x + width, lower, tall), false);
                let is_last = at + 1 == drawing.parts.len();
                for (i, values) in values.chunks_exact(size).enumerate() {
                    let y = lower - (tall - height) / 2.0 + i as f64 * (height + all.apart.0);
                    rows.push(y);
                    let told = of(part.symbol, Some(i), &why);
                    picture.tile([x, y - height / 2.0, width, height], part.cols, values, own, &told);
                    if !is_last {
                        let held_own = &held[i * part.rows..(i + 1) * part.rows];
                        picture.vector((x + width + 3.0, y, height), held_own, range(held), &tr!("What leaves it."));
                    }
                }
                if !is_last && part.branches == 1 {
                    let kept = tr!("{} numbers", part.rows);
                    let y = lower + f64::max(tall / 2.0, 8.0) + TEXT - 4.0;
                    picture.label(x + width + 3.0 + STRIP, y, "end", &kept, &tr!("All that is kept of x on this way."));
                }
                from = (x + width + 3.0 + if is_last { 0.0 } else { STRIP }, lower, leaves);
            }
            Role::Writes => {
                let step = width + all.apart.1;
                if let Some((_, gate, values)) = gates {
                    picture.gates(gate, values, (from.0, &rows), (x, step), (lower, outputs));
                }
                for (j, values) in values.chunks_exact(size).enumerate() {
                    let column = x + j as f64 * step;
                    let told = of(part.symbol, Some(j), &why);
                    picture.tile([column, lower - outputs / 2.0, width, outputs], part.cols, values, own, &told);
                    from = (column + width + 3.0, lower, outputs);
                }
            }
            Role::Scales => {
                picture.vector((x, lower, leaves), values, range(values), &why);
                from = (x + STRIP, lower, leaves);
            }
            Role::Fixed(_) => {
                picture.band("rule", (x, lower, from.2), (x + STRIP, lower, leaves), false);
                from = (x + STRIP, lower, leaves);
            }
        }
        let next = x + advance(part, &all);
        if !is_gates {
            // Its size is left out where it would stand over the next name.
            let whole = name(part);
            let free = if at + 1 == drawing.parts.len() { w } else { next - STRIP } - x;
            let fits = written(&whole) < free + 1.0;
            picture.label(x, above - 4.0, "start", &if fits { whole } else { symbol(part) }, &why);
        }
        x = next;
    }
    let added = frame.get(Vector::Added);
    let share = (length(added) / length(frame.get(Vector::Frozen)).max(f64::MIN_POSITIVE)).min(1.0);
    picture.svg.push_str(&["<g opacity='", &tenths(if share > 0.0 { 0.2 + 0.8 * share } else { 1.0 }), "'>"].concat());
    let class = if share > 0.0 { "adds" } else { "nothing" };
    picture.band(class, (from.0 + STRIP, lower, outputs), sum, true);
    picture.svg.push_str("</g>");
    picture.vector((from.0, lower, outputs), added, tokens, &tr!("What the adapter adds to it."));
    let (at, line, anchor) = match all.is_wide {
        true => (from.0 + 2.0 * STRIP, under(lower, outputs), "start"),
        false => (w, lower + all.adapter / 2.0 + 12.0, "end"),
    };
    picture.length(at, line + TEXT, anchor, &tr!("adds "), added);
    if drawing.scaling != 1.0 {
        let scaling = ["× s = ", &three(drawing.scaling)].concat();
        picture.label(at, line, anchor, &scaling, &tr!("The scaling s, which follows from alpha."));
    }

    // Both together.
    if let Some(part) = &drawing.behind {
        let (why, values) = (explain(part), frame.get(Vector::Behind));
        picture.vector(sum, values, range(values), &why);
        picture.label(end + STRIP, middle - outputs / 2.0 - 4.0, "end", part.symbol, &why);
    }
    let (plus_x, plus_y) = (tenths(end - 18.0), tenths(middle));
    picture.svg.push_str(&["<circle class='sum' r='8' cx='", &plus_x, "' cy='", &plus_y, "'/>"].concat());
    picture.label(end - 18.0, middle + 4.0, "middle", "+", &tr!("Both ways are added."));
    picture.vector((right, middle, outputs), frame.get(Vector::Y), tokens, &tr!("y: what leaves the layer."));
    picture.ends(w, "end", "y", (middle, outputs), frame.get(Vector::Y));
    if let (Some(reads), Some((x, ..))) = (drawing.reads, gates) {
        picture.gate(drawing, frame, reads, [left, lower + all.adapter / 2.0, entry, x + 2.0 * gap - 8.0], rows[0]);
    }
    picture
}

impl Picture {
    /// From what every reading branch leaves to what every writing one takes up.
    fn gates(
        &mut self,
        part: &Part,
        values: &[f32],
        (x, rows): (f64, &[f64]),
        (columns, step): (f64, f64),
        (lower, tall): (f64, f64),
    ) {
        let shared = matches!(part.role, Role::Gates { shared: true });
        let is_roomy = !shared && rows.windows(2).all(|pair| pair[1] - pair[0] > 16.0);
        let mut taken = f64::NEG_INFINITY;
        for (at, &gate) in values.iter().enumerate() {
            let (i, j) = if shared { (at / part.cols, at % part.cols) } else { (at, at) };
            let y = rows[i];
            // A column that several share is reached at as many heights.
            let end = if shared { lower + tall * ((i as f64 + 0.5) / rows.len() as f64 - 0.5) } else { y };
            let middle = (x + columns) / 2.0;
            let class = match gate {
                0.0 => "gate off",
                gate if gate < 0.0 => "gate less",
                _ => "gate",
            };
            let gate = f64::from(gate);
            let width = (gate.abs() * GATE).clamp(1.0, 2.0 * GATE);
            let (wide, expert) = (tenths(width), at + 1);
            let why = tr!("Gate of expert {expert}: {gate}. Click to switch it off or on.", expert, gate = three(gate));
            let more = format!("stroke-width='{wide}' data-expert='{at}' data-why='{why}'");
            let way: [(&str, &[f64]); 3] =
                [("M", &[x, y]), ("C", &[middle, y, middle, end, columns, end]), ("H", &[columns + j as f64 * step])];
            self.stroke(class, &path(&way), &more);
            // A gate as wide as the next one's number would reach leaves that number to its explanation.
            let line = y - 3.0 - width / 2.0;
            if is_roomy && line - DIGIT > taken {
                let why = tr!("The expert’s gate for this token.");
                self.label_over(columns - 2.0, line, "end", &format!("{gate:.2}"), &why);
            }
            taken = y + width / 2.0;
        }
    }

    /// The gate's own network below, up to the gates.
    fn gate(
        &mut self,
        drawing: &Drawing,
        frame: &FlowFrame,
        reads: Reads,
        [left, above, entry, up]: [f64; 4],
        highest: f64,
    ) {
        let (mut x, mut y, mut height) = (left, above, 0.0);
        for (part, values) in drawing.gate.iter().zip(&frame.gate) {
            let is_first = part.cols == drawing.widths.inputs;
            if is_first {
                (x, y) = (left, y + height + TEXT + STRIP);
            }
            height = part.rows as f64 * entry;
            let width = part.cols as f64 * entry;
            if is_first {
                let read = match reads {
                    Reads::Token => "x".into(),
                    Reads::Sequence => tr!("mean of x"),
                    Reads::SoFar => tr!("mean so far"),
                };
                let text = tr!("{} reads {read}", part.symbol, read);
                self.label_over(x, y - STRIP - 2.0, "start", &text, &tr!("What the gate is made from."));
                self.tile(
                    [x, y - 6.0, width, READ],
                    frame.get(Vector::Read).len(),
                    frame.get(Vector::Read),
                    range(frame.get(Vector::Read)),
                    &why_of(&tr!("What the gate reads.")),
                );
            }
            self.tile([x, y, width, height], part.cols, values, range(values), &of(part.symbol, None, &explain(part)));
            x += width + 6.0;
        }
        let line = path(&[("M", &[x - 4.0, y + height / 2.0]), ("H", &[up.max(x + 2.0)]), ("V", &[highest])]);
        self.below("line", &line);
    }
}
