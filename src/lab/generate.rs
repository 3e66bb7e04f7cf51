//! Text that goes on from a prompt, token by token, on the CPU beside whatever trains: a lane's parameters as they were when
//! it began, or the base alone. What was read is kept, so that a token costs one block of tokens and not the whole text. Knows
//! nothing of who reads it.

use super::Lab;
use super::continued::Continued;
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

/// What says what follows.
enum Reader {
    Continued(Box<Continued>),
    /// All of it anew for every token, by a lane whose gates look at all of it, with its parameters.
    Anew(Box<Forward>, Vec<f32>),
}

/// A text under way.
pub struct Generation {
    reader: Reader,
    /// Tokens that it reads at most.
    window: usize,
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
        let window = self.task.sequence;
        let reader = if own.reads_ahead().is_some() {
            let mut forward = Forward::new(&self.task, vec![0.0; window], window);
            forward.set_lane(0, &own, &self.config.optimizer);
            Reader::Anew(Box::new(forward), params)
        } else {
            Reader::Continued(Box::new(Continued::new(&self.task, &own, &params)))
        };
        let tokens = std::iter::once(tokenizer.begin()).chain(tokenizer.encode(prompt)).collect();
        let rng = Rng::new(sampling.seed, 0);
        Ok(Generation {
            reader,
            window,
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

    /// What was drawn.
    pub fn drawn(&self) -> &[u32] {
        &self.tokens[self.tokens.len() - self.written..]
    }

    /// The tokens that what follows is told from. A passage begins with the token that marks it; of a long text its end is read,
    /// which moves on by half a passage at a time: where it begins elsewhere, all of it has to be read anew.
    fn seen(&self) -> Vec<u32> {
        let (all, step) = (self.tokens.len(), (self.window / 2).max(1));
        let left_out = all.saturating_sub(self.window).next_multiple_of(step);
        std::iter::once(self.tokens[0]).chain(self.tokens[1 + left_out..].iter().copied()).collect()
    }

    /// Logits of what follows.
    fn logits(&mut self) -> Vec<f32> {
        let seen = self.seen();
        match &mut self.reader {
            Reader::Continued(continued) => continued.logits(&seen),
            Reader::Anew(forward, params) => {
                let mut x = vec![0.0; self.window];
                x.iter_mut().zip(&seen).for_each(|(x, &token)| *x = token as f32);
                forward.set_x(&x);
                let output = forward.run(0, params).output;
                let width = output.len() / self.window;
                output[(seen.len() - 1) * width..seen.len() * width].to_vec()
            }
        }
    }

    /// The next token's text: whole characters, and nothing while one is not whole.
    pub fn next_text(&mut self) -> String {
        let logits = self.logits();
        let token = draw(&logits, self.sampling, &mut self.rng);
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
    use crate::config::{Config, Task};
    use crate::task::UNCOUNTED;
    use crate::task::text::{Passages, small};
    use pollster::block_on;

    /// Lanes that keep what they read, and one that cannot, go on as if each read all of it anew, beyond the end of a passage.
    #[test]
    fn what_was_read_is_kept() {
        kept(["lora.r4.lr0.02", "molora.n3.r2", "mor1e.n4.token", "mor1e.n4.running.lr0.02", "mor1e.n4"]);
        kept(["dora.r3", "full.embed_tokens-lm_head.lr0.002", "adalora", "vera", "mora.r2"]);
    }

    fn kept(lanes: [&str; 5]) {
        let query = format!("task=text&cheat=true&batch=2&sequence=20&languages=rus&total=9&lanes={}", lanes.join("~"));
        let config = Config::from_query(&query).unwrap();
        let Task::Text(text) = &config.task else { panic!("text") };
        let file = async |name: &str| Ok(std::fs::read(format!("www/data/{name}")).unwrap());
        let task = block_on(small(text, 1, file)).unwrap().0;
        let mut lab = Lab::new(config.clone(), task, None).unwrap();
        block_on(lab.train(8)).unwrap();
        let sampling = Sampling { temperature: 0.7, top_p: 0.95, seed: 3 };
        for lane in std::iter::once(None).chain((0..lanes.len()).map(Some)) {
            let mut generation = block_on(lab.generate(lane, "Каждый ", &Tokenizer::Bytes, sampling)).unwrap();
            let mut rng = Rng::new(sampling.seed, 0);
            for _ in 0..40 {
                let (seen, got) = (generation.seen(), generation.logits());
                assert!(seen.len() <= 20 && (seen.len() >= 10 || generation.tokens.len() < 20));
                let passages = Passages { x: seen.clone(), y: vec![UNCOUNTED; seen.len()] };
                let whole = block_on(lab.logits(lane, &passages)).unwrap();
                let anew = &whole[whole.len() - got.len()..];
                for (got, anew) in got.iter().zip(anew) {
                    assert!((got - anew).abs() < 1e-4, "{lane:?} at {}: {got}, not {anew}", generation.written());
                }
                generation.next_text();
                assert_eq!(generation.tokens.last(), Some(&draw(anew, sampling, &mut rng)), "{lane:?}");
            }
        }
    }

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
