//! What is read and written of a language model while it trains: held-out texts scored, a passage read token by token, a
//! prompt gone on from. All of it in short pieces between submissions, at most so much of the time. Knows nothing of how
//! it is shown.

use std::collections::BTreeMap;

use super::Transport;
use super::state::State;
use crate::clock;
use crate::config::{Lane, Task};
use crate::error::Result;
use crate::lab::Lab;
use crate::lab::forward::{Answer, Forward, probabilities};
use crate::lab::generate::{Generation, Sampling};
use crate::protocol::Event;
use crate::protocol::text::{
    HeldFrame, HeldLanguage, HeldScore, Look, Passage, PassageFrame, PassageGates, Read, TextFrame, WritingFrame,
};
use crate::task::text::{Passages, Texts, Tokenizer, languages};

/// While training, at most one part in this many of the time is for reading.
const SHARE: f64 = 4.0;
/// Passages of each language that are scored while training; at rest it is all of them.
const QUICK: usize = 16;
/// Milliseconds between two readings of the passage while training, and between two messages.
const PASSAGE: f64 = 400.0;
const MESSAGE: f64 = 200.0;
/// Tokens that are written after the prompt.
const WRITTEN: usize = 96;
/// Most probable tokens that are told.
const EXPECTED: usize = 5;

/// See the module.
pub struct Reading {
    tokenizer: Tokenizer,
    texts: Texts,
    sequence: usize,
    held: Held,
    /// Base first, then each lane, on one passage.
    forward: Forward,
    lanes: Vec<Lane>,
    /// The passage as it was last told, and when.
    told: Option<(Look, usize, f64)>,
    writing: Option<Writing>,
    ready: TextFrame,
    next_message: f64,
    /// Time spent, and since when.
    spent: f64,
    since: f64,
}

/// Held-out texts, scored batch by batch: the base once, then the lanes in turn.
struct Held {
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

struct Writing {
    prompt: String,
    /// Base first; `None` once done.
    under_way: Vec<Option<Generation>>,
    texts: Vec<WritingFrame>,
    tokens: usize,
    next: usize,
}

impl Reading {
    pub fn new(lab: &Lab, texts: Texts) -> Self {
        let sequence = lab.task.sequence;
        let forward = Forward::new(&lab.task, vec![0.0; sequence], sequence);
        let held = Held::new(lab, &texts);
        let mut reading = Self {
            tokenizer: Tokenizer::Bytes,
            texts,
            sequence,
            held,
            forward,
            lanes: Vec::new(),
            told: None,
            writing: None,
            ready: TextFrame::default(),
            next_message: 0.0,
            spent: 0.0,
            since: clock::now(),
        };
        reading.set_lanes(lab);
        reading
    }

    /// Lanes are new, or their ranks.
    fn set_lanes(&mut self, lab: &Lab) {
        self.forward.set_lane(0, &Lane::base(), &lab.config.optimizer);
        self.lanes = (0..lab.lane_count()).map(|lane| lab.lane(lane).clone()).collect();
        for (index, lane) in self.lanes.iter().enumerate() {
            self.forward.set_lane(1 + index, lane, &lab.config.optimizer);
        }
        self.told = None;
    }

    fn is_current(&self, lab: &Lab) -> bool {
        (0..lab.lane_count()).all(|lane| self.lanes.get(lane) == Some(lab.lane(lane)))
    }

    /// Whether there is anything to do where nothing trains.
    pub fn wants(&self, lab: &Lab, state: &State) -> bool {
        self.held.next(lab, true).is_some()
            || self.held.now.is_some()
            || self.passage_is_due(lab, state)
            || self.writing_is_due(lab, state)
    }

