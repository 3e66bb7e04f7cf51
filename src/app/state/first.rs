//! What of a run is looked at before anybody has chosen. Knows nothing of what happens later.

use crate::config::{Config, Model, Named, Projection, Task};
use crate::method::description::Reach;
use crate::protocol::text::{Look, Passage};
use crate::protocol::{MergeMode, Watch};
use crate::task::text::languages;

/// The lane that the inspector opens with: the first of a low rank whose merge is exact, else the first.
pub fn first_watch(config: &Config) -> Watch {
    let is_low_rank = |lane: &crate::config::Lane| matches!(lane.reach_at(0), Reach::Single { rank: Some(_) });
    Watch {
        lane: config.lanes.iter().position(is_low_rank).unwrap_or(0),
        layer: 0,
        merge: MergeMode::MeanGate,
        domain: 0,
        token: 0,
    }
}

/// The same where experts are to be seen: the first that has any.
pub fn first_mixture(config: &Config) -> Watch {
    let watch = first_watch(config);
    Watch { lane: config.lanes.iter().position(|lane| lane.is_gated()).unwrap_or(watch.lane), ..watch }
}

/// The passage that a language model is first seen to read, and the first layer that has gates to be told with it.
pub fn first_look(config: &Config) -> Option<Look> {
    let Task::Text(text) = &config.task else { return None };
    let lane = config.lanes.iter().find(|lane| lane.is_gated()).or(config.lanes.first())?;
    let first = |projection: &Projection| lane.targets.as_ref().is_none_or(|targets| targets.contains(projection));
    let layer = lane.layers.as_ref().and_then(|layers| layers.first()).copied().unwrap_or(0);
    let projection = Projection::ALL.iter().position(first).unwrap_or(0);
    let passage = Passage::Held { language: text.languages.first()?.clone(), number: 0 };
    Some(Look { passage, site: layer * Projection::ALL.len() + projection })
}

/// Whether what is looked at is there in this configuration's run.
pub fn can_look(config: &Config, look: &Look) -> bool {
    let Task::Text(text) = &config.task else { return false };
    let is_there = match &look.passage {
        Passage::Typed(_) => true,
        // Of the page's own texts all can be read, of a visitor's those that are trained on.
        Passage::Held { language, .. } => match text.model {
            Model::Small => languages::is_known(language),
            Model::Custom => text.languages.contains(language),
        },
    };
    is_there && look.site < config.task.site_count()
}
