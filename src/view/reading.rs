//! What the page has of a language model: the newest held-out scores with their history, the passage and the texts under
//! way. Knows nothing of how they are drawn.

use super::format::{count, three};
use super::snap::Snap;
use crate::config::{Lane, Named, SavedModule};
use crate::lang::{said, tr};
use crate::protocol::Floor;
use crate::protocol::text::{
    HeldFrame, HeldLanguage, HeldScore, MapFrame, PassageFrame, ServedScore, TextFrame, WritingFrame,
};

/// Scores kept per lane.
const SCORES: usize = 256;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    pub held: Option<Snap<HeldFrame>>,
    /// By lane, every score so far: the curve of held-out text.
    pub history: Vec<Snap<Vec<HeldScore>>>,
    pub passage: Option<Snap<PassageFrame>>,
    /// Base first, then each lane.
    pub writing: Option<Snap<Vec<WritingFrame>>>,
    pub map: Option<Snap<MapFrame>>,
}

impl Reading {
    pub fn take_in(&mut self, text: TextFrame) {
        if let Some(held) = text.held {
            self.history.resize_with(held.lanes.len(), || Snap::new(Vec::new()));
            for (history, score) in self.history.iter_mut().zip(&held.lanes) {
                let Some(score) = score else { continue };
                history.change(|history| {
                    // The same step may be scored twice, quickly and then whole.
                    history.retain(|earlier| earlier.step < score.step);
                    history.push(score.clone());
                    if history.len() > SCORES {
                        history.remove(1);
                    }
                });
            }
            self.held = Some(Snap::new(held));
        }
        self.passage = text.passage.map(Snap::new).or(self.passage.take());
        self.writing = text.writing.map(Snap::new).or(self.writing.take());
    }
}

impl HeldLanguage {
    /// Whether the lanes are trained on it.
    pub fn is_trained(&self) -> bool {
        self.frequencies.is_some()
    }
}

impl HeldFrame {
    /// Mean over the languages trained on of what `value` gives; none unless it gives one for each.
    fn mean(&self, value: impl Fn(usize, &HeldLanguage) -> Option<f32>) -> Option<f64> {
        let trained = self.languages.iter().enumerate().filter(|(_, language)| language.is_trained());
        let values: Vec<f32> = trained.map(|(index, language)| value(index, language)).collect::<Option<_>>()?;
        (!values.is_empty()).then(|| values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64)
    }

    /// A score's mean over the languages trained on.
    pub fn new_mean(&self, score: &HeldScore) -> Option<f64> {
        self.mean(|index, _| score.bits.get(index).copied())
    }

    /// Whether the base costs more than guessing there, so that what a lane gains says nothing of how well it adapts.
    pub fn is_unread(&self, index: usize) -> bool {
        self.base.as_ref().and_then(|base| base.bits.get(index)).is_some_and(|&bits| bits > self.text.guessing)
    }

    /// What each language costs less with each lane than with the base, lanes of one language beside each other, languages
    /// trained on first; none where it was not measured, or where it would be no sign of learning the language.
    pub fn gains(&self) -> Vec<Option<f32>> {
        let gain = |index: usize, score: &Option<HeldScore>| {
            let (base, own) = (self.base.as_ref()?.bits.get(index)?, score.as_ref()?.bits.get(index)?);
            (!self.is_unread(index)).then_some(base - own)
        };
        self.order().into_iter().flat_map(|index| self.lanes.iter().map(move |score| gain(index, score))).collect()
    }

    /// Languages as they are listed: those trained on first.
    pub fn order(&self) -> Vec<usize> {
        let (new, old): (Vec<usize>, Vec<usize>) =
            (0..self.languages.len()).partition(|&index| self.languages[index].is_trained());
        [new, old].concat()
    }

