//! Passages of tokens as a task's batches. A passage begins with a token that marks it; what is to be predicted is the passage itself.
//! Knows no files.

use super::languages;
use super::model::Model;
use crate::args::Text;
use crate::error::{Error, Result};
use crate::lang::tr;
use crate::order::Few;
use crate::rng::{Rng, stream};
use crate::task::{LossKind, Probe, Soft, Targets, TaskData, UNCOUNTED, rows_at_once};

/// Distinct batches that are drawn before they come again.
const BATCHES: usize = 512;
/// Passages of each language that are only looked at.
const PROBE_PASSAGES: usize = 2;
/// Tokens of such a passage of the largest model.
const PROBE_TOKENS: usize = 8;

/// Tokens by language, as trained on and as held out.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    pub train: Vec<(String, Vec<u32>)>,
    pub held: Vec<(String, Vec<u32>)>,
    /// Bits per byte of training texts compressed by DEFLATE, by language, where they are known.
    pub compressed: Few<String, f32>,
    /// The token that passages begin with.
    pub begin: u32,
}

/// Whole passages: what is read, and what is to be predicted, `[passages · sequence]` each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passages {
    pub x: Vec<u32>,
    pub y: Vec<u32>,
}

impl Passages {
    /// `text` cut into passages of `sequence` tokens, each after `begin`; what does not fill one is left out.
    pub fn of(text: &[u32], sequence: usize, begin: u32) -> Self {
        let mut all = Self::default();
        text.chunks_exact(sequence).for_each(|passage| all.push(passage, begin));
        all
    }

    /// The same with the rest of the text as a passage that is not full.
    pub fn of_all(text: &[u32], sequence: usize, begin: u32) -> Self {
        let mut all = Self::default();
        text.chunks(sequence).for_each(|passage| all.push(passage, begin));
        let missing = all.y.len().next_multiple_of(sequence) - all.y.len();
        all.x.extend(std::iter::repeat_n(0, missing));
        all.y.extend(std::iter::repeat_n(UNCOUNTED, missing));
        all
    }

    fn push(&mut self, passage: &[u32], begin: u32) {
        self.x.push(begin);
        self.x.extend(&passage[..passage.len() - 1]);
        self.y.extend(passage);
    }
}

/// Training on passages drawn at random from the texts, each language as often as any other.
///
/// # Errors
/// `Error::Data` where a text is shorter than a passage, a token outside the vocabulary, or a passage too long for the model.
pub fn on_texts(model: Model, text: &Text, texts: &Texts, seed: u64) -> Result<TaskData> {
    check_length(&model, text.sequence)?;
    for (what, (code, tokens)) in
        texts.train.iter().map(|one| ("train", one)).chain(texts.held.iter().map(|one| ("held", one)))
    {
        check_tokens(&format!("texts.{what}.{code}"), tokens, &model)?;
    }
    let sequence = text.sequence;
    // A passage ends before its text does: as in the reference, one token is always left behind it.
    if let Some((code, tokens)) = texts.train.iter().find(|(_, tokens)| tokens.len() <= sequence) {
        return Err(Error::Data {
            what: tr!("text \"{code}\"", code),
            expected: tr!("more than the {sequence} tokens of a passage", sequence),
            got: tokens.len().to_string(),
        });
    }
    if texts.train.is_empty() {
        let (expected, got) = (tr!("a text of at least one language"), "none".into());
        return Err(Error::Data { what: "texts.train".into(), expected, got });
    }
    let train: Vec<&[u32]> = texts.train.iter().map(|(_, tokens)| &tokens[..]).collect();
    let (pool, row_domains) = drawn(&train, (BATCHES * text.batch, sequence), texts.begin, seed);
    let (passages, looked) = probe_shape(&model, texts.train.len(), sequence);
    let (mut probe, mut probe_domains) = (Passages::default(), Vec::new());
    for (language, (code, train)) in texts.train.iter().enumerate() {
        let held = texts.held.iter().find(|(other, _)| other == code).map_or(train, |(_, held)| held);
        for passage in held.chunks_exact(looked).take(passages) {
            probe.push(passage, texts.begin);
            probe_domains.extend(std::iter::repeat_n(language as u8, looked));
        }
    }
    let names = texts.train.iter().map(|(code, _)| languages::name(code).to_owned()).collect();
    let batch = (text.batch, sequence, BATCHES);
    let mut task = task(model, batch, pool, row_domains, names, (probe, probe_domains));
    task.probe.sequence = looked;
    Ok(task)
}

/// Passages of each language that are only looked at, and their tokens: of a large model one, cut short.
fn probe_shape(model: &Model, languages: usize, sequence: usize) -> (usize, usize) {
    let most = rows_at_once(&model.network) / languages;
    match most >= PROBE_PASSAGES * sequence {
        true => (PROBE_PASSAGES, sequence),
        false => (1, most.clamp(PROBE_TOKENS.min(sequence), sequence)),
    }
}

