//! Where everything stands in the drawing of a lane's way through a layer: heatmaps to one scale, bands as wide as what they
//! carry has entries, gates as wide as they are. SVG as text, and the heatmaps for a canvas over it. Pure; it knows neither
//! the page nor which method it draws.

#[cfg(test)]
mod tests;
mod words;

pub use words::table;

use words::{explain, name};

use super::{format::three, scale::range_for};
use crate::decimal::tenths;
use crate::lang::tr;
use crate::method::description::Reads;
use crate::method::drawing::{Drawing, Part, Role};
use crate::protocol::{FlowFrame, Vector};

/// Width of a vector, height of a line of text, and room between two things: less below this width.
const STRIP: f64 = 8.0;
const TEXT: f64 = 16.0;
const GAPS: [f64; 2] = [12.0, 24.0];
const WIDE: f64 = 440.0;
/// Advance of a letter.
const LETTER: f64 = 7.3;
/// Edge of a matrix's entry where there is room for it.
const ENTRY: f64 = 12.0;
/// Height of what a gate reads.
const READ: f64 = 4.0;
/// Width of a gate of 1.
const GATE: f64 = 10.0;

/// A heatmap: left, top, width and height, and its numbers, row by row.
pub struct Tile {
    pub place: [f64; 4],
    pub cols: usize,
    pub values: Vec<f32>,
    pub range: f32,
}

#[derive(Default)]
pub struct Picture {
    pub svg: String,
    pub tiles: Vec<Tile>,
}

/// Where a band ends: from the left, its middle from the top, and its width.
type End = (f64, f64, f64);

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

/// The length of a vector.
pub fn length(values: &[f32]) -> f64 {
    libm::sqrt(values.iter().map(|&v| f64::from(v) * f64::from(v)).sum())
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
    let own = match part.role {
        Role::Gates { .. } => return 2.0 * room.gap,
        Role::Reads => part.cols as f64 * room.entry,
        Role::Writes => extent(part.cols, room.entry, part.branches, room.apart.1),
        _ => STRIP,
    };
    // Where there is little room, a name may stand over the next gap.
    let named = if room.is_wide { LETTER * name(part).chars().count() as f64 - room.gap } else { 0.0 };
    own.max(named) + STRIP + room.gap
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

fn path(commands: &[(&str, &[f64])]) -> String {
    let mut path = String::new();
    for (command, numbers) in commands {
        path.push_str(command);
        for &number in *numbers {
            path.push_str(&tenths(number));
            path.push(' ');
        }
    }
    path
}

impl Picture {
    /// From one upright edge to another; `bent`, it leaves and arrives level.
    fn band(&mut self, class: &str, (x0, y0, h0): End, (x1, y1, h1): End, bent: bool) {
        let (near, far) = if bent { ((x0 + x1) / 2.0, (x0 + x1) / 2.0) } else { (x0, x1) };
        let (a, b, c, d) = (y0 - h0 / 2.0, y1 - h1 / 2.0, y1 + h1 / 2.0, y0 + h0 / 2.0);
        let there = ("C", &[near, a, far, b, x1, b, x1, c, x1, c, x1, c, far, c, near, d, x0, d][..]);
        self.stroke(class, &path(&[("M", &[x0, a]), there]), "");
    }

    fn stroke(&mut self, class: &str, path: &str, more: &str) {
        self.svg.push_str(&["<path class='", class, "' d='", path, "' ", more, "/>"].concat());
    }

    fn label(&mut self, x: f64, y: f64, anchor: &str, text: &str, why: &str) {
        let (x, y) = (tenths(x), tenths(y));
        let all = ["<text x='", &x, "' y='", &y, "' text-anchor='", anchor, "' data-why='", why, "'>", text, "</text>"];
        self.svg.push_str(&all.concat());
    }

    /// The length of a vector behind a word.
    fn length(&mut self, x: f64, y: f64, anchor: &str, word: &str, values: &[f32]) {
        let text = [word, &three(length(values))].concat();
        self.label(x, y, anchor, &text, &tr!("Length of this vector: the root of the sum of its squared entries."));
    }

    /// Above and below a vector at an edge of the picture.
    fn ends(&mut self, x: f64, anchor: &str, name: &str, (middle, tall): (f64, f64), values: &[f32]) {
        self.label(x, middle - tall / 2.0 - 4.0, anchor, name, "");
        self.label(x, middle + tall / 2.0 + 12.0, anchor, &["‖", name, "‖"].concat(), "");
        self.length(x, middle + tall / 2.0 + 28.0, anchor, "", values);
    }

    fn tile(&mut self, place: [f64; 4], cols: usize, values: &[f32], range: f32, why: &str) {
        self.svg.push_str("<rect");
        for (name, &number) in [" x='", "' y='", "' width='", "' height='"].iter().zip(&place) {
            self.svg.push_str(&[name, &*tenths(number)].concat());
        }
        self.svg.push_str(&["' data-why='", why, "'/>"].concat());
        self.tiles.push(Tile { place, cols, values: values.to_vec(), range });
    }

    /// An upright vector.
    fn vector(&mut self, (x, middle, height): End, values: &[f32], range: f32, why: &str) {
        self.tile([x, middle - height / 2.0, STRIP, height], 1, values, range, why);
    }
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
    picture.tile([left, TEXT, inputs, outputs], drawing.widths.inputs, weight, range(weight), why);
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
                    picture.tile([x, y - height / 2.0, width, height], part.cols, values, own, &why);
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
                    picture.tile([column, lower - outputs / 2.0, width, outputs], part.cols, values, own, &why);
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
        if !is_gates {
            picture.label(x, above - 4.0, "start", &name(part), &why);
        }
        x += advance(part, &all);
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
            if is_roomy {
                self.label(
                    x + 2.0,
                    y - 3.0 - width / 2.0,
                    "start",
                    &format!("{gate:.2}"),
                    &tr!("The expert’s gate for this token."),
                );
            }
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
                self.label(x, y - STRIP - 2.0, "start", &text, &tr!("What the gate is made from."));
                self.tile(
                    [x, y - 6.0, width, READ],
                    frame.get(Vector::Read).len(),
                    frame.get(Vector::Read),
                    range(frame.get(Vector::Read)),
                    &tr!("What the gate reads."),
                );
            }
            self.tile([x, y, width, height], part.cols, values, range(values), &explain(part));
            x += width + 6.0;
        }
        let line = path(&[("M", &[x - 4.0, y + height / 2.0]), ("H", &[up.max(x + 2.0)]), ("V", &[highest])]);
        self.stroke("line", &line, "");
    }
}
