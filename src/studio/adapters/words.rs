//! What an overview says, in sentences that are true of its numbers. Knows no markup.

use super::wire::{Pair, Planned};
use crate::lang::tr;
use crate::order::distinct;
use crate::peft::combine::Combination;
use crate::peft::compare::Comparison;
use crate::peft::overview::{Outlier, Overview, totals};
use crate::peft::proof::{INPUTS, Proven};
pub use crate::view::format::size;
use crate::view::format::{count, list, modules, percent, three};

/// The first thing to know of an adapter, once it is measured.
pub fn lead(rows: &[Overview], outliers: &[Outlier]) -> String {
    let largest = |of: &dyn Fn(&Overview) -> Option<f64>| {
        let known = rows.iter().filter_map(|row| of(row).map(|value| (row, value)));
        known.max_by(|a, b| a.1.total_cmp(&b.1))
    };
    let mut said = Vec::new();
    if let Some((row, ratio)) = largest(&Overview::ratio) {
        said.push(tr!("It changes {} most, by {} of the weight's own size.", row.name, percent(ratio)));
    } else if let Some((row, norm)) = largest(&|row| row.norm) {
        let why = if rows.len() > 1 { tr!(" Whether that is much takes the base model.") } else { String::new() };
        said.push(tr!("Its largest change is {}, ‖ΔW‖ = {}.{why}", row.name, three(norm), why));
    }
    let ranked: Vec<f64> = rows.iter().filter_map(Overview::rank_in_use).collect();
    if !ranked.is_empty() {
        let share = ranked.iter().sum::<f64>() / ranked.len() as f64;
        let verdict = match share {
            1.0 => tr!("All of its rank is in use"),
            share if share > 0.9 => tr!("Nearly all of its rank is in use"),
            share if share > 0.6 => tr!("Most of its rank is in use"),
            _ => tr!("Much of its rank is idle"),
        };
        said.push(tr!("{verdict}: it takes {} of the directions to hold 99 % of a change.", percent(share), verdict));
    }
    let mut odd: Vec<usize> = outliers.iter().map(|outlier| outlier.row).collect();
    odd.dedup();
    match odd.as_slice() {
        [] => {}
        [one] => said.push(tr!("{} is unlike the others of its kind.", rows.get(*one).map_or("", |row| &row.name))),
        more => said.push(tr!("{} modules are unlike the others of their kind.", count(more.len()))),
    }
    let broken = rows.iter().filter(|row| row.not_finite).count();
    if broken > 0 {
        let holds = if broken == 1 { tr!("module holds") } else { tr!("modules hold") };
        said.push(tr!("{broken} {holds} NaN or infinity.", broken, holds));
    }
    said.join(" ")
}

/// Which of the adapter's weights the open base lacks, once that is known.
pub fn lacking(rows: &[Overview]) -> Option<String> {
    let without = rows.iter().filter(|row| row.base_norm.is_none()).count();
    match without {
        0 => None,
        all if all == rows.len()
            && rows.iter().any(|row| row.why.as_ref().is_some_and(|why| why.contains("quantised"))) =>
        {
            Some(tr!(
                "The base that is open is quantised: what the adapter does to it is shown, but not how much of it that is."
            ))
        }
        all if all == rows.len() => {
            Some(tr!("The base that is open holds none of this adapter's weights: it is another model's."))
        }
        some => {
            Some(tr!("The base that is open lacks {} of this adapter's {} weights.", count(some), count(rows.len())))
        }
    }
}

/// What it is: "LoRA of 14 modules, rank 4, BF16".
pub fn kind(rows: &[Overview]) -> String {
    if rows.is_empty() {
        return tr!("An adapter whose shapes are not in its file");
    }
    let adapted = rows.iter().filter(|row| !row.form.is_whole()).count();
    let whole = rows.len() - adapted;
    let form = rows.first().map_or("Weights", |row| row.form.title());
    let (least, most) = rows
        .iter()
        .filter(|row| !row.form.is_whole())
        .fold((usize::MAX, 0), |(low, high), row| (low.min(row.rank), high.max(row.rank)));
    let rank = match (adapted, least == most) {
        (0, _) => String::new(),
        (_, true) => tr!(", rank {most}", most),
        (_, false) => tr!(", ranks {least} to {most}", least, most),
    };
    let held = match whole {
        0 => String::new(),
        1 => tr!(" and 1 weight held whole"),
        more => tr!(" and {more} weights held whole", more),
    };
    let dtypes = distinct(rows.iter().map(|row| row.dtype.name()).collect());
    let parameters = count(totals(rows).parameters);
    tr!(
        "{form} of {modules}{held}{rank}, {parameters} parameters in {dtypes}",
        form,
        modules = modules(adapted),
        held,
        rank,
        parameters,
        dtypes = list(&dtypes.iter().map(ToString::to_string).collect::<Vec<_>>())
    )
}

