//! The two colour scales of the page: a diverging one for signed weights, neutral at zero, and a sequential one for
//! gates from 0 to 1. Both are safe for colour-blind eyes and have another form for the dark theme. Pure.

use crate::decimal::round_above;

/// Which scale a picture uses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// From `-range` (purple) through zero (the page's ground) to `+range` (orange).
    Diverging { range: f32 },
    /// From 0 (the page's ground) to 1.
    Unit,
}

type Rgb = [u8; 3];

const DIVERGING_LIGHT: [Rgb; 9] = [
    [0x3f, 0x1d, 0x70],
    [0x64, 0x4b, 0x9b],
    [0x93, 0x86, 0xbf],
    [0xc8, 0xc3, 0xdf],
    [0xf8, 0xf8, 0xf6],
    [0xfb, 0xd0, 0x9b],
    [0xe8, 0x9a, 0x42],
    [0xbd, 0x65, 0x11],
    [0x80, 0x3f, 0x08],
];
const DIVERGING_DARK: [Rgb; 9] = [
    [0xd9, 0xd2, 0xff],
    [0xac, 0x9d, 0xf0],
    [0x7c, 0x69, 0xc8],
    [0x45, 0x3b, 0x70],
    [0x1a, 0x1b, 0x1d],
    [0x62, 0x40, 0x18],
    [0xb3, 0x6d, 0x1c],
    [0xef, 0xa0, 0x42],
    [0xff, 0xd6, 0x9a],
];
const UNIT_LIGHT: [Rgb; 7] = [
    [0xf6, 0xf7, 0xf3],
    [0xd5, 0xec, 0xc4],
    [0x93, 0xd5, 0xbc],
    [0x4c, 0xb5, 0xc4],
    [0x22, 0x89, 0xb9],
    [0x20, 0x58, 0x9c],
    [0x0c, 0x25, 0x66],
];
const UNIT_DARK: [Rgb; 7] = [
    [0x1a, 0x1b, 0x1d],
    [0x17, 0x38, 0x5c],
    [0x1c, 0x62, 0x92],
    [0x2f, 0x93, 0xb0],
    [0x6c, 0xc0, 0xb4],
    [0xbd, 0xe2, 0xb0],
    [0xff, 0xff, 0xd6],
];

impl Scale {
    /// Opaque RGBA pixels of the values; what is not a number is mid-grey.
    pub fn paint(self, values: impl Iterator<Item = f32>, dark: bool) -> Vec<u8> {
        let table = self.table(dark);
        let last = (table.len() - 1) as f32;
        let mut pixels = Vec::with_capacity(values.size_hint().0 * 4);
        for value in values {
            let at = match self {
                Self::Diverging { range } if range > 0.0 => (value / range + 1.0) / 2.0,
                Self::Diverging { .. } => 0.5,
                Self::Unit => value,
            };
            let [r, g, b] = match at.is_nan() {
                true => [0x80; 3],
                false => table[(at.clamp(0.0, 1.0) * last).round() as usize],
            };
            pixels.extend_from_slice(&[r, g, b, 0xff]);
        }
        pixels
    }

    /// The colour of one value.
    pub fn colour(self, value: f32, dark: bool) -> [u8; 3] {
        let pixel = self.paint(std::iter::once(value), dark);
        [pixel[0], pixel[1], pixel[2]]
    }

    /// Black or white, whichever is easier to read on a colour.
    pub fn ink_on(colour: [u8; 3]) -> &'static str {
        // Where both stand equally far off, by WCAG's ratio (L + 0.05) between them.
        if luminance(colour) > 0.179 { "#000" } else { "#fff" }
    }

    fn table(self, dark: bool) -> Vec<Rgb> {
        let stops: &[Rgb] = match (self, dark) {
            (Self::Diverging { .. }, false) => &DIVERGING_LIGHT,
            (Self::Diverging { .. }, true) => &DIVERGING_DARK,
            (Self::Unit, false) => &UNIT_LIGHT,
            (Self::Unit, true) => &UNIT_DARK,
        };
        let steps = 256;
        (0..=steps)
            .map(|i| {
                let at = i as f32 / steps as f32 * (stops.len() - 1) as f32;
                let low = (at as usize).min(stops.len() - 2);
                let part = at - low as f32;
                std::array::from_fn(|c| {
                    let (a, b) = (f32::from(stops[low][c]), f32::from(stops[low + 1][c]));
                    (a + (b - a) * part).round() as u8
                })
            })
            .collect()
    }
}

/// Relative luminance, WCAG 2.
fn luminance(colour: [u8; 3]) -> f64 {
    let linear = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { libm::pow((part + 0.055) / 1.055, 2.4) }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

/// The end of a symmetric scale for values up to `value`: near it, and steady while weights move.
pub fn range_for(value: f64) -> f64 {
    let above = round_above(value);
    let finer = [0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0].map(|part| part * above);
    finer.into_iter().find(|&n| n >= value).unwrap_or(above)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_the_ground_in_both_themes() {
        for dark in [false, true] {
            let zero = Scale::Diverging { range: 2.0 }.paint([0.0].into_iter(), dark);
            let ground = if dark { DIVERGING_DARK[4] } else { DIVERGING_LIGHT[4] };
            assert_eq!(zero[..3], ground);
        }
    }

    #[test]
    fn ends_and_beyond_are_clamped() {
        let scale = Scale::Diverging { range: 1.0 };
        let pixels = scale.paint([-5.0, -1.0, 1.0, 5.0].into_iter(), false);
        assert_eq!(pixels[0..3], DIVERGING_LIGHT[0]);
        assert_eq!(pixels[0..8], [&pixels[0..4], &pixels[0..4]].concat());
        assert_eq!(pixels[8..11], DIVERGING_LIGHT[8]);
        assert_eq!(pixels[12..15], DIVERGING_LIGHT[8]);
    }

    #[test]
    fn lightness_of_the_gate_scale_is_monotonic() {
        let light = |p: &[u8]| 0.21 * f64::from(p[0]) + 0.72 * f64::from(p[1]) + 0.07 * f64::from(p[2]);
        for dark in [false, true] {
            let pixels = Scale::Unit.paint((0..=20).map(|i| i as f32 / 20.0), dark);
            let lights: Vec<f64> = pixels.chunks(4).map(light).collect();
            assert!(lights.windows(2).all(|w| (w[1] > w[0]) == dark), "{lights:?}");
        }
    }

    #[test]
    fn text_can_be_read_on_every_colour() {
        for dark in [false, true] {
            for scale in [Scale::Unit, Scale::Diverging { range: 1.0 }] {
                for value in (-20..=20).map(|i| i as f32 / 20.0) {
                    let ground = scale.colour(value, dark);
                    let ink = if Scale::ink_on(ground) == "#000" { 0.0 } else { 1.0 };
                    let (a, b) = (luminance(ground) + 0.05, ink + 0.05);
                    assert!(f64::max(a / b, b / a) >= 4.5, "{value} {ground:?}");
                }
            }
        }
    }

    #[test]
    fn a_range_holds_its_values_without_waste() {
        for value in [0.0031, 0.11, 0.31, 0.5, 0.51, 0.99, 1.01, 7.3] {
            let range = range_for(value);
            assert!(range >= value && range < 1.7 * value, "{value}: {range}");
        }
    }
}