    /// A piece of what is to be done, and a message if there is something to tell.
    pub async fn turn(&mut self, lab: &mut Lab, state: &State, transport: &mut impl Transport) -> Result<()> {
        if !self.is_current(lab) {
            self.set_lanes(lab);
        }
        let begun = clock::now();
        let training = state.training();
        if !training {
            (self.spent, self.since) = (0.0, begun);
        }
        if !training || self.spent <= (begun - self.since) / SHARE {
            if self.passage_is_due(lab, state) {
                self.read_passage(lab, state).await?;
            } else if self.writing_is_due(lab, state) && self.writing_first(lab) {
                self.write(lab, state).await?;
            } else {
                self.score(lab, !training).await?;
            }
            self.spent += clock::now() - begun;
        }
        let now = clock::now();
        if now >= self.next_message && self.ready != TextFrame::default() {
            transport.emit(Event::Text(Box::new(std::mem::take(&mut self.ready))));
            self.next_message = now + MESSAGE;
        }
        if !training {
            transport.sleep(0).await;
        }
        Ok(())
    }

    /// A piece of the held-out texts.
    async fn score(&mut self, lab: &mut Lab, at_rest: bool) -> Result<()> {
        let step = lab.step();
        if self.held.now.as_ref().is_some_and(|sweep| sweep.lane.is_some() && at_rest && !sweep.whole) {
            self.held.now = None;
        }
        if self.held.now.is_none() {
            self.held.now = self.held.next(lab, at_rest).map(|lane| Sweep {
                lane,
                step,
                whole: at_rest,
                language: 0,
                passage: 0,
                sums: vec![(0.0, 0); self.held.languages.len()],
            });
        }
        let Some(sweep) = &mut self.held.now else { return Ok(()) };
        let all = &self.held.passages[sweep.language];
        let limit = if sweep.whole { usize::MAX } else { QUICK };
        let count = (all.y.len() / self.sequence).min(limit);
        let end = (sweep.passage + lab.passages_at_once()).min(count);
        let tokens = sweep.passage * self.sequence..end * self.sequence;
        let part = Passages { x: all.x[tokens.clone()].to_vec(), y: all.y[tokens.clone()].to_vec() };
        let nats = lab.score(sweep.lane, &part)?.done().await?;
        let (bits, bytes) = &mut sweep.sums[sweep.language];
        *bits += nats.iter().map(|&nats| f64::from(nats)).sum::<f64>() / std::f64::consts::LN_2;
        *bytes += tokens.len();
        sweep.passage = end;
        if end == count {
            (sweep.language, sweep.passage) = (sweep.language + 1, 0);
        }
        if sweep.language == self.held.languages.len() {
            self.held.finish();
            self.ready.held = Some(self.held.frame());
        }
        Ok(())
    }

    fn passage_is_due(&self, lab: &Lab, state: &State) -> bool {
        let Some(look) = state.look() else { return false };
        match &self.told {
            Some((told, step, at)) if told == look => {
                *step != lab.step() && (!state.training() || clock::now() - at >= PASSAGE)
            }
            _ => true,
        }
    }

    /// Base and lanes on the passage that is looked at.
    async fn read_passage(&mut self, lab: &Lab, state: &State) -> Result<()> {
        let Some(look) = state.look().cloned() else { return Ok(()) };
        let step = lab.step();
        let params = lab.parameters().await?;
        let tokens = self.tokens(&look.passage);
        let mut x = vec![0.0; self.sequence];
        for (at, &token) in tokens.iter().enumerate().take(self.sequence - 1) {
            x[at + 1] = token as f32;
        }
        self.forward.set_x(&x);
        let base = self.forward.run(0, &[]);
        let answers: Vec<Answer> =
            params.iter().enumerate().map(|(lane, own)| self.forward.run(1 + lane, own)).collect();
        let gates = answers.iter().enumerate().filter_map(|(lane, answer)| {
            let own = answer.gates.iter().find(|gates| gates.layer == look.site)?;
            let values = own.values[..tokens.len() * own.experts].to_vec();
            Some(PassageGates { lane, experts: own.experts, values })
        });
        self.ready.passage = Some(PassageFrame {
            step,
            characters: characters(&tokens, &self.tokenizer),
            base: self.read(&base, &tokens),
            lanes: answers.iter().map(|answer| self.read(answer, &tokens)).collect(),
            gates: gates.collect(),
            look: look.clone(),
        });
        self.told = Some((look, step, clock::now()));
        Ok(())
    }