/// The first few names of a list that may be long.
pub fn list_of(names: &[String]) -> String {
    match names {
        [_, _, _, _, _, ..] => tr!("{} and {} more", names[..4].join(", "), count(names.len() - 4)),
        _ => names.join(", "),
    }
}

/// What a weighted sum is called: "style − 0.500 tone".
pub fn combined(parts: &[(&str, f64)]) -> String {
    let mut said = String::new();
    for (at, (name, weight)) in parts.iter().enumerate() {
        let sign = match (at, *weight < 0.0) {
            (0, false) => "",
            (0, true) => "−",
            (_, false) => " + ",
            (_, true) => " − ",
        };
        let size = weight.abs();
        let times = if size == 1.0 { String::new() } else { format!("{} ", three(size)) };
        said.push_str(&format!("{sign}{times}{name}"));
    }
    said
}

/// What came of a combination; errors are those of its modules.
pub fn made(name: &str, how: Combination, errors: &[f64]) -> String {
    let worst = errors.iter().fold(0.0f64, |most, &e| e.max(most));
    let modules = modules(errors.len());
    let begun = tr!("Made {name}, {modules}:", name, modules);
    match how {
        Combination::Cat => tr!("{begun} the weighted sum exactly, up to rounding.", begun),
        _ if worst < 1e-6 => tr!("{begun} the weighted sum, up to rounding.", begun),
        Combination::Svd(_) => tr!("{begun} its rank leaves out up to {} of a module's sum.", percent(worst), begun),
        Combination::Linear => {
            tr!(
                "{begun} adding factors is not adding changes; it is up to {} of a sum away from it.",
                percent(worst),
                begun
            )
        }
    }
}

/// How far a merged model is from its base with the adapter beside it.
pub fn proof(proven: &Proven) -> String {
    let Proven { largest, relative, at } = proven;
    if at.is_empty() {
        return tr!("Nothing changed.");
    }
    let apart = tr!("{}, {} of the largest output", three(*largest), percent(*relative));
    tr!(
        "Proof: over {INPUTS} random inputs of every changed weight, the merged and the adapted model are at most {apart}, apart ({at}).",
        INPUTS,
        apart,
        at
    )
}

/// What a merge will change, in a sentence.
pub fn planned(plan: &Planned) -> String {
    let changes = match plan.changes.len() {
        1 => tr!("1 weight will change"),
        more => tr!("{} weights will change", count(more)),
    };
    let more = match plan.left_out.len() {
        0 => tr!("nothing of the adapter is left out"),
        1 => tr!("1 thing of the adapter is left out"),
        more => tr!("{} things of the adapter are left out", count(more)),
    };
    format!("{changes} ({}); {more}.", list_of(&plan.changes))
}

/// A rank kept, and what it costs.
pub fn kept(rank: usize, of: usize, error: f64) -> String {
    let energy = 1.0 - error * error;
    match (rank, error) {
        (rank, _) if rank >= of => tr!("All of it is kept: nothing is lost."),
        (0, _) => tr!("Nothing is kept: the base alone."),
        (_, error) if error < 1e-6 => tr!("Rank {rank} keeps all of it: what is left out is rounding.", rank),
        _ => tr!("Rank {rank} keeps {} of ‖ΔW‖²; the error is {} of ‖ΔW‖.", percent(energy), percent(error), rank),
    }
}

/// How two adapters stand to each other.
pub fn agreement(pairs: &[Pair]) -> String {
    let both: Vec<_> = pairs.iter().filter_map(|pair| Some((pair, pair.comparison.as_ref().ok()?))).collect();
    if both.is_empty() {
        return tr!("They have no module in common.");
    }
    let weight = |c: &Comparison| c.norms.0 * c.norms.1;
    let total: f64 = both.iter().map(|(_, c)| weight(c)).sum();
    let mean = if total > 0.0 { both.iter().map(|(_, c)| c.cosine * weight(c)).sum::<f64>() / total } else { 0.0 };
    let verdict = match mean {
        m if m > 0.8 => tr!("do nearly the same"),
        m if m > 0.3 => tr!("pull the same way in part"),
        m if m > -0.3 => tr!("have little to do with each other"),
        m if m > -0.8 => tr!("work against each other in part"),
        _ => tr!("are nearly opposite"),
    };
    let alike = both.iter().max_by(|a, b| a.1.cosine.total_cmp(&b.1.cosine));
    let most = match alike {
        Some((pair, c)) if both.len() > 1 => tr!(" Most alike is {}, {}.", pair.name, three(c.cosine)),
        _ => String::new(),
    };
    let apart = match pairs.len() - both.len() {
        0 => String::new(),
        1 => tr!(" 1 module is in one of them only, or of another shape."),
        more => tr!(" {more} modules are in one of them only, or of another shape.", more),
    };
    let modules = modules(both.len());
    tr!(
        "In {modules} that both adapt, they {verdict}: the mean cosine of ΔW is {}.{most}{apart}",
        three(mean),
        modules,
        verdict,
        most,
        apart
    )
}