/// So many passages of so many tokens drawn at random, each text as often as any other, and the text of each row. Texts are
/// longer than a passage.
pub fn drawn(texts: &[&[u32]], (count, sequence): (usize, usize), begin: u32, seed: u64) -> (Passages, Vec<u8>) {
    let mut rng = Rng::new(seed, stream::DATA);
    let (mut pool, mut row_texts) = (Passages::default(), Vec::new());
    for _ in 0..count {
        let text = rng.below(texts.len());
        let tokens = texts[text];
        let at = rng.below(tokens.len() - sequence);
        pool.push(&tokens[at..at + sequence], begin);
        row_texts.extend(std::iter::repeat_n(text as u8, sequence));
    }
    (pool, row_texts)
}

/// Training on passages that have been drawn, so many a batch of so many tokens, or on what a teacher expects of them.
///
/// # Errors
/// `Error::Data` where a passage is too long for the model, or a token outside its vocabulary.
pub fn on_passages(
    model: Model,
    (batch, sequence): (usize, usize),
    (pool, row_texts): (Passages, Vec<u8>),
    soft: Option<Soft>,
) -> Result<TaskData> {
    check_length(&model, sequence)?;
    check_tokens("passages", &pool.x, &model)?;
    let batches = pool.x.len() / (batch * sequence);
    let none = (Passages::default(), Vec::new());
    let names = (0..=row_texts.iter().copied().max().unwrap_or(0)).map(|text| format!("text {text}")).collect();
    Ok(TaskData { soft, ..task(model, (batch, sequence, batches), pool, row_texts, names, none) })
}

/// Training on one batch as it is given, `x` and `y [batch, sequence]`; a target of −1 is not counted.
///
/// # Errors
/// `Error::Data` naming the size that is 0, the array that does not fit the shape, or the token outside the vocabulary.
pub fn given(model: Model, (batch, sequence): (usize, usize), x: &[i32], y: &[i32]) -> Result<TaskData> {
    for (what, size) in [("batch", batch), ("sequence", sequence)] {
        if size == 0 {
            return Err(Error::Data { what: format!("shape.{what}"), expected: tr!("at least 1"), got: "0".into() });
        }
    }
    check_length(&model, sequence)?;
    let count = batch.saturating_mul(sequence);
    for (what, values, least) in [("x", x, 0), ("y", y, -1)] {
        if values.len() != count {
            let expected = tr!("{batch} × {sequence} = {count} tokens", batch, sequence, count);
            return Err(Error::Data { what: what.into(), expected, got: values.len().to_string() });
        }
        let vocabulary = model.config.vocabulary;
        let outside = |&value: &i32| value < least || value >= 0 && value as usize >= vocabulary;
        if let Some(at) = values.iter().position(outside) {
            let expected = match least {
                0 => tr!("a token from 0 to {}", vocabulary - 1),
                _ => tr!("a token from 0 to {}, or -1 for one that is not counted", vocabulary - 1),
            };
            return Err(Error::Data { what: format!("{what}[{at}]"), expected, got: values[at].to_string() });
        }
    }
    if y.iter().all(|&token| token < 0) {
        let (expected, got) = (tr!("at least one token to predict"), tr!("-1 everywhere"));
        return Err(Error::Data { what: "y".into(), expected, got });
    }
    let class = |&token: &i32| u32::try_from(token).unwrap_or(UNCOUNTED);
    let pool = Passages { x: x.iter().map(class).collect(), y: y.iter().map(class).collect() };
    let row_domains = vec![0; count];
    let probe = (pool.clone(), row_domains.clone());
    Ok(task(model, (batch, sequence, 1), pool, row_domains, vec!["data".into()], probe))
}

fn task(
    model: Model,
    (batch_sequences, sequence, batches): (usize, usize, usize),
    pool: Passages,
    row_domains: Vec<u8>,
    domain_names: Vec<String>,
    (probe, probe_domains): (Passages, Vec<u8>),
) -> TaskData {
    let ids = |tokens: &[u32]| tokens.iter().map(|&token| token as f32).collect::<Vec<f32>>();
    TaskData {
        network: model.network,
        loss: LossKind::CrossEntropy,
        batch_sequences,
        sequence,
        batches,
        spare: 1,
        x: ids(&pool.x),
        y: Targets::Classes(pool.y),
        row_domains,
        base: model.base,
        tensors: model.tensors,
        domain_names,
        energy: std::f64::consts::LN_2,
        pool_energy: std::f64::consts::LN_2,
        soft: None,
        noise_variance: 0.0,
        true_rank: None,
        teacher: None,
        mixed: false,
        probe: Probe { sequence, x: ids(&probe.x), y: Targets::Classes(probe.y), row_domains: probe_domains },
    }
}

fn check_length(model: &Model, sequence: usize) -> Result<()> {
    let most = model.config.positions;
    if sequence <= most {
        return Ok(());
    }
    Err(Error::Data {
        what: "sequence".into(),
        expected: tr!("at most the model's max_position_embeddings, {most}", most),
        got: sequence.to_string(),
    })
}

fn check_tokens(what: &str, tokens: &[u32], model: &Model) -> Result<()> {
    let vocabulary = model.config.vocabulary;
    match tokens.iter().position(|&token| token as usize >= vocabulary) {
        Some(at) => Err(Error::Data {
            what: format!("{what}[{at}]"),
            expected: tr!("a token from 0 to {}", vocabulary - 1),
            got: tokens[at].to_string(),
        }),
        None => Ok(()),
    }
}
