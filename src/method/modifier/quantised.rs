//! Factors whose entries are few values in the forward pass, and full precision where they are trained: one scale and
//! signs per matrix (BitNet, arXiv 2310.11453), or also zeros (arXiv 2402.17764). Gradients pass straight through.

use super::description::{Mark, Modifier};
use crate::args::{Setting, Settings};
use crate::graph::{Arena, PARAMS, Pass};
use crate::method::factors::Factors;
use crate::method::site::LayerSite;
use crate::op::quantise::{self, QUANTISE};

pub static QUANTISED: Modifier = Modifier {
    name: "quantised",
    applies_to: &["lora", "molora"],
    settings: &[Setting::choice(WEIGHTS, &["float", "ternary", "binary"]).explained(
        "weights",
        "Entries of A and B in the forward pass: as trained, or one scale per matrix times −1, 0, 1 (ternary) or −1, 1 (binary). Gradients pass straight through.",
    )],
    mark: |settings| match settings.choice(WEIGHTS) {
        "ternary" => Some(Mark::Before("ternary ")),
        "binary" => Some(Mark::Before("binary ")),
        _ => None,
    },
};

const WEIGHTS: &str = "weights";

/// Whether a method that may be quantised is.
pub fn is_on(settings: &Settings) -> bool {
    settings.get(WEIGHTS).is_some() && settings.choice(WEIGHTS) != "float"
}

/// Bytes of a factor of so many entries: f32 each; or one bit each, or log₂ 3 of them, and an f32 for the scale.
pub fn bytes(entries: usize, weights: &str) -> f64 {
    match weights {
        "ternary" => libm::log2(3.0) * entries as f64 / 8.0 + 4.0,
        "binary" => entries as f64 / 8.0 + 4.0,
        _ => 4.0 * entries as f64,
    }
}

/// Bytes of a factor of a lane with these settings.
pub fn stored(entries: usize, settings: &Settings) -> usize {
    // Whole bytes for each matrix.
    libm::ceil(bytes(entries, if is_on(settings) { settings.choice(WEIGHTS) } else { "float" })) as usize
}

/// Factors of (experts, rank) as the forward pass is to read them, and the pass that makes them; `None` where they are
/// read as they are trained.
pub fn quantised(
    from: Factors,
    settings: &Settings,
    (experts, rank): (usize, usize),
    place: &LayerSite,
    arena: &mut Arena,
) -> Option<(Factors, Pass)> {
    if !is_on(settings) {
        return None;
    }
    let made = from.read_from(arena.buffer(format!("{}.factors", place.name), from.elements()));
    let dims = quantise::Dims {
        experts: experts as u32,
        rank: rank as u32,
        slots: from.slots as u32,
        router: (from.down_rows - from.slots) as u32,
        inputs: from.inputs as u32,
        outputs: from.outputs as u32,
        real_inputs: place.inputs as u32,
        real_outputs: place.outputs as u32,
        a: from.a as u32,
        b: from.b as u32,
        ternary: (settings.choice(WEIGHTS) == "ternary").into(),
    };
    Some((made, QUANTISE.pass(dims, &[("params", PARAMS), ("factors", made.at)])))
}

/// Experts whose matrices a tensor of that name holds one behind the other, where its entries are few values.
fn of_few_values(settings: &Settings, key: &str) -> Option<usize> {
    (is_on(settings) && matches!(key, "lora_A" | "lora_B")).then(|| settings.maybe_whole("experts").unwrap_or(1))
}

/// A tensor of few values, as a file holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed {
    /// Eight signs a byte, the first lowest; or five digits of base 3, the first lowest: 0 for −1, 1 for 0, 2 for 1.
    pub digits: Vec<u8>,
    /// Of each expert's matrix.
    pub scales: Vec<f32>,
}

/// Base and digits of a byte.
fn digits(settings: &Settings) -> (u8, usize) {
    if settings.choice(WEIGHTS) == "ternary" { (3, 5) } else { (2, 8) }
}