    /// What the losses are to be held against: means over the languages trained on.
    pub fn levels(&self) -> Vec<Floor> {
        let level = |share: Option<f64>, label: String, why: String| {
            share.map(|share| Floor { lanes: Vec::new(), share, noise: 0.0, binds: None, label, why })
        };
        let base = self.base.as_ref().and_then(|base| self.new_mean(base));
        let token = self.text.token();
        [
            level(base, tr!("base"), tr!("The frozen base, untouched, on held-out text in the languages trained on: their mean.")),
            level(
                self.mean(|_, language| language.frequencies),
                tr!("single {token}s", token),
                tr!("What the training texts take if each {token} is coded by how often it occurs, whatever comes before it: the entropy of single {token}s, mean of the languages.", token),
            ),
            level(
                self.mean(|_, language| language.compressed),
                "DEFLATE".into(),
                tr!("What the training texts take compressed by DEFLATE, the method of gzip and PNG, at its highest level: mean of the languages."),
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// What lanes whose gates look at a whole passage gain by that.
    pub fn leaks(&self, names: &[String]) -> Vec<String> {
        let token = self.text.token();
        let told = |(score, name): (&Option<ServedScore>, &String)| {
            let ServedScore { step, at_once, served, bytes } = (*score)?;
            let [at_once, served] = [at_once, served].map(|bits| format!("{bits:.2}"));
            Some(tr!(
                "{name} cheats: its gates look at the whole passage, and so at the {token}s that it is to predict. In one go it costs {at_once} bits per {token}; the same {} {token}s served one by one, as text that is not written yet has to be, cost {served} (step {}).",
                count(bytes),
                count(step),
                name,
                token,
                at_once,
                served
            ))
        };
        self.served.iter().zip(names).filter_map(told).collect()
    }

    /// A language among those trained on whose bytes the base never met.
    pub fn unread(&self) -> Option<usize> {
        (0..self.languages.len()).find(|&index| self.languages[index].is_trained() && self.is_unread(index))
    }

    /// What adapters cannot do, where there is such a language; and what lanes do there that train embedding and head whole.
    pub fn lesson(&self, lanes: &[Lane], names: &[String]) -> Option<String> {
        let index = self.unread()?;
        let of = |score: &HeldScore| score.bits.get(index).map(|&bits| three(f64::from(bits)));
        let (bits, name) = (of(self.base.as_ref()?)?, short_name(&self.languages[index].name));
        let whole = |&(lane, _): &(&Lane, &String)| SavedModule::ALL.iter().all(|&module| lane.saves(module));
        let own = lanes.iter().zip(names).enumerate().filter(|(_, lane)| whole(lane));
        let told = own.map(|(at, (_, name))| match self.lanes.get(at).and_then(|score| of(score.as_ref()?)) {
            Some(bits) => tr!("{name}, which trains both whole, is at {bits}", name, bits),
            None => tr!("{name} trains both whole", name),
        });
        let told: Vec<String> = told.collect();
        let others = match told.is_empty() {
            true => tr!("To see what that costs, let a lane train embed_tokens and lm_head whole, in its menu"),
            false => told.join("; "),
        };
        let (guessing, unit) = (three(f64::from(self.text.guessing)), self.text.unit());
        Some(match self.languages.iter().any(|language| language.old) {
            // The page's own model and texts.
            true => tr!(
                "{name} is beyond what adapters can do here: guessing costs {guessing} {unit}, and the base pays {bits}, because it never met these bytes. Where embedding and head stay frozen, what lanes gain is mostly which bytes occur, and in short runs they stopped near 5. {others}. It is left uncoloured.",
                name,
                guessing,
                unit,
                bits,
                others
            ),
            false => tr!(
                "{name} costs the base {bits} {unit}, where guessing costs {guessing}: it is surer of other text than it knows of this one. Much of what lanes gain is only which {token}s occur. {others}. It is left uncoloured.",
                token = self.text.token(),
                name,
                bits,
                unit,
                guessing,
                others
            ),
        })
    }
}

/// A language's name without its variety: "German" of "German, Standard (1996)".
pub fn short_name(name: &str) -> String {
    said(name).split([',', '(', '（']).next().unwrap_or(name).trim_end().to_owned()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::protocol::text::TextInfo;

    fn language(name: &str, frequencies: Option<f32>) -> HeldLanguage {
        HeldLanguage {
            name: name.into(),
            old: frequencies.is_none(),
            frequencies,
            compressed: frequencies.map(|f| f - 1.0),
        }
    }

    pub fn score(step: usize, bits: &[f32]) -> HeldScore {
        HeldScore { step, bits: bits.to_vec(), bytes: vec![1024; bits.len()], whole: false }
    }

    /// German and Russian trained on, English read before.
    pub fn held(base: [f32; 3], lanes: &[HeldScore]) -> HeldFrame {
        HeldFrame {
            text: TextInfo::default(),
            languages: vec![
                language("German, Standard (1996)", Some(4.0)),
                language("Russian", Some(5.0)),
                language("English", None),
            ],
            base: Some(score(0, &base)),
            lanes: lanes.iter().cloned().map(Some).collect(),
            served: Vec::new(),
        }
    }

    #[test]
    fn levels_are_means_of_the_languages_trained_on() {
        let levels: Vec<f64> = held([5.0, 2.5, 2.0], &[]).levels().iter().map(|level| level.share).collect();
        assert_eq!(levels, [3.75, 4.5, 3.5]);
        assert_eq!(HeldFrame::default().levels(), []);
    }

    #[test]
    fn gains_are_against_the_base() {
        let held = held([5.0, 16.0, 2.0], &[score(5, &[3.0, 5.0, 2.5]), score(5, &[4.5, 5.0, 2.0])]);
        assert_eq!(held.gains(), [Some(2.0), Some(0.5), None, None, Some(-0.5), Some(0.0)]);
    }

    #[test]
    fn what_the_base_never_read_is_a_lesson() {
        assert_eq!(held([5.0, 8.0, 2.0], &[]).lesson(&[], &[]), None);
        let text = held([5.0, 16.3, 2.0], &[]).lesson(&[], &[]).unwrap();
        assert!(text.starts_with("Russian is beyond") && text.contains("pays 16.3,"), "{text}");
        assert!(text.contains("let a lane train embed_tokens and lm_head"), "{text}");
        // Not what is only forgotten.
        assert_eq!(held([5.0, 2.0, 9.0], &[]).lesson(&[], &[]), None);
        let lane = Lane::from_text("lora").unwrap();
        let lanes = [vec![SavedModule::Embedding], SavedModule::ALL.to_vec()]
            .map(|modules_to_save| Lane { modules_to_save, ..lane.clone() });
        let scored = held([5.0, 16.3, 2.0], &[score(5, &[3.0, 5.1, 2.5]), score(5, &[3.0, 4.1, 2.5])]);
        let text = scored.lesson(&lanes, &["A".into(), "B".into()]).unwrap();
        assert!(text.contains("near 5. B, which trains both whole, is at 4.10. It is"), "{text}");
    }

    #[test]
    fn what_reads_ahead_is_told_both_ways() {
        let mut held = held([5.0; 3], &[]);
        assert!(held.leaks(&["A".into(), "B".into()]).is_empty());
        held.served = vec![None, Some(ServedScore { step: 120, at_once: 2.304, served: 2.521, bytes: 1024 })];
        let told = held.leaks(&["A".into(), "B".into()]);
        assert!(told.len() == 1 && told[0].starts_with("B cheats"), "{told:?}");
        assert!(told[0].contains("In one go it costs 2.30") && told[0].ends_with("cost 2.52 (step 120)."), "{told:?}");
    }

    #[test]
    fn scores_are_kept_in_order_and_the_newest_of_a_step() {
        let mut reading = Reading::default();
        for (step, bits) in [(10, 3.0), (20, 2.5), (20, 2.4)] {
            let held = Some(held([5.0; 3], &[score(step, &[bits; 3])]));
            reading.take_in(TextFrame { held, ..TextFrame::default() });
        }
        let kept: Vec<(usize, f32)> = reading.history[0].iter().map(|score| (score.step, score.bits[0])).collect();
        assert_eq!(kept, [(10, 3.0), (20, 2.4)]);
    }
}
