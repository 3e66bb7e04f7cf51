//! What the drawing of a lane consists of: bands, lines, words and heatmaps, as SVG's text. Knows nothing of lanes.

use super::words::length;
use crate::decimal::tenths;
use crate::lang::tr;
use crate::view::format::three;

/// Width of a vector.
pub const STRIP: f64 = 8.0;

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
pub type End = (f64, f64, f64);

pub fn path(commands: &[(&str, &[f64])]) -> String {
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
    pub fn band(&mut self, class: &str, (x0, y0, h0): End, (x1, y1, h1): End, bent: bool) {
        let (near, far) = if bent { ((x0 + x1) / 2.0, (x0 + x1) / 2.0) } else { (x0, x1) };
        let (a, b, c, d) = (y0 - h0 / 2.0, y1 - h1 / 2.0, y1 + h1 / 2.0, y0 + h0 / 2.0);
        let there = ("C", &[near, a, far, b, x1, b, x1, c, x1, c, x1, c, far, c, near, d, x0, d][..]);
        self.stroke(class, &path(&[("M", &[x0, a]), there]), "");
    }

    pub fn stroke(&mut self, class: &str, path: &str, more: &str) {
        self.svg.push_str(&["<path class='", class, "' d='", path, "' ", more, "/>"].concat());
    }

    pub fn label(&mut self, x: f64, y: f64, anchor: &str, text: &str, why: &str) {
        let (x, y) = (tenths(x), tenths(y));
        let all = ["<text x='", &x, "' y='", &y, "' text-anchor='", anchor, "' data-why='", why, "'>", text, "</text>"];
        self.svg.push_str(&all.concat());
    }

    /// Words on what lies below them, which they hide.
    pub fn label_over(&mut self, x: f64, y: f64, anchor: &str, text: &str, why: &str) {
        self.svg.push_str("<g class='over'>");
        self.label(x, y, anchor, text, why);
        self.svg.push_str("</g>");
    }

    /// A line below all else.
    pub fn below(&mut self, class: &str, path: &str) {
        self.svg.insert_str(0, &["<path class='", class, "' d='", path, "'/>"].concat());
    }

    /// The length of a vector behind a word.
    pub fn length(&mut self, x: f64, y: f64, anchor: &str, word: &str, values: &[f32]) {
        let text = [word, &three(length(values))].concat();
        self.label(x, y, anchor, &text, &tr!("Length of this vector: the root of the sum of its squared entries."));
    }

    /// Above and below a vector at an edge of the picture.
    pub fn ends(&mut self, x: f64, anchor: &str, name: &str, (middle, tall): (f64, f64), values: &[f32]) {
        self.label(x, middle - tall / 2.0 - 4.0, anchor, name, "");
        self.label(x, middle + tall / 2.0 + 12.0, anchor, &["‖", name, "‖"].concat(), "");
        self.length(x, middle + tall / 2.0 + 28.0, anchor, "", values);
    }

    /// A heatmap, with what the page is told of it.
    pub fn tile(&mut self, place: [f64; 4], cols: usize, values: &[f32], range: f32, told: &str) {
        self.svg.push_str("<rect");
        for (name, &number) in [" x='", "' y='", "' width='", "' height='"].iter().zip(&place) {
            self.svg.push_str(&[name, &*tenths(number)].concat());
        }
        self.svg.push_str(&["' ", told, "/>"].concat());
        self.tiles.push(Tile { place, cols, values: values.to_vec(), range });
    }

    /// An upright vector.
    pub fn vector(&mut self, (x, middle, height): End, values: &[f32], range: f32, why: &str) {
        self.tile([x, middle - height / 2.0, STRIP, height], 1, values, range, &why_of(why));
    }
}

/// What explains a thing, as an attribute.
pub fn why_of(why: &str) -> String {
    ["data-why='", why, "'"].concat()
}
