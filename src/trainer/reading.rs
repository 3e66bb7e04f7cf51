//! What is read and written of a language model while it trains: held-out texts scored, a passage read token by token, a
//! prompt gone on from. All of it in short pieces between submissions, at most so much of the time. Knows nothing of how
//! it is shown.

use super::Transport;
use super::characters::{characters, shown};
use super::held::Held;
use super::served::Serving;
use super::state::State;
use crate::clock;
use crate::config::Lane;
use crate::error::Result;
use crate::lab::Lab;
use crate::lab::forward::{Answer, Forward, probabilities};
use crate::lab::generate::{Generation, Sampling};
use crate::order::falling;
use crate::protocol::Event;
use crate::protocol::text::{Look, Passage, PassageFrame, PassageGates, Read, TextFrame, TextInfo, WritingFrame};
use crate::task::rows_at_once;
use crate::task::text::{Texts, Tokenizer};

/// While training, at most one part in this many of the time is for reading; until every lane has been read, more.
const SHARE: f64 = 8.0;
const FIRST_SHARE: f64 = 4.0;
/// Milliseconds between two steps after which no other piece is begun.
const AT_ONCE: f64 = 150.0;
/// Milliseconds between two readings of the passage while training, and between two messages.
const PASSAGE: f64 = 1500.0;
const MESSAGE: f64 = 200.0;
/// While training, at most one part in this many of the time is for the passage, which would starve scores otherwise.
const PASSAGE_SHARE: f64 = 12.0;
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
    serving: Serving,
    /// Scores and what is served take turns.
    serves: bool,
    /// Base first, then each lane, on one passage. Of a large model there is none: what trains it reads it.
    forward: Option<Forward>,
    lanes: Vec<Lane>,
    /// The passage as it was last told.
    told: Option<Told>,
    writing: Option<Writing>,
    ready: TextFrame,
    next_message: f64,
    /// Time spent, and since when.
    spent: f64,
    since: f64,
}

