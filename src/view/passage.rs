//! Numbers of a passage by its characters: what each cost, who led, what was expected. Pure.

use crate::protocol::text::{PassageFrame, PassageGates, Read};

/// Languages written from right to left.
const RIGHT_TO_LEFT: [&str; 3] = ["arb", "heb", "pes_1"];
/// Gates of a token that are told.
const TOLD: usize = 3;

/// Which way its text runs; what is typed in tells by itself.
pub fn direction(code: Option<&str>) -> &'static str {
    match code {
        None => "auto",
        Some(code) if RIGHT_TO_LEFT.contains(&code) => "rtl",
        Some(_) => "ltr",
    }
}

/// First token of each character, and how many it has.
pub fn places(frame: &PassageFrame) -> Vec<(usize, usize)> {
    let place = |first: &mut usize, &(_, count): &(String, usize)| {
        *first += count;
        Some((*first - count, count))
    };
    frame.characters.iter().scan(0, place).collect()
}

/// Bits that a character cost.
pub fn bits(read: &Read, (first, count): (usize, usize)) -> f32 {
    read.bits.iter().skip(first).take(count).sum()
}

/// Mean over the whole passage.
pub fn mean_bits(read: &Read) -> f32 {
    read.bits.iter().sum::<f32>() / read.bits.len().max(1) as f32
}

/// The expert with the largest gate when the token was predicted, and that gate.
pub fn leading(gates: &PassageGates, token: usize) -> Option<(usize, f32)> {
    let own = gates.values.chunks(gates.experts.max(1)).nth(token)?;
    own.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))
}

/// What was expected at a token: "e 31 % · a 12 %".
pub fn expected(read: &Read, token: usize) -> String {
    let all = read.expected.get(token).map_or(&[][..], Vec::as_slice);
    let one = |(text, share): &(String, f32)| {
        let text = match text.as_str() {
            // Few typefaces have these signs.
            "␠" => "space",
            "␤" => "newline",
            text => text,
        };
        match share {
            share if *share < 0.01 => format!("{text} <1 %"),
            share => format!("{text} {:.0} %", 100.0 * share),
        }
    };
    all.iter().map(one).collect::<Vec<_>>().join(" · ")
}

/// The largest gates at a token: "2: 0.80 · 1: 0.20".
pub fn gates(gates: &PassageGates, token: usize) -> String {
    let own = gates.values.chunks(gates.experts.max(1)).nth(token).unwrap_or_default();
    let mut all: Vec<(usize, f32)> = own.iter().copied().enumerate().collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    let one = |(expert, gate): &(usize, f32)| format!("{}: {gate:.2}", expert + 1);
    all.iter().take(TOLD).map(one).collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::text::{Look, Passage};

    #[test]
    fn a_character_costs_what_its_bytes_cost() {
        let frame = PassageFrame {
            look: Look { passage: Passage::Typed("aé".into()), site: 0 },
            step: 3,
            characters: vec![("a".into(), 1), ("é".into(), 2)],
            base: Read {
                bits: vec![1.0, 2.0, 0.5],
                expected: vec![vec![("b".into(), 0.25), ("␠".into(), 0.125), ("c".into(), 0.001)]; 3],
            },
            lanes: vec![],
            gates: vec![PassageGates { lane: 0, experts: 2, values: vec![0.25, 0.75, 1.0, 0.0, 0.5, 0.5] }],
        };
        assert_eq!(places(&frame), [(0, 1), (1, 2)]);
        assert_eq!(bits(&frame.base, (1, 2)), 2.5);
        assert_eq!(mean_bits(&frame.base), 3.5 / 3.0);
        assert_eq!(expected(&frame.base, 0), "b 25 % · space 12 % · c <1 %");
        assert_eq!(leading(&frame.gates[0], 1), Some((0, 1.0)));
        assert_eq!(gates(&frame.gates[0], 0), "2: 0.75 · 1: 0.25");
        assert_eq!(leading(&frame.gates[0], 3), None);
    }

    #[test]
    fn text_runs_its_own_way() {
        assert_eq!([direction(None), direction(Some("heb")), direction(Some("rus"))], ["auto", "rtl", "ltr"]);
    }
}
