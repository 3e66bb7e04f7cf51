//! Reading a link part by part, so that one bad part costs no more than itself: sites put keys of their own behind
//! links, and people mistype. What a part means is `query`'s business.

use serde_json::{Value, json};

use super::Config;
use super::lane::write;
use super::lane_text::read_lane;
use super::query::{KEYS, read};
use crate::args::object::refuse;
use crate::error::{Error, Result};
use crate::lang::tr;

/// Keys of the query that speak to the page itself, not to the run, or (`then`) of what is changed on its way. "all" once chose a larger build of the page; links
/// that have it still open.
pub const PAGE_KEYS: [&str; 12] =
    ["embed", "paused", "then", "all", "lang", "theme", "config", "host", "height", "join", "adapter", "base"];

/// What social networks, advertisers, mail programs and blogs put behind every link to see where a visitor came from.
const TRACKING: [&str; 29] = [
    "_ga",
    "_gl",
    "_hsenc",
    "_hsmi",
    "cmpid",
    "dclid",
    "ef_id",
    "fbclid",
    "gad_source",
    "gbraid",
    "gclid",
    "gclsrc",
    "igsh",
    "igshid",
    "li_fat_id",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "msclkid",
    "rdt_cid",
    "ref",
    "ref_src",
    "ref_url",
    "referrer",
    "s_kwcid",
    "ttclid",
    "twclid",
    "wbraid",
    "yclid",
];

/// How families of such keys begin.
const TRACKING_FAMILIES: [&str; 6] = ["utm_", "gad_", "hsa_", "mtm_", "pk_", "vero_"];

fn says_nothing(key: &str) -> bool {
    PAGE_KEYS.contains(&key)
        || TRACKING.contains(&key)
        || TRACKING_FAMILIES.iter().any(|family| key.starts_with(family))
}

impl Config {
    /// Reads a query, with or without its "?". The page's own keys (`PAGE_KEYS`) are passed over, and what others put
    /// behind links to follow their visitors (`utm_source`, `fbclid`).
    ///
    /// # Errors
    /// `Error::Config` with the key as it stands in the query (a lane's as in the document), its value and what
    /// is allowed there.
    pub fn from_query(query: &str) -> Result<Self> {
        let Read { config, errors, unknown } = Self::read_link(query);
        let unknown = unknown.first().map(|pair| {
            let known: Vec<&str> = KEYS.iter().map(|(key, ..)| *key).collect();
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            refuse(key, &value.into(), tr!("there is no such key; a link has lanes, {}", known.join(", ")))
        });
        errors.into_iter().next().or(unknown).map_or(Ok(config), Err)
    }

    /// As much of a query as can be used, and what cannot.
    pub fn read_link(query: &str) -> Read {
        let (mut link, mut errors) = Link::split(query);
        let unknown = std::mem::take(&mut link.unknown);
        loop {
            match Self::from_value(&link.document()) {
                Ok(config) => return Read { config, errors, unknown },
                Err(_) if link.is_empty() => return Read { config: Self::default(), errors, unknown },
                Err(error) => {
                    let error = link.named(error);
                    link.leave_out(&error);
                    errors.push(error);
                }
            }
        }
    }
}

/// What a query says.
pub struct Read {
    pub config: Config,
    /// What is wrong with values, in whose place defaults stand.
    pub errors: Vec<Error>,
    /// Pairs under keys that mean nothing here, `key=value` as a person reads them.
    pub unknown: Vec<String>,
}

/// What a link gives, each part well formed by itself.
#[derive(Default)]
struct Link {
    unknown: Vec<String>,
    /// Places in `KEYS` and values, each key once.
    pairs: Vec<(usize, Value)>,
    /// Places among the link's lanes and lanes; `None` if the link has none.
    lanes: Option<Vec<(usize, Value)>>,
}

impl Link {
    fn split(query: &str) -> (Self, Vec<Error>) {
        let mut link = Self::default();
        let mut errors = Vec::new();
        for pair in query.strip_prefix('?').unwrap_or(query).split('&').filter(|pair| !pair.is_empty()) {
            if let Err(error) = link.take(pair, &mut errors) {
                errors.push(error);
            }
        }
        (link, errors)
    }