    /// Tokens of a passage, at most as many as a passage has.
    fn tokens(&self, passage: &Passage) -> Vec<u32> {
        match passage {
            Passage::Typed(text) => {
                let tokens = self.tokenizer.encode(text);
                tokens[tokens.len().saturating_sub(self.sequence)..].to_vec()
            }
            Passage::Held { language, number } => {
                let held = self.texts.held.iter().find(|(code, _)| code == language).map_or(&[][..], |(_, held)| held);
                let count = (held.len() / self.sequence).max(1);
                held.chunks(self.sequence).nth(number % count).unwrap_or_default().to_vec()
            }
        }
    }

    fn read(&self, answer: &Answer, tokens: &[u32]) -> Read {
        let width = answer.output.len() / self.sequence;
        let mut read = Read::default();
        for (logits, &token) in answer.output.chunks_exact(width).zip(tokens) {
            let shares = probabilities(logits);
            read.bits.push(-libm::log2(shares[token as usize].max(f64::MIN_POSITIVE)) as f32);
            let mut order: Vec<usize> = (0..width).collect();
            order.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]));
            let told = |&token: &usize| (shown(&self.tokenizer.bytes_of(token as u32)), shares[token] as f32);
            read.expected.push(order.iter().take(EXPECTED).map(told).collect());
        }
        read
    }

    /// A text that is done is begun again once training has gone on.
    fn writing_is_due(&self, lab: &Lab, state: &State) -> bool {
        match (&self.writing, state.prompt()) {
            (_, None) => false,
            (Some(writing), Some(prompt)) if writing.prompt == prompt => {
                !writing.is_done() || writing.texts.iter().any(|text| text.step != lab.step())
            }
            _ => true,
        }
    }

    /// Writing and scoring take turns.
    fn writing_first(&mut self, lab: &Lab) -> bool {
        let scoring = self.held.now.is_some() || self.held.next(lab, false).is_some();
        self.writing.as_mut().is_none_or(|writing| {
            writing.tokens += 1;
            !scoring || writing.tokens.is_multiple_of(2)
        })
    }

    /// One token of one text.
    async fn write(&mut self, lab: &Lab, state: &State) -> Result<()> {
        let Some(prompt) = state.prompt() else { return Ok(()) };
        if self.writing.as_ref().is_none_or(|writing| writing.prompt != prompt || writing.is_done()) {
            let mut under_way = Vec::new();
            for lane in std::iter::once(None).chain((0..lab.lane_count()).map(Some)) {
                under_way.push(Some(lab.generate(lane, prompt, &self.tokenizer, Sampling::default()).await?));
            }
            let begun = WritingFrame { step: lab.step(), text: String::new(), done: false };
            let texts = vec![begun; under_way.len()];
            self.writing = Some(Writing { prompt: prompt.to_owned(), under_way, texts, tokens: 0, next: 0 });
        }
        let Some(writing) = &mut self.writing else { return Ok(()) };
        writing.go_on();
        self.ready.writing = Some(writing.texts.clone());
        Ok(())
    }
}

impl Writing {
    fn is_done(&self) -> bool {
        self.under_way.iter().all(Option::is_none)
    }

    fn go_on(&mut self) {
        let count = self.under_way.len();
        let Some(at) = (0..count).map(|k| (self.next + k) % count).find(|&at| self.under_way[at].is_some()) else {
            return;
        };
        self.next = at + 1;
        if let Some(generation) = &mut self.under_way[at] {
            self.texts[at].text += &generation.next();
            if generation.written() >= WRITTEN {
                self.under_way[at] = None;
                self.texts[at].done = true;
            }
        }
    }
}