/// What the forward pass reads of a tensor of that name and these values, which are trained in full precision; `None` where it
/// reads them as they are.
pub fn packed(settings: &Settings, key: &str, values: &[f32]) -> Option<Packed> {
    let experts = of_few_values(settings, key)?;
    let (base, each) = digits(settings);
    let (mut all, mut scales) = (Vec::with_capacity(values.len()), Vec::new());
    for own in values.chunks(values.len().div_ceil(experts).max(1)) {
        let count = own.len() as f64;
        let mean = own.iter().map(|&w| f64::from(w)).sum::<f64>() / count;
        let scale = own.iter().map(|&w| f64::from(w).abs()).sum::<f64>() / count;
        scales.push(scale as f32);
        all.extend(own.iter().map(|&w| match base {
            3 if f64::from(w).abs() <= 0.5 * scale => 1,
            3 => {
                if w > 0.0 {
                    2
                } else {
                    0
                }
            }
            _ => u8::from(f64::from(w) >= mean),
        }));
    }
    let byte = |digits: &[u8]| digits.iter().rev().fold(0, |byte, digit| base * byte + digit);
    Some(Packed { digits: all.chunks(each).map(byte).collect(), scales })
}

/// Values of a tensor of that name with so many entries that the forward pass reads as what was packed; `None` where nothing is
/// packed, or too little.
pub fn unpacked(settings: &Settings, key: &str, packed: &Packed, count: usize) -> Option<Vec<f32>> {
    let experts = of_few_values(settings, key)?;
    let (base, each) = digits(settings);
    let digit = |at: usize| packed.digits.get(at / each).map(|byte| byte / base.pow((at % each) as u32) % base);
    let entries: Vec<u8> = (0..count).map(digit).collect::<Option<_>>()?;
    let mut out = Vec::with_capacity(count);
    for (own, &scale) in entries.chunks(count.div_ceil(experts).max(1)).zip(&packed.scales) {
        let signs =
            || own.iter().map(|&digit| if base == 3 { f32::from(digit) - 1.0 } else { 2.0 * f32::from(digit) - 1.0 });
        // The scale that is read is the mean of all magnitudes, zeros among them.
        let share = signs().map(f32::abs).sum::<f32>() / own.len() as f32;
        out.extend(signs().map(|sign| if share == 0.0 { 0.0 } else { sign * scale / share }));
    }
    (out.len() == count).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::{LORA, Lane, MOLORA};
    use crate::rng::Rng;

    /// What the forward pass makes of these values (BitNet's formulas), one expert after the other.
    fn read(values: &[f32], weights: &str, experts: usize) -> Vec<f32> {
        values
            .chunks(values.len() / experts)
            .flat_map(|own| {
                let mean = own.iter().sum::<f32>() / own.len() as f32;
                let scale = own.iter().map(|w| w.abs()).sum::<f32>() / own.len() as f32;
                let read = move |w: &f32| match weights {
                    "ternary" => scale * (w / scale).round_ties_even().clamp(-1.0, 1.0),
                    _ => scale * (w - mean).signum(),
                };
                own.iter().map(read).collect::<Vec<_>>()
            })
            .collect()
    }

    #[test]
    fn what_is_unpacked_is_read_as_what_was_packed() {
        let mut rng = Rng::new(4, 1);
        let values: Vec<f32> = (0..3 * 37).map(|_| rng.normal() as f32).collect();
        for (weights, bytes) in [("binary", 14), ("ternary", 23)] {
            for (lane, experts) in [(Lane::from(&LORA), 1), (Lane::from(&MOLORA).with("experts", 3usize), 3)] {
                let settings = lane.with("weights", weights).settings;
                let packed = packed(&settings, "lora_A", &values).unwrap();
                assert_eq!((packed.digits.len(), packed.scales.len()), (bytes, experts));
                let back = unpacked(&settings, "lora_A", &packed, values.len()).unwrap();
                for (got, wanted) in read(&back, weights, experts).iter().zip(read(&values, weights, experts)) {
                    assert!((got - wanted).abs() < 1e-6, "{weights}: {got}, not {wanted}");
                }
                assert_eq!(unpacked(&settings, "lora_A", &packed, 200), None);
                assert_eq!(self::packed(&settings, "router", &values), None);
            }
        }
        assert_eq!(packed(&Lane::from(&LORA).settings, "lora_A", &values), None);
    }
}
