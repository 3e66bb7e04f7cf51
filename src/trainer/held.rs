//! Held-out texts, scored batch by batch between submissions: the base once, then the lanes in turn, as they are at that
//! moment. Knows nothing of how scores are shown.

use crate::config::Task;
use crate::error::Result;
use crate::lab::Lab;
use crate::protocol::text::{HeldFrame, HeldLanguage, HeldScore, ServedScore, TextInfo};
use crate::task::text::{Passages, Texts, languages};

/// Passages of each language that are scored while training; at rest it is all of them.
const QUICK: usize = 8;

/// Held-out texts, scored batch by batch: the base once, then the lanes in turn.
pub struct Held {
    text: TextInfo,
    languages: Vec<HeldLanguage>,
    /// By language.
    passages: Vec<Passages>,
    base: Option<HeldScore>,
    lanes: Vec<Option<HeldScore>>,
    now: Option<Sweep>,
}

/// One model's way through all languages.
struct Sweep {
    /// `None`: the base.
    lane: Option<usize>,
    step: usize,
    whole: bool,
    /// Language and first passage of what is next.
    language: usize,
    passage: usize,
    /// By language: bits and bytes so far.
    sums: Vec<(f64, usize)>,
}

impl Held {
    pub fn new(lab: &Lab, texts: &Texts, text: TextInfo) -> Self {
        let trained: Vec<&str> = match &lab.config.task {
            Task::Text(text) => text.languages.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        // What a visitor brought is all there is of it.
        let here = |code: &&str| !trained.contains(code) && of(&texts.held, code).is_some();
        let old = languages::OLD.iter().map(|&(code, _)| code).filter(here);
        let all: Vec<(&str, bool)> =
            trained.iter().map(|&code| (code, languages::is_old(code))).chain(old.map(|code| (code, true))).collect();
        let language = |&(code, old): &(&str, bool)| HeldLanguage {
            name: languages::name(code).to_owned(),
            old,
            frequencies: of(&texts.train, code).map(|tokens| entropy(tokens) as f32),
            compressed: texts.compressed.get(code).copied(),
        };
        let held = |&(code, _): &(&str, bool)| {
            Passages::of(of(&texts.held, code).unwrap_or_default(), lab.task.sequence, texts.begin)
        };
        Self {
            text,
            languages: all.iter().map(language).collect(),
            passages: all.iter().map(held).collect(),
            base: None,
            lanes: vec![None; lab.lane_count()],
            now: None,
        }
    }

    /// Whether a score is under way.
    pub fn is_busy(&self) -> bool {
        self.now.is_some()
    }

    /// Whether every lane has been scored.
    pub fn is_complete(&self) -> bool {
        self.lanes.iter().all(Option::is_some)
    }

    /// Who is to be scored next; at rest those that were not scored whole as they are now.
    pub fn next(&self, lab: &Lab, at_rest: bool) -> Option<Option<usize>> {
        if self.base.as_ref().is_none_or(|score| at_rest && !score.whole) {
            return Some(None);
        }
        let is_stale = |score: &Option<HeldScore>| {
            score.as_ref().is_none_or(|score| score.step != lab.step() || at_rest && !score.whole)
        };
        let oldest = (0..self.lanes.len()).filter(|&lane| is_stale(&self.lanes[lane]) && lab.diverged(lane).is_none());
        oldest.min_by_key(|&lane| self.lanes[lane].as_ref().map(|score| score.step)).map(Some)
    }

    /// The lane is another one.
    pub fn forget(&mut self, lane: usize) {
        self.lanes[lane] = None;
        self.now = None;
    }

    fn finish(&mut self) {
        let Some(sweep) = self.now.take() else { return };
        let score = HeldScore {
            step: sweep.step,
            bits: sweep.sums.iter().map(|&(bits, bytes)| (bits / bytes.max(1) as f64) as f32).collect(),
            bytes: sweep.sums.iter().map(|&(_, bytes)| bytes).collect(),
            whole: sweep.whole,
        };
        match sweep.lane {
            None => self.base = Some(score),
            Some(lane) => self.lanes[lane] = Some(score),
        }
    }

    /// With what was found out of lanes that read ahead.
    pub fn frame(&self, served: &[Option<ServedScore>]) -> HeldFrame {
        HeldFrame {
            text: self.text.clone(),
            languages: self.languages.clone(),
            base: self.base.clone(),
            lanes: self.lanes.clone(),
            served: served.to_vec(),
        }
    }

    /// Passages of the languages trained on.
    pub fn trained_passages(&self) -> Vec<Passages> {
        let own = self.languages.iter().zip(&self.passages).filter(|(language, _)| language.frequencies.is_some());
        own.map(|(_, passages)| passages.clone()).collect()
    }

    /// A piece of what is to be scored; whether a score was finished by it.
    pub async fn score(&mut self, lab: &mut Lab, at_rest: bool) -> Result<bool> {
        let (step, sequence) = (lab.step(), lab.task.sequence);
        if self.now.as_ref().is_some_and(|sweep| sweep.lane.is_some() && at_rest && !sweep.whole) {
            self.now = None;
        }
        if self.now.is_none() {
            self.now = self.next(lab, at_rest).map(|lane| Sweep {
                lane,
                step,
                // What is compared with the base is as much as the base read.
                whole: at_rest || self.base.as_ref().is_some_and(|base| base.whole),
                language: 0,
                passage: 0,
                sums: vec![(0.0, 0); self.languages.len()],
            });
        }
        let Some(sweep) = &mut self.now else { return Ok(false) };
        let all = &self.passages[sweep.language];
        let limit = if sweep.whole { usize::MAX } else { QUICK };
        let count = (all.y.len() / sequence).min(limit);
        let end = (sweep.passage + lab.passages_at_once()).min(count);
        let tokens = sweep.passage * sequence..end * sequence;
        let part = Passages { x: all.x[tokens.clone()].to_vec(), y: all.y[tokens.clone()].to_vec() };
        let nats = lab.score(sweep.lane, &part)?.done().await?;
        let (bits, bytes) = &mut sweep.sums[sweep.language];
        *bits += nats.iter().map(|&nats| f64::from(nats)).sum::<f64>() / std::f64::consts::LN_2;
        *bytes += tokens.len();
        sweep.passage = end;
        if end == count {
            (sweep.language, sweep.passage) = (sweep.language + 1, 0);
        }
        let finished = sweep.language == self.languages.len();
        if finished {
            self.finish();
        }
        Ok(finished)
    }
}

/// A language's tokens.
fn of<'a>(texts: &'a [(String, Vec<u32>)], code: &str) -> Option<&'a [u32]> {
    texts.iter().find(|(other, _)| other == code).map(|(_, tokens)| tokens.as_slice())
}

/// Bits per token by the frequencies of single tokens.
fn entropy(tokens: &[u32]) -> f64 {
    let mut counts = vec![0usize; tokens.iter().max().map_or(0, |&last| last as usize + 1)];
    tokens.iter().for_each(|&token| counts[token as usize] += 1);
    let shares = counts.into_iter().filter(|&count| count > 0).map(|count| count as f64 / tokens.len() as f64);
    shares.map(|share| -share * libm::log2(share)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_of_equal_shares_is_their_logarithm() {
        assert!((entropy(&[1, 2, 3, 4, 4, 3, 2, 1]) - 2.0).abs() < 1e-12);
    }
}
