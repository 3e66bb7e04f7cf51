//! What was measured of fifty languages, in words and numbers. Knows no markup.

use super::kinds::kind;
use super::measured::{Choice, Measured};
use super::merging::{WAYS, limits};
use super::wire::{Merging, Reading};
use crate::lang::{said, tr};
use crate::view::format::{count, percent, three};

/// What counts as interference, in bits per byte.
pub const INTERFERES: f64 = 0.1;

/// A language's short name.
pub fn short(measured: &Measured, language: usize) -> String {
    said(kind(&measured.codes[language]).name)
}

/// An adapter's, or that there is none.
pub fn adapter(measured: &Measured, adapter: Option<usize>) -> String {
    adapter.map_or_else(|| tr!("no adapter"), |at| tr!("{}'s adapter", short(measured, at)))
}

pub fn bytes(size: usize) -> String {
    if size >= 1_000_000 { tr!("{} MB", three(size as f64 / 1e6)) } else { tr!("{} KB", count(size / 1000)) }
}

/// What was measured of all pairs.
pub fn sentence(measured: &Measured) -> String {
    let (worse, of) = measured.worse_than_none();
    let languages = measured.codes.len();
    tr!(
        "Each language's own adapter is the best for it, for {best} of {languages}; another language's adapter is worse than none in {worse} of {of} pairs ({share} %).",
        best = measured.own_best(),
        languages,
        worse = count(worse),
        of = count(of),
        share = format!("{:.0}", 100.0 * worse as f64 / of as f64)
    )
}

/// Sizes, each with what it is of.
pub fn sizes(measured: &Measured) -> [(String, String); 4] {
    let (languages, own) = (measured.codes.len(), measured.bytes);
    let models = own.base * languages;
    [
        (tr!("one base"), bytes(own.base)),
        (tr!("{languages} adapters, one file", languages), bytes(own.adapters)),
        (tr!("one adapter"), bytes(own.adapters / languages.max(1))),
        (
            tr!("{languages} models instead", languages),
            format!("{} · {} ×", bytes(models), three(models as f64 / (own.base + own.adapters) as f64)),
        ),
    ]
}

/// A cell of both matrices.
pub fn cell(measured: &Measured, of: usize, on: usize) -> String {
    let (bits, none) = (measured.bits[of][on], measured.base[on]);
    let against = match bits - none {
        more if more > 0.0 => tr!("{} more than with none", three(more)),
        less => tr!("{} less than with none", three(-less)),
    };
    let who = short(measured, of);
    let cosine = measured.cosine[of][on];
    let alike = if of == on { String::new() } else { tr!(" · cosine of the two changes {}", format!("{cosine:.3}")) };
    tr!(
        "{who}'s adapter on {on}: {bits} bits per byte, {against}{alike}",
        who,
        on = short(measured, on),
        bits = format!("{bits:.2}"),
        against,
        alike
    )
}

/// The lab's address for training a language's adapter anew, as it was trained.
pub fn anew(measured: &Measured, language: usize) -> String {
    let own = &measured.settings;
    format!(
        "?task=text&languages={}&sequence=64&seed={}&warmup={}&total={}&lanes={}",
        measured.codes[language], own.seed, own.warmup, own.steps, own.lane
    )
}

/// How often the language was found.
pub fn found(choice: &Choice) -> String {
    tr!("{} of {} ({})", count(choice.right() as usize), count(choice.of() as usize), percent(share(choice)))
}

pub fn share(choice: &Choice) -> f64 {
    f64::from(choice.right()) / f64::from(choice.of().max(1))
}

/// Which languages were taken for which, the most frequent first; `None`: no adapter was the cheapest.
pub fn mistaken(choice: &Choice) -> Vec<(usize, Option<usize>, u32)> {
    let count = choice.confusion.len();
    let mut all = Vec::new();
    for (language, row) in choice.confusion.iter().enumerate() {
        let wrong = row.iter().enumerate().filter(|&(taken, &times)| taken != language && times > 0);
        all.extend(wrong.map(|(taken, &times)| (language, (taken < count).then_some(taken), times)));
    }
    crate::order::sorted(all, |a, b| b.2.cmp(&a.2))
}

/// What reading a text found.
pub fn reading(measured: &Measured, reading: &Reading) -> String {
    let base = reading.bits.last().copied().unwrap_or(f64::NAN);
    let order = crate::order::places(reading.bits.len(), &|a, b| reading.bits[a].total_cmp(&reading.bits[b]));
    let who = |at: usize| (at + 1 < reading.bits.len()).then_some(at);
    let Some(&best) = order.first() else { return String::new() };
    let worse = reading.bits.iter().filter(|&&bits| bits > base).count();
    let more = if reading.read < reading.of { tr!(" of {}", count(reading.of)) } else { String::new() };
    let two = |bits: f64| format!("{bits:.2}");
    tr!(
        "Over {read}{more} bytes, {best} is cheapest: {bits} bits per byte, where the base alone takes {base}; {worse} of {all} adapters are worse than none.",
        read = count(reading.read),
        more,
        best = adapter(measured, who(best)),
        bits = two(reading.bits[best]),
        base = two(base),
        worse,
        all = reading.bits.len() - 1
    )
}

/// Where interference begins, by each way of merging.
pub fn interference(merging: &Merging) -> String {
    let said = WAYS.iter().enumerate().map(|(way, name)| {
        let (first, none) = limits(&merging.points, way, merging.base, INTERFERES);
        let last = merging.points.last().map_or(1, |(count, _)| *count);
        match (first, none) {
            (None, _) => tr!("{name}: within {INTERFERES} bits up to {last}", name, last, INTERFERES),
            (Some(first), None) => tr!("{name}: from {first} adapters on", name, first),
            (Some(first), Some(none)) => {
                tr!("{name}: from {first} adapters on, and from {none} on worse than no adapter", name, first, none)
            }
        }
    });
    tr!("Interference of more than {INTERFERES} bits begins with {}.", said.collect::<Vec<_>>().join("; "), INTERFERES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Task};

    fn own() -> Measured {
        Measured::read(include_bytes!("../../../www/data/lm/languages.json")).unwrap()
    }

    #[test]
    fn an_adapter_is_trained_anew_as_it_was() {
        let measured = own();
        let config = Config::from_query(anew(&measured, 40).trim_start_matches('?')).unwrap();
        let Task::Text(text) = &config.task else { panic!("{config:?}") };
        assert_eq!(text.languages, ["zul"]);
        assert_eq!(config.lanes.len(), 1);
    }

    #[test]
    fn sizes_are_those_of_the_files() {
        let [base, all, one, models] = sizes(&own()).map(|(_, size)| size);
        assert_eq!([&*base, &*all, &*one, &*models], ["939 KB", "2.92 MB", "58 KB", "47.0 MB · 12.2 ×"]);
    }

    #[test]
    fn mistakes_are_all_that_is_not_right() {
        let measured = own();
        for choice in &measured.choice {
            let wrong: u32 = mistaken(choice).iter().map(|(.., times)| times).sum();
            assert_eq!(wrong + choice.right(), choice.of());
        }
        let at = measured.choice.iter().find(|choice| choice.bytes == 64).unwrap();
        assert_eq!(found(at), "735 of 750 (98.0 %)");
    }

    #[test]
    fn a_cell_says_both_names() {
        let said = cell(&own(), 0, 1);
        assert!(said.starts_with("German's adapter on Dutch: ") && said.contains("than with none"), "{said}");
    }
}
