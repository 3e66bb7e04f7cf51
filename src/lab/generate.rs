//! Text that goes on from a prompt, token by token, on the CPU beside whatever trains: a lane's parameters as they were when
//! it began, or the base alone. Knows nothing of who reads it.

use super::Lab;
use super::forward::{Forward, probabilities};
use crate::config::Lane;
use crate::error::{Error, Result};
use crate::graph::PARAMS;
use crate::order::falling;
use crate::rng::Rng;
use crate::task::text::Tokenizer;

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Logits are divided by it; 0 takes the most probable token.
    pub temperature: f64,
    /// Only the most probable tokens that together have at least this share are drawn from.
    pub top_p: f64,
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 1.0, top_p: 1.0, seed: 1 }
    }
}

/// A text under way.
pub struct Generation {
    forward: Forward,
    params: Vec<f32>,
    tokenizer: Tokenizer,
    sampling: Sampling,
    rng: Rng,
    /// The token that marks the beginning, the prompt, and what was drawn.
    tokens: Vec<u32>,
    written: usize,
    /// Bytes of a character that is not whole yet.
    pending: Vec<u8>,
}

impl Lab {
    /// Begins a text after `prompt`.
    ///
    /// # Errors
    /// `Error::Missing` where there is no such lane, `Error::Data` where the task is no text, or `top_p` or `temperature` out
    /// of range.
    pub async fn generate(
        &self,
        lane: Option<usize>,
        prompt: &str,
        tokenizer: &Tokenizer,
        sampling: Sampling,
    ) -> Result<Generation> {
        let bad = |what: &str, expected: &str, got: f64| {
            Err(Error::Data { what: what.into(), expected: expected.into(), got: got.to_string() })
        };
        if !(sampling.temperature >= 0.0 && sampling.temperature.is_finite()) {
            return bad("temperature", "a number of at least 0", sampling.temperature);
        }
        if !(sampling.top_p > 0.0 && sampling.top_p <= 1.0) {
            return bad("topP", "a number above 0, up to 1", sampling.top_p);
        }
        if self.task.spare == 0 {
            let (expected, got) = ("task \"text\"".into(), format!("\"{}\"", self.config.task.kind()));
            return Err(Error::Data { what: "generate".into(), expected, got });
        }
        let (own, params) = match lane {
            None => (Lane::base(), Vec::new()),
            Some(lane) => {
                self.check_lane(lane)?;
                (self.lanes[lane].lane.clone(), self.read_one(lane, PARAMS).await?)
            }
        };
        let mut forward = Forward::new(&self.task, vec![0.0; self.task.sequence], self.task.sequence);
        forward.set_lane(0, &own, &self.config.optimizer);
        let tokens = std::iter::once(tokenizer.begin()).chain(tokenizer.encode(prompt)).collect();
        let rng = Rng::new(sampling.seed, 0);
        Ok(Generation {
            forward,
            params,
            tokenizer: tokenizer.clone(),
            sampling,
            rng,
            tokens,
            written: 0,
            pending: Vec::new(),
        })
    }
}

impl Generation {
    /// Tokens drawn so far.
    pub fn written(&self) -> usize {
        self.written
    }

    /// The next token's text: whole characters, and nothing while one is not whole.
    pub fn next_text(&mut self) -> String {
        let window = self.forward.rows();
        // A passage begins with the token that marks it; of a long text its end is read.
        let seen: Vec<u32> = match self.tokens.len() {
            all if all <= window => self.tokens.clone(),
            all => std::iter::once(self.tokens[0]).chain(self.tokens[all - window + 1..].iter().copied()).collect(),
        };
        let mut x = vec![0.0; window];
        x.iter_mut().zip(&seen).for_each(|(x, &token)| *x = token as f32);
        self.forward.set_x(&x);
        let output = self.forward.run(0, &self.params).output;
        let width = output.len() / window;
        let logits = &output[(seen.len() - 1) * width..seen.len() * width];
        let token = draw(logits, self.sampling, &mut self.rng);
        self.tokens.push(token);
        self.written += 1;
        self.pending.extend(self.tokenizer.bytes_of(token));
        self.whole_characters()
    }

    /// Takes what is whole; bytes that can begin no character become U+FFFD.
    fn whole_characters(&mut self) -> String {
        let mut out = String::new();
        loop {
            match std::str::from_utf8(&self.pending) {
                Ok(text) => {
                    out.push_str(text);
                    self.pending.clear();
                    return out;
                }
                Err(error) => {
                    let valid = error.valid_up_to();
                    out.push_str(&String::from_utf8_lossy(&self.pending[..valid]));
                    self.pending.drain(..valid);
                    let Some(bad) = error.error_len() else { return out };
                    out.push('\u{FFFD}');
                    self.pending.drain(..bad);
                }
            }
        }
    }
}

/// A token by its probability, among the most probable that have `top_p` together.
fn draw(logits: &[f32], sampling: Sampling, rng: &mut Rng) -> u32 {
    let order = falling(logits);
    if sampling.temperature == 0.0 {
        return order[0] as u32;
    }
    let cooled: Vec<f32> = logits.iter().map(|&logit| (f64::from(logit) / sampling.temperature) as f32).collect();
    let shares = probabilities(&cooled);
    let mut kept = 0.0;
    let count = 1 + order
        .iter()
        .position(|&token| {
            kept += shares[token];
            kept >= sampling.top_p
        })
        .unwrap_or(order.len() - 1);
    let nucleus = &order[..count];
    let mut left = rng.uniform(0.0, nucleus.iter().map(|&token| shares[token]).sum());
    for &token in nucleus {
        left -= shares[token];
        if left < 0.0 {
            return token as u32;
        }
    }
    nucleus[count - 1] as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_tokens_are_of_the_nucleus() {
        // Shares 0.64, 0.24, 0.09, 0.03.
        let logits = [0.0, 3.0, 2.0, 1.0].map(|v: f32| v);
        let drawn = |temperature, top_p| {
            let mut rng = Rng::new(1, 1);
            let mut counts = [0; 4];
            for _ in 0..2000 {
                counts[draw(&logits, Sampling { temperature, top_p, seed: 1 }, &mut rng) as usize] += 1;
            }
            counts
        };
        assert_eq!(drawn(0.0, 1.0), [0, 2000, 0, 0]);
        assert_eq!(drawn(1.0, 0.5), [0, 2000, 0, 0]);
        let [none, first, second, third] = drawn(1.0, 0.9);
        assert!(none == 0 && third > 0, "{third}");
        let share = f64::from(first) / f64::from(first + second + third);
        assert!((share - 0.665).abs() < 0.04, "{share}");
    }
}
