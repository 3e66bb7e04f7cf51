//! A personal model's runs in words and numbers. Knows no markup.

use super::text::Chosen;
use super::wire::{Doing, Run, Sized, Unlabelled, Way};
use crate::lang::tr;
use crate::task::text::languages::name;
use crate::view::format::{count, three};

/// A file's size: kilobytes of a thousand bytes, as the budget is.
pub fn kilobytes(bytes: usize) -> String {
    format!("{:.1} KB", bytes as f64 / 1000.0)
}

pub fn way(way: Way) -> String {
    match way {
        Way::Plain => tr!("plain"),
        Way::Distilled => tr!("distilled"),
        Way::All => tr!("plain, all text"),
        Way::AllDistilled => tr!("distilled, all text"),
    }
}

pub fn beside(unlabelled: Unlabelled) -> String {
    match unlabelled {
        Unlabelled::None => String::new(),
        Unlabelled::Written => tr!(" + the teacher's writing"),
        Unlabelled::Public => tr!(" + public text"),
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
        Doing::Teacher => tr!("The teacher reads the public text"),
        Doing::Writing => tr!("The teacher writes"),
        Doing::Expecting => tr!("What the teacher expects is computed"),
        Doing::Training { student, way: how } => {
            let name = students.get(*student).map_or_else(|| tr!("A student"), |student| student.name.clone());
            format!("{name}, {}", way(*how))
        }
    }
}

/// What the runs are of.
pub fn text_of(chosen: &Chosen) -> String {
    match chosen {
        Chosen::Prepared { language, bytes } => tr!("{} bytes of {}", count(*bytes), name(language)),
        Chosen::Own { text, language: None } => tr!("your {} bytes", count(text.len())),
        Chosen::Own { text, language: Some(code) } => {
            tr!("your {} bytes, with public text in {}", count(text.len()), name(code))
        }
    }
}

/// What the runs so far say: the best under the budget, and what a teacher was worth.
pub fn found(runs: &[Run], budget: f64) -> Option<String> {
    let under: Vec<&Run> = runs.iter().filter(|run| run.bytes as f64 <= 1000.0 * budget).collect();
    let best = under.iter().min_by(|a, b| a.bits.total_cmp(&b.bits))?;
    let two = |bits: f64| format!("{bits:.2}");
    let mut text = tr!(
        "Best under {budget} KB: {name}, {how}, {bits} bits per byte in {size}; the base has {base}, the teacher {teacher}.",
        budget = three(budget),
        name = best.name,
        how = trained(best),
        bits = two(best.bits),
        size = kilobytes(best.bytes),
        base = two(best.bounds.base),
        teacher = two(best.bounds.teacher)
    );
    if let Some((name, plain, distilled)) = pair(runs) {
        let gain = plain - distilled;
        text += &match gain {
            gain if gain > 0.05 => tr!(" The teacher saves {name} {bits} bits.", name, bits = two(gain)),
            gain if gain < -0.05 => tr!(" The teacher costs {name} {bits} bits.", name, bits = two(-gain)),
            _ => tr!(" The teacher makes no difference to {name}, to 0.05 bits.", name),
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
    let read = format!("{:.3}", run.reread);
    match off < 0.005 {
        true => tr!("{read} bits read again from the file", read),
        false => tr!("{read} bits read again from the file, {off} from what was trained", read, off = three(off)),
    }
}
