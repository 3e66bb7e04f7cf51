//! What was changed in a run under way, as marks on the axis of its steps. Pure; knows no markup.

use super::format::{count, setting_name, setting_text};
use crate::args::Setting;
use crate::config::{Edit, Lane, What};
use crate::lang::tr;

/// One change, or several of one slider that lie close together.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub step: usize,
    pub lane: usize,
    /// "rank 8 → 2".
    pub label: String,
    /// In a sentence, with the lane's name.
    pub why: String,
}

/// The changes up to `step` of lanes that began as `begun`; those of one slider within `apart` steps are one.
pub fn changes(edits: &[Edit], begun: &[Lane], names: &[String], apart: usize) -> Vec<Change> {
    let mut lanes = begun.to_vec();
    // Of each change, the lane before it, and after it where that is another.
    let mut found: Vec<(&Edit, Lane, Option<Lane>)> = Vec::new();
    for edit in edits {
        let Some(now) = lanes.get_mut(edit.lane) else { continue };
        let to = match &edit.what {
            What::Lane(to) => Some(to.clone()),
            What::Off(_) => None,
        };
        let from = std::mem::replace(now, to.clone().unwrap_or_else(|| now.clone()));
        match found.last_mut() {
            Some((first, _, last @ Some(_)))
                if to.is_some() && first.lane == edit.lane && edit.step <= first.step + apart =>
            {
                *last = to;
            }
            _ => found.push((edit, from, to)),
        }
    }
    let change = |(edit, from, to): (&Edit, Lane, Option<Lane>)| {
        let label = match (to, &edit.what) {
            (Some(to), _) => differences(&from, &to)?,
            (None, What::Off(Some((_, expert)))) => tr!("expert {} off", expert + 1),
            _ => tr!("experts on"),
        };
        let name = names.get(edit.lane)?;
        let shown = if matches!(edit.what, What::Off(_)) { tr!(", in measurements only") } else { String::new() };
        let why = tr!("Step {}: {name}, {label}{shown}.", count(edit.step), name, label, shown);
        Some(Change { step: edit.step, lane: edit.lane, label, why })
    };
    found.into_iter().filter_map(change).collect()
}

/// Numbers that differ, as "rank 8 → 2"; none where nothing does.
fn differences(from: &Lane, to: &Lane) -> Option<String> {
    let setting = |setting: &&'static Setting| {
        // The numbers say it; what is chosen with them, as a kind of balance, would only be longer.
        let is_number = [from, to].iter().all(|lane| lane.settings.number(setting.key).is_some());
        let [old, new] = [from, to].map(|lane| setting_text(lane, setting));
        (is_number && old != new).then(|| format!("{} {old} → {new}", setting_name(setting)))
    };
    let all: Vec<String> = to.described().iter().filter_map(setting).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_drawn_slider_is_one_mark_and_others_their_own() {
        let config = Config::default();
        let text =
            "100.1.lora.r7~102.1.lora.r5~104.1.lora.r1~105.2.molora.switch0.5~300.1.lora.r4~400.2.off0-2~410.2.on";
        let (edits, errors) = config.read_then(text);
        assert!(errors.is_empty(), "{errors:?}");
        let names = ["full", "LoRA", "MoLoRA", "MoR1E"].map(String::from);
        let found = changes(&edits, &config.lanes, &names, 20);
        let short: Vec<_> = found.iter().map(|change| (change.step, change.lane, change.label.as_str())).collect();
        assert_eq!(
            short,
            [
                (100, 1, "rank 8 → 1"),
                (105, 2, "balance weight 0 → 0.5"),
                (300, 1, "rank 1 → 4"),
                (400, 2, "expert 3 off"),
                (410, 2, "experts on"),
            ]
        );
        assert_eq!(found[0].why, "Step 100: LoRA, rank 8 → 1.");
        assert_eq!(changes(&edits, &config.lanes, &names, 1).len(), 7);
        // There and back again is no change.
        let (edits, _) = config.read_then("100.1.lora.r7~101.1.lora");
        assert!(changes(&edits, &config.lanes, &names, 20).is_empty());
    }
}
