//! What was changed in a run under way, as the key `then` of its link has it: `then=40.1.lora.r2~60.2.off0-3~90.2.on`, each
//! change with the step before which it came, its lane, counted from 0, and what the lane then is; or, in the pictures
//! alone, a layer's expert that is off. Knows nothing of how a change is made.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Config, Lane, link::decode};
use crate::args::object::refuse;
use crate::error::{Error, Result};
use crate::lang::tr;

/// A change of a run under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Steps done before it.
    pub step: usize,
    pub lane: usize,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Another rank, or another weight of a term of its loss: the lane as it then is.
    Lane(Lane),
    /// Layer and expert whose gate is shown at zero; `None`: all are on again.
    Off(Option<(usize, usize)>),
}

impl Edit {
    fn to_text(&self) -> String {
        let what = match &self.what {
            What::Lane(lane) => lane.to_text(),
            What::Off(Some((layer, expert))) => format!("off{layer}-{expert}"),
            What::Off(None) => "on".into(),
        };
        format!("{}.{}.{what}", self.step, self.lane)
    }

    fn from_text(text: &str) -> Result<Self> {
        let Some((step, lane, what)) = split(text) else {
            return Err(refuse(
                "then",
                &text.into(),
                tr!("step, lane and change as in 40.1.lora.r2, 60.2.off0-3 or 90.2.on"),
            ));
        };
        let what = match off(what) {
            Some(off) => What::Off(off),
            None => What::Lane(Lane::from_text(what)?),
        };
        Ok(Self { step, lane, what })
    }
}

fn split(text: &str) -> Option<(usize, usize, &str)> {
    let (step, rest) = text.split_once('.')?;
    let (lane, what) = rest.split_once('.')?;
    Some((step.parse().ok()?, lane.parse().ok()?, what))
}

/// "off0-3", or "on".
fn off(text: &str) -> Option<Option<(usize, usize)>> {
    if text == "on" {
        return Some(None);
    }
    let (layer, expert) = text.strip_prefix("off")?.split_once('-')?;
    Some(Some((layer.parse().ok()?, expert.parse().ok()?)))
}

/// The value of the key, as `read_then` reads it.
pub fn then_text(edits: &[Edit]) -> String {
    edits.iter().map(Edit::to_text).collect::<Vec<_>>().join("~")
}

impl Config {
    /// The changes that a link makes to this run, and what is wrong with the others.
    pub fn read_then(&self, text: &str) -> (Vec<Edit>, Vec<Error>) {
        let (mut edits, mut errors, mut now) = (Vec::new(), Vec::new(), self.clone());
        let text = decode(text).unwrap_or_default();
        for (index, one) in text.split('~').enumerate() {
            let read = Edit::from_text(one).and_then(|edit| match now.take(&edit, &edits) {
                None => Ok(edit),
                Some(allowed) => Err(refuse("then", &one.into(), allowed)),
            });
            match read {
                Ok(edit) => edits.push(edit),
                Err(Error::Config { value, allowed, .. }) => {
                    errors.push(Error::Config { key: format!("then[{index}]"), value, allowed });
                }
                Err(error) => errors.push(error),
            }
        }
        (edits, errors)
    }

    /// Makes a change; if the run cannot take it after those before, what it could take.
    fn take(&mut self, edit: &Edit, before: &[Edit]) -> Option<String> {
        let (first, total) = (before.last().map_or(0, |last| last.step), self.schedule.total);
        if !(first..=total).contains(&edit.step) {
            return Some(tr!("a step from {first}, that of the change before it, to {total}", first, total));
        }
        let Some(lane) = self.lanes.get(edit.lane) else {
            return Some(tr!("lanes are numbered 0 to {}", self.lanes.len() - 1));
        };
        match &edit.what {
            What::Lane(to) if lane.becomes(to) => {
                let old = std::mem::replace(&mut self.lanes[edit.lane], to.clone());
                let error = self.validate().err()?;
                self.lanes[edit.lane] = old;
                Some(error.to_string())
            }
            What::Off(Some((site, expert)))
                if *site >= self.task.site_count() || *expert >= lane.experts_at(self.task.layer_of(*site)) =>
            {
                Some(tr!("a layer and an expert of {}, counted from 0", lane.to_text()))
            }
            What::Off(_) => None,
            What::Lane(_) => Some(tr!("what {} can become in mid-training", lane.to_text())),
        }
    }
}

impl Serialize for Edit {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Edit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        Self::from_text(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let config = Config::default();
        let text = "0.1.lora.r2~40.2.molora.n4.r3~40.2.molora.n4.r3.switch0.25~60.2.off0-3~90.2.on~2000.1.lora.r8";
        let (edits, errors) = config.read_then(text);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(then_text(&edits), text);
        assert_eq!(config.read_then(&text.replace('~', "%7E")).0, edits);
        assert_eq!(edits[3].what, What::Off(Some((0, 3))));
        let bytes = postcard::to_allocvec(&edits).unwrap();
        assert_eq!(postcard::from_bytes::<Vec<Edit>>(&bytes).unwrap(), edits);
    }

    #[test]
    fn what_cannot_be_is_named_and_the_rest_is_kept() {
        for (bad, word) in [
            ("40.1", "40.1.lora.r2"),
            ("x.1.lora.r2", "x.1.lora.r2"),
            ("9.1.lora.r2", "from 40"),
            ("2001.1.lora.r2", "2000"),
            ("50.9.lora.r2", "0 to 3"),
            ("50.0.full.r2", "full"),
            ("50.1.lora.r0", "0"),
            ("50.1.molora", "lora"),
            ("50.1.lora.a2", "lora"),
            ("50.1.off0-0", "expert"),
            ("50.2.off1-0", "layer"),
            ("50.2.off0-4", "expert"),
            ("50.2.off", "off"),
        ] {
            let (edits, errors) = Config::default().read_then(&format!("40.3.mor1e.n4~{bad}~60.1.lora.r3"));
            assert_eq!(edits.len(), 2, "{bad}");
            let said = errors[0].to_string();
            assert!(errors.len() == 1 && said.contains("then[1]") && said.contains(word), "{bad}: {said}");
        }
    }
}
