//! The browser as the studio sees it: address, session store, theme, worker. Thin; knows nothing of experiments.

use crate::config::Config;
use crate::host::browser::{arrive as arrive_at, focus, hash, query, window};
pub use crate::host::browser::{dark, go_to, on_hash, on_leave, on_theme, worker};

/// What the address asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// All, or one by name.
    Experiments(Option<String>),
    Sweeps,
    Adapters,
    /// The lab.
    Elsewhere,
}

pub fn place() -> Place {
    let hash = hash();
    match hash.trim_start_matches('#').split_once('/') {
        Some(("experiments", id)) => Place::Experiments(Some(id.to_owned())),
        _ if hash == "#experiments" => Place::Experiments(None),
        _ if hash == "#sweeps" => Place::Sweeps,
        _ if hash == "#adapters" => Place::Adapters,
        _ => Place::Elsewhere,
    }
}

/// The configuration that the lab runs: the address says it.
pub fn lab_config() -> Config {
    // A query that cannot be read is the lab's to tell; it then runs the defaults.
    Config::read_link(&query()).config
}

/// Takes keyboard and eyes to where the address leads: an experiment, or the view's heading.
pub fn arrive(place: &Place, known: bool) {
    match place {
        Place::Experiments(Some(id)) if known => {
            if let Some(claim) = focus(&format!("claim-{id}")) {
                claim.scroll_into_view();
            }
        }
        _ => arrive_at("studio-title"),
    }
}

/// A text that outlives a visit to the lab, if the browser keeps any.
pub fn kept(name: &str) -> Option<String> {
    window()?.session_storage().ok().flatten()?.get_item(name).ok().flatten()
}

pub fn keep(name: &str, text: &str) {
    if let Some(store) = window().and_then(|w| w.session_storage().ok().flatten()) {
        // Where nothing can be kept, the page still shows what it measured.
        let _ = store.set_item(name, text);
    }
}