struct Told {
    look: Look,
    step: usize,
    at: f64,
    /// Milliseconds that it took.
    took: f64,
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
    pub fn new(lab: &Lab, texts: Texts, tokenizer: Tokenizer) -> Self {
        let sequence = lab.task.sequence;
        let small = rows_at_once(&lab.task.network) >= sequence;
        let forward = small.then(|| Forward::new(&lab.task, vec![0.0; sequence], sequence));
        let held = Held::new(lab, &texts, measured(lab, &tokenizer));
        let serving = Serving::new(lab, held.trained_passages());
        let mut reading = Self {
            tokenizer,
            texts,
            sequence,
            held,
            serving,
            serves: false,
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

    /// How its text is measured.
    pub fn info(&self, lab: &Lab) -> TextInfo {
        measured(lab, &self.tokenizer)
    }

    /// Lanes are new, or their ranks.
    fn set_lanes(&mut self, lab: &Lab) {
        for lane in (0..self.lanes.len()).filter(|&lane| self.lanes[lane] != *lab.lane(lane)) {
            self.held.forget(lane);
            self.serving.forget(lane);
            self.writing = None;
            self.ready.held = Some(self.held.frame(self.serving.scores()));
        }
        self.lanes = (0..lab.lane_count()).map(|lane| lab.lane(lane).clone()).collect();
        if let Some(forward) = &mut self.forward {
            for (index, lane) in std::iter::once(&Lane::base()).chain(&self.lanes).enumerate() {
                forward.set_lane(index, lane, &lab.config.optimizer);
            }
        }
        self.told = None;
    }

    fn is_current(&self, lab: &Lab) -> bool {
        (0..lab.lane_count()).all(|lane| self.lanes.get(lane) == Some(lab.lane(lane)))
    }

    /// Whether there is anything to do where nothing trains.
    pub fn wants(&self, lab: &Lab, state: &State) -> bool {
        self.ready != TextFrame::default()
            || self.held.next(lab, true).is_some()
            || self.held.is_busy()
            || self.serving.is_due(lab, true)
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
        let share = if self.held.is_complete() { SHARE } else { FIRST_SHARE };
        let mut now = begun;
        while !training || self.spent <= (now - self.since) / share {
            if self.passage_is_due(lab, state) {
                self.read_passage(lab, state).await?;
            } else if self.writing_is_due(lab, state) && self.writing_first(lab) {
                self.write(lab, state).await?;
            } else {
                self.serves = !self.serves && self.serving.is_due(lab, !training);
                let finished = match self.serves {
                    true => self.serving.go_on(lab, !training).await?,
                    false => self.held.score(lab, !training).await?,
                };
                if finished {
                    self.ready.held = Some(self.held.frame(self.serving.scores()));
                }
            }
            self.spent += clock::now() - now;
            now = clock::now();
            // Where a step takes long, one piece a step would be too few.
            if !training || now - begun >= AT_ONCE {
                break;
            }
        }
        if now >= self.next_message && self.ready != TextFrame::default() {
            transport.emit(Event::Text(Box::new(std::mem::take(&mut self.ready))));
            self.next_message = now + MESSAGE;
        }
        if !training {
            transport.sleep(0).await;
        }
        Ok(())
    }

    fn passage_is_due(&self, lab: &Lab, state: &State) -> bool {
        let Some(look) = state.look() else { return false };
        match &self.told {
            Some(told) if told.look == *look => {
                let wait = PASSAGE.max(PASSAGE_SHARE * told.took);
                told.step != lab.step() && (!state.training() || clock::now() - told.at >= wait)
            }
            _ => true,
        }
    }

    /// Base and lanes on the passage that is looked at.
    async fn read_passage(&mut self, lab: &mut Lab, state: &State) -> Result<()> {
        let Some(look) = state.look().cloned() else { return Ok(()) };
        let (step, begun) = (lab.step(), clock::now());
        let tokens = self.tokens(&look.passage);
        let mut x = vec![self.texts.begin; self.sequence];
        for (at, &token) in tokens.iter().enumerate().take(self.sequence - 1) {
            x[at + 1] = token;
        }
        let (base, answers) = self.answers(lab, &x).await?;
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
        let at = clock::now();
        self.told = Some(Told { look, step, at, took: at - begun });
        Ok(())
    }

    /// What base and lanes make of these tokens.
    async fn answers(&mut self, lab: &mut Lab, x: &[u32]) -> Result<(Answer, Vec<Answer>)> {
        let Some(forward) = &mut self.forward else {
            let base = lab.answer(None, x).await?;
            let mut answers = Vec::new();
            for lane in 0..lab.lane_count() {
                answers.push(lab.answer(Some(lane), x).await?);
            }
            return Ok((base, answers));
        };
        let params = lab.parameters().await?;
        forward.set_x(&x.iter().map(|&token| token as f32).collect::<Vec<_>>());
        let base = forward.run(0, &[]);
        Ok((base, params.iter().enumerate().map(|(lane, own)| forward.run(1 + lane, own)).collect()))
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
            let told = |&token: &usize| (shown(&self.tokenizer.bytes_of(token as u32)), shares[token] as f32);
            read.expected.push(falling(&shares).iter().take(EXPECTED).map(told).collect());
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
        let scoring = self.held.is_busy() || self.held.next(lab, false).is_some();
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

fn measured(lab: &Lab, tokenizer: &Tokenizer) -> TextInfo {
    let token = if matches!(tokenizer, Tokenizer::Bytes) { "byte" } else { "token" };
    TextInfo { token: token.into(), guessing: (lab.task.network.outputs() as f32).log2() }
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
            self.texts[at].text += &generation.next_text();
            if generation.written() >= WRITTEN {
                self.under_way[at] = None;
                self.texts[at].done = true;
            }
        }
    }
}
