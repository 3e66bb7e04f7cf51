//! A personal model's runs in words and numbers. Knows no markup.

use super::text::Chosen;
use super::wire::{Doing, Run, Sized, Unlabelled, Way};
use crate::task::text::languages::name;
use crate::view::format::{count, three};

/// A file's size: kilobytes of a thousand bytes, as the budget is.
pub fn kilobytes(bytes: usize) -> String {
    format!("{:.1} KB", bytes as f64 / 1000.0)
}

pub fn way(way: Way) -> &'static str {
    match way {
        Way::Plain => "plain",
        Way::Distilled => "distilled",
        Way::All => "plain, all text",
        Way::AllDistilled => "distilled, all text",
    }
}

pub fn beside(unlabelled: Unlabelled) -> &'static str {
    match unlabelled {
        Unlabelled::None => "",
        Unlabelled::Written => " + the teacher's writing",
        Unlabelled::Public => " + public text",
    }
}

/// How a run was trained, with what is not as usual.
pub fn trained(run: &Run) -> String {
    let mut text = format!("{}{}", way(run.way), beside(run.unlabelled));
    if run.way.is_distilled() && (run.temperature, run.mix) != (1.0, 1.0) {
        text += &format!(", T {}, λ {}", three(run.temperature), three(run.mix));
    }
    text
}

pub fn doing(doing: &Doing, students: &[Sized]) -> String {
    match doing {
        Doing::Teacher => "The teacher reads the public text".into(),
        Doing::Writing => "The teacher writes".into(),
        Doing::Expecting => "What the teacher expects is computed".into(),
        Doing::Training { student, way: how } => {
            let name = students.get(*student).map_or("A student", |student| &student.name);
            format!("{name}, {}", way(*how))
        }
    }
}

/// What the runs are of.
pub fn text_of(chosen: &Chosen) -> String {
    match chosen {
        Chosen::Prepared { language, bytes } => format!("{} bytes of {}", count(*bytes), name(language)),
        Chosen::Own { text, language: None } => format!("your {} bytes", count(text.len())),
        Chosen::Own { text, language: Some(code) } => {
            format!("your {} bytes, with public text in {}", count(text.len()), name(code))
        }
    }
}

/// What the runs so far say: the best under the budget, and what a teacher was worth.
pub fn found(runs: &[Run], budget: f64) -> Option<String> {
    let under: Vec<&Run> = runs.iter().filter(|run| run.bytes as f64 <= 1000.0 * budget).collect();
    let best = under.iter().min_by(|a, b| a.bits.total_cmp(&b.bits))?;
    let mut text = format!(
        "Best under {} KB: {}, {}, {:.2} bits per byte in {}; the base has {:.2}, the teacher {:.2}.",
        three(budget),
        best.name,
        trained(best),
        best.bits,
        kilobytes(best.bytes),
        best.bounds.base,
        best.bounds.teacher
    );
    if let Some((name, plain, distilled)) = pair(runs) {
        let gain = plain - distilled;
        text += &match gain {
            gain if gain > 0.05 => format!(" The teacher saves {name} {gain:.2} bits."),
            gain if gain < -0.05 => format!(" The teacher costs {name} {:.2} bits.", -gain),
            _ => format!(" The teacher makes no difference to {name}, to 0.05 bits."),
        };
    }
    Some(text)
}

/// Of the student that was trained both ways last: its name, and its bits by either.
fn pair(runs: &[Run]) -> Option<(String, f64, f64)> {
    let last = |name: &str, way: Way| runs.iter().rev().find(|run| run.name == name && run.way == way);
    runs.iter().rev().find_map(|run| {
        let (plain, distilled) = (last(&run.name, Way::Plain)?, last(&run.name, Way::Distilled)?);
        Some((run.name.clone(), plain.bits, distilled.bits))
    })
}

/// Whether a file says what was trained, in words.
pub fn proof(run: &Run) -> String {
    let off = (run.reread - run.bits).abs();
    match off < 0.005 {
        true => format!("{:.3} bits read again from the file", run.reread),
        false => format!("{:.3} bits read again from the file, {} from what was trained", run.reread, three(off)),
    }
}
