//! Why some adapters cannot be combined, told before anybody presses the button, from what their lists already say: which
//! module, which adapters, what to do. What only their files can tell is the engine's to say. Knows no markup.

use crate::lang::tr;
use crate::order::grouped;
use crate::peft::combine::Combination;
use crate::peft::overview::Overview;

/// One adapter to be combined: its name on the page, and its rows.
pub type Part<'a> = (&'a str, &'a [Overview]);

/// The first reason why `parts` cannot be combined this way; `None` where none is known.
pub fn obstacle(parts: &[Part<'_>], how: Combination) -> Option<String> {
    let adapted = |row: &&Overview| !row.form.is_whole() && row.rank > 0;
    if let Some((name, _)) = parts.iter().find(|(_, rows)| !rows.iter().any(|row| adapted(&row))) {
        return Some(tr!(
            "{name} has no module that can be combined: it holds whole weights, which cannot be added.",
            name
        ));
    }
    for (name, rows) in parts {
        if let Some(row) = rows.iter().filter(adapted).find(|row| row.form.takes_the_base()) {
            return Some(tr!(
                "{name} is {} ({}), whose changes depend on the base's own size and cannot be added: give it the weight 0.",
                row.form.title(),
                row.name,
                name
            ));
        }
    }
    let all = parts
        .iter()
        .flat_map(|&(name, rows)| rows.iter().filter(adapted).map(move |row| (row.name.as_str(), (name, row))));
    grouped(all.collect()).into_iter().find_map(|(module, held)| differing(module, &held, how))
}

/// What keeps the adapters' parts of one module apart.
fn differing(module: &str, held: &[(&str, &Overview)], how: Combination) -> Option<String> {
    let (&(first, like), others) = held.split_first()?;
    let shape = |row: &Overview| format!("{} × {}", row.shape.0, row.shape.1);
    others.iter().find_map(|&(name, row)| {
        if row.shape != like.shape || row.kind != like.kind {
            return Some(tr!(
                "{module} is {} in {first} and {} in {name}: they are adapters of different models.",
                shape(like),
                shape(row), module, first, name));
        }
        (how == Combination::Linear && row.rank != like.rank).then(|| {
            tr!(
                "linear adds factors, which takes equal ranks: {module} has rank {} in {first} and {} in {name}. Take svd or cat.",
                like.rank, row.rank, module, first, name)
        })
    })
}

/// What is worth knowing of parts that can be combined: adapters that have no module in common only lie beside each other.
pub fn apart(parts: &[Part<'_>]) -> Option<String> {
    parts.iter().enumerate().find_map(|(at, (name, rows))| {
        let shared = |row: &Overview| {
            parts.iter().enumerate().any(|(other, (_, of))| other != at && of.iter().any(|o| o.name == row.name))
        };
        (parts.len() > 1 && !rows.iter().any(shared)).then(|| {
            tr!("{name} has no module in common with the others: its changes stay as they are, times its weight.", name)
        })
    })
}
