//! What a gate tells about two sensors, from what it does on the probe. Pure.

use crate::inspect::told::{shares_tell, told};
use crate::protocol::GateFrame;
use crate::tensor::argmax;

/// Of one lane's layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Tells {
    /// Mean gate of the left sensor's token and of the right one's where both are there, `[experts]` each; nothing where
    /// both are inputs of one row.
    pub by_sensor: Option<[Vec<f64>; 2]>,
    /// Bits that such a gate tells about which sensor a token is of, of 1.
    pub sensor: Option<f64>,
    /// Bits that the leading expert tells about what is missing.
    pub missing: f64,
}

/// `sequence`: tokens of an image. The first domain is that in which both sensors are there.
pub fn tells(frame: &GateFrame, sequence: usize) -> Tells {
    let rows: Vec<&[f32]> = frame.tokens.chunks_exact(frame.experts.max(1)).collect();
    let leaders: Vec<usize> = rows.iter().map(|row| argmax(*row)).collect();
    let mean = |place: usize| {
        let own = || {
            let all = rows.iter().zip(&frame.token_domains).enumerate();
            all.filter(move |&(at, (_, &domain))| domain == 0 && at % sequence == place)
        };
        let count = own().count().max(1) as f64;
        let mut mean = vec![0.0; frame.experts];
        for (_, (row, _)) in own() {
            mean.iter_mut().zip(*row).for_each(|(m, &gate)| *m += f64::from(gate) / count);
        }
        mean
    };
    let by_sensor = (sequence == 2).then(|| [mean(0), mean(1)]);
    let sensor = by_sensor.as_ref().map(|means| shares_tell(means));
    Tells { sensor, by_sensor, missing: told(&leaders, &frame.token_domains) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(tokens: Vec<f32>, token_domains: Vec<usize>) -> GateFrame {
        GateFrame {
            lane: 0,
            layer: 0,
            experts: 2,
            token_domains,
            tokens,
            mean: vec![0.5; 2],
            domains: vec![],
            parts: None,
            utilisation: vec![],
            entropy: 0.0,
            ablation: None,
        }
    }

    /// The first expert reads the left sensor, the second the right one: 300 images in each of three patterns.
    #[test]
    fn an_expert_for_each_sensor_tells_which_and_much_of_what_is_missing() {
        let (left, right) = ([1.0, 0.0], [0.0, 1.0]);
        let patterns = [[left, right], [left, left], [right, right]];
        let tokens = patterns.iter().flat_map(|pattern| pattern.concat().repeat(300)).collect();
        let domains = (0..3).flat_map(|domain| [domain; 600]).collect();
        let tells = tells(&frame(tokens, domains), 2);
        let near = |got: f64, expected: f64| (got - expected).abs() < 1e-9;
        let [of_left, of_right] = tells.by_sensor.unwrap();
        assert!(near(tells.sensor.unwrap(), 1.0) && near(of_left[0], 1.0) && near(of_right[1], 1.0));
        // The leader is even over all tokens, and certain in two of three patterns: 1 − 1/3 of a bit.
        assert!((tells.missing - 2.0 / 3.0).abs() < 2e-3, "{}", tells.missing);
    }

    #[test]
    fn one_row_has_no_token_of_a_sensor() {
        let tells = tells(&frame([0.5, 0.5].repeat(60), [0, 1].repeat(30)), 1);
        assert_eq!((tells.sensor, tells.missing), (None, 0.0));
    }
}