impl Held {
    fn new(lab: &Lab, texts: &Texts) -> Self {
        let trained: Vec<&str> = match &lab.config.task {
            Task::Text(text) => text.languages.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        let old = languages::OLD.iter().map(|&(code, _)| code).filter(|code| !trained.contains(code));
        let all: Vec<(&str, bool)> =
            trained.iter().map(|&code| (code, languages::is_old(code))).chain(old.map(|code| (code, true))).collect();
        let train: BTreeMap<&str, &[u32]> =
            texts.train.iter().map(|(code, tokens)| (code.as_str(), tokens.as_slice())).collect();
        let language = |&(code, old): &(&str, bool)| HeldLanguage {
            name: languages::name(code).to_owned(),
            old,
            frequencies: train.get(code).map(|tokens| entropy(tokens) as f32),
            compressed: texts.compressed.get(code).copied(),
        };
        let held = |&(code, _): &(&str, bool)| {
            let tokens = texts.held.iter().find(|(other, _)| other == code).map_or(&[][..], |(_, held)| held);
            Passages::of(tokens, lab.task.sequence)
        };
        Self {
            languages: all.iter().map(language).collect(),
            passages: all.iter().map(held).collect(),
            base: None,
            lanes: vec![None; lab.lane_count()],
            now: None,
        }
    }

    /// Who is to be scored next; at rest those that were not scored whole as they are now.
    fn next(&self, lab: &Lab, at_rest: bool) -> Option<Option<usize>> {
        if self.base.as_ref().is_none_or(|score| at_rest && !score.whole) {
            return Some(None);
        }
        let is_stale = |score: &Option<HeldScore>| {
            score.as_ref().is_none_or(|score| score.step != lab.step() || at_rest && !score.whole)
        };
        let oldest = (0..self.lanes.len()).filter(|&lane| is_stale(&self.lanes[lane]) && lab.diverged(lane).is_none());
        oldest.min_by_key(|&lane| self.lanes[lane].as_ref().map(|score| score.step)).map(Some)
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

    fn frame(&self) -> HeldFrame {
        HeldFrame { languages: self.languages.clone(), base: self.base.clone(), lanes: self.lanes.clone() }
    }
}

/// Bits per token by the frequencies of single tokens.
fn entropy(tokens: &[u32]) -> f64 {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    tokens.iter().for_each(|&token| *counts.entry(token).or_default() += 1);
    let share = |&count: &usize| count as f64 / tokens.len() as f64;
    counts.values().map(|count| -share(count) * libm::log2(share(count))).sum()
}

/// Tokens gathered to whole characters, and how many each took; bytes that make none are shown as numbers.
fn characters(tokens: &[u32], tokenizer: &Tokenizer) -> Vec<(String, usize)> {
    let mut out = Vec::new();
    let (mut pending, mut count) = (Vec::new(), 0);
    for (at, &token) in tokens.iter().enumerate() {
        pending.extend(tokenizer.bytes_of(token));
        count += 1;
        let more = matches!(std::str::from_utf8(&pending), Err(error) if error.error_len().is_none());
        if more && at + 1 < tokens.len() {
            continue;
        }
        out.push((shown_plain(&pending), count));
        (pending, count) = (Vec::new(), 0);
    }
    out
}

fn shown_plain(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| format!("\u{FFFD}{byte:02X}")).collect(),
    }
}

/// A token as text by itself: what cannot be seen by name, what is no character by its bytes.
fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(" ") => "␠".into(),
        Ok("\n") => "␤".into(),
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => bytes.iter().map(|byte| format!("0x{byte:02X}")).collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_whole() {
        let tokens = Tokenizer::Bytes.encode("aé人");
        assert_eq!(characters(&tokens, &Tokenizer::Bytes), [("a".into(), 1), ("é".into(), 2), ("人".into(), 3)]);
        // A passage may begin and end within a character.
        assert_eq!(
            characters(&tokens[2..5], &Tokenizer::Bytes),
            [("\u{FFFD}A9".into(), 1), ("\u{FFFD}E4\u{FFFD}BA".into(), 2)]
        );
        assert_eq!(shown(b" "), "␠");
        assert_eq!(shown(&[0xC3]), "0xC3");
    }

    #[test]
    fn entropy_of_equal_shares_is_their_logarithm() {
        assert!((entropy(&[1, 2, 3, 4, 4, 3, 2, 1]) - 2.0).abs() < 1e-12);
    }
}