    /// Takes in one pair; of lanes, the parts that can be read.
    fn take(&mut self, pair: &str, errors: &mut Vec<Error>) -> Result<()> {
        let undecodable = || refuse(tr!("the link"), &pair.into(), tr!("percent signs must encode UTF-8"));
        let (key, text) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decode(key).ok_or_else(undecodable)?;
        if says_nothing(&key) {
            return Ok(());
        }
        let text = decode(text).ok_or_else(undecodable)?;
        let twice = |key: &str| Err(refuse(key, &text.as_str().into(), tr!("a key may be given once only")));
        if key == "lanes" {
            if self.lanes.is_some() {
                return twice(&key);
            }
            let lanes = text.split('~').enumerate();
            self.lanes = Some(lanes.map(|(i, lane)| (i, read_lane(lane, &format!("lanes[{i}]"), errors))).collect());
            return Ok(());
        }
        let Some(place) = KEYS.iter().position(|(known, ..)| *known == key) else {
            self.unknown.push(format!("{key}={text}").chars().take(80).collect());
            return Ok(());
        };
        if self.pairs.iter().any(|(taken, _)| *taken == place) {
            return twice(&key);
        }
        self.pairs.push((place, read(KEYS[place].2, &text)));
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.lanes.is_none()
    }

    /// The document that the link stands for.
    fn document(&self) -> Value {
        let mut document = Config::default().to_value();
        // Only the keys that were given: the defaults depend on the kind of task.
        document["task"] = json!({});
        document["schedule"] = json!({});
        for (place, value) in &self.pairs {
            match KEYS[*place] {
                (_, "", name) => document[name] = value.clone(),
                (_, object, name) => document[object][name] = value.clone(),
            }
        }
        document["lanes"] = match &self.lanes {
            Some(lanes) => lanes.iter().map(|(_, lane)| lane.clone()).collect(),
            None => {
                let kind = document["task"]["kind"].as_str().unwrap_or_default();
                Config::default_lanes(kind).iter().map(write).collect()
            }
        };
        document
    }

    /// An error about the document, with its key as it stands in the query ("lr" for "optimizer.lr") and lanes counted
    /// as there.
    fn named(&self, error: Error) -> Error {
        let Error::Config { key, value, allowed } = error else { return error };
        let key = match (lane_of(&key), &self.lanes) {
            (Some((position, rest)), Some(lanes)) => {
                let index = lanes.get(position).map_or(position, |(index, _)| *index);
                format!("lanes[{index}]{rest}")
            }
            _ => {
                // A value of a list is named with its place: task.domains[1].
                let (path, place) = key.split_at(key.find('[').unwrap_or(key.len()));
                let known = KEYS.iter().find(|(_, object, name)| {
                    path.strip_prefix(object).and_then(|rest| rest.strip_prefix('.')) == Some(name)
                });
                known.map_or(key.clone(), |(short, ..)| format!("{short}{place}"))
            }
        };
        Error::Config { key, value, allowed }
    }

    /// Without the part that `error` names, of a lane its setting alone; if the link has no such part, without the last of those beside it in the
    /// document, which together made a default impossible.
    fn leave_out(&mut self, error: &Error) {
        let key = if let Error::Config { key, .. } = error { key.as_str() } else { "" };
        if let Some(lanes) = &mut self.lanes
            && key.starts_with("lanes")
        {
            match lane_of(key).and_then(|(index, rest)| Some((lanes.iter().position(|(at, _)| *at == index)?, rest))) {
                Some((position, rest)) => {
                    let setting =
                        rest.trim_start_matches('.').split(['.', '[']).next().filter(|name| *name != "method");
                    let lane = lanes[position].1.as_object_mut();
                    if lane.zip(setting).and_then(|(lane, setting)| lane.remove(setting)).is_none() {
                        lanes.remove(position);
                    }
                }
                None => lanes.clear(),
            }
            if lanes.is_empty() {
                self.lanes = None;
            }
            return;
        }
        let key = key.split('[').next().unwrap_or_default();
        let object_of = |key: &str| KEYS.iter().find(|(known, ..)| *known == key).map(|(_, object, _)| *object);
        let same = self.pairs.iter().position(|(place, _)| KEYS[*place].0 == key);
        let beside = || self.pairs.iter().rposition(|(place, _)| Some(KEYS[*place].1) == object_of(key));
        match same.or_else(beside).or(self.pairs.len().checked_sub(1)) {
            Some(position) => drop(self.pairs.remove(position)),
            None => self.lanes = None,
        }
    }
}

/// "lanes[2].rank" as 2 and ".rank".
fn lane_of(key: &str) -> Option<(usize, &str)> {
    let (index, rest) = key.strip_prefix("lanes[")?.split_once(']')?;
    Some((index.parse().ok()?, rest))
}

/// Percent-decoding as forms do it, "+" being a space; `None` where a percent sign begins no UTF-8 byte.
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = (bytes.next()? as char).to_digit(16)?;
                let low = (bytes.next()? as char).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests;
