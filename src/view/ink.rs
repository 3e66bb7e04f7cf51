//! A digit being drawn: a 32×32 bitmap under the pen, reduced to the 8×8 counts that the digits of the data set are
//! made of. Knows nothing of pointers or of what is made of the drawing.

/// Side of the bitmap; the data set counts ink in blocks of 4×4 of it.
pub const SIDE: usize = 32;
/// Side of the reduced picture.
pub const CELLS: usize = 8;
const BLOCK: usize = SIDE / CELLS;
/// Radius of the pen in bitmap pixels: about the stroke width of the data set.
const PEN: f64 = 1.9;

#[derive(Clone, Debug, PartialEq)]
pub struct Ink {
    bits: Vec<bool>,
}

impl Default for Ink {
    fn default() -> Self {
        Self { bits: vec![false; SIDE * SIDE] }
    }
}

impl Ink {
    pub fn is_empty(&self) -> bool {
        !self.bits.contains(&true)
    }

    pub fn bits(&self) -> &[bool] {
        &self.bits
    }

    /// Draws a straight stroke between two points given in bitmap pixels.
    pub fn stroke(&mut self, from: (f64, f64), to: (f64, f64)) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        let dabs = (length * 2.0).ceil().max(1.0) as usize;
        for dab in 0..=dabs {
            let part = dab as f64 / dabs as f64;
            self.dab(from.0 + dx * part, from.1 + dy * part);
        }
    }

    fn dab(&mut self, x: f64, y: f64) {
        for row in 0..SIDE {
            for col in 0..SIDE {
                let (cx, cy) = (col as f64 + 0.5, row as f64 + 0.5);
                if (cx - x).hypot(cy - y) <= PEN {
                    self.bits[row * SIDE + col] = true;
                }
            }
        }
    }

    /// The drawing as the data set has it: moved to the middle and scaled so that it fills the height, then ink
    /// counted in each 4×4 block. `[8, 8]` row-major, 0 (paper) to 16 (ink); `None` when nothing is drawn.
    pub fn cells(&self) -> Option<Vec<f32>> {
        let (top, bottom) = self.extent(|row, k| self.bits[row * SIDE + k])?;
        let (left, right) = self.extent(|col, k| self.bits[k * SIDE + col])?;
        let size = (bottom - top + 1).max(right - left + 1) as f64;
        let scale = size / SIDE as f64;
        let centre = |a: usize, b: usize| (a + b + 1) as f64 / 2.0;
        let (cx, cy) = (centre(left, right), centre(top, bottom));
        let mut cells = vec![0.0; CELLS * CELLS];
        for row in 0..SIDE {
            for col in 0..SIDE {
                let at = |k: usize, c: f64| (c + (k as f64 + 0.5 - SIDE as f64 / 2.0) * scale).floor();
                let (x, y) = (at(col, cx), at(row, cy));
                let inside = |v: f64| (0.0..SIDE as f64).contains(&v);
                if inside(x) && inside(y) && self.bits[y as usize * SIDE + x as usize] {
                    cells[row / BLOCK * CELLS + col / BLOCK] += 1.0;
                }
            }
        }
        Some(cells)
    }

    /// First and last line (row or column) that has ink.
    fn extent(&self, ink: impl Fn(usize, usize) -> bool) -> Option<(usize, usize)> {
        let has = |line: &usize| (0..SIDE).any(|k| ink(*line, k));
        Some(((0..SIDE).find(has)?, (0..SIDE).rev().find(has)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paper_is_nothing() {
        assert_eq!(Ink::default().cells(), None);
    }

    #[test]
    fn a_drawing_is_centred_and_fills_the_height() {
        let mut ink = Ink::default();
        ink.stroke((5.0, 4.0), (5.0, 14.0));
        let cells = ink.cells().expect("there is ink");
        assert_eq!(cells.len(), 64);
        assert!(cells.iter().all(|&c| (0.0..=16.0).contains(&c)));
        for row in 0..8 {
            let line = &cells[row * 8..][..8];
            assert!(line[3] + line[4] > 8.0, "row {row}: {line:?}");
            assert_eq!(line[0] + line[7], 0.0, "row {row}: {line:?}");
        }
        let (left, right): (f32, f32) =
            (0..8).fold((0.0, 0.0), |(l, r), row| (l + cells[row * 8 + 3], r + cells[row * 8 + 4]));
        assert!((left - right).abs() <= 8.0, "centred: {left} {right}");
    }

    #[test]
    fn full_ink_is_sixteen_everywhere() {
        let ink = Ink { bits: vec![true; SIDE * SIDE] };
        assert_eq!(ink.cells(), Some(vec![16.0; 64]));
    }
}
