//! Students that are offered: lanes in a link's words, each at a rate of its own. What they are, what they hold and what their files
//! are follows from their methods' descriptions. Knows nothing of texts.

use crate::lang::tr;
use crate::method::Lane;
use crate::method::description::Widths;
use crate::task::Network;

/// Small and large of what the prototype compared, and what is smaller still: few trained vectors, and factors of few values.
/// A student is on all seven projections; but frozen factors that all layers share are in a file once, and have one width.
const STUDENTS: [&str; 10] = [
    "lora.r1.a2.lr0.02",
    "lora.r4.a8.lr0.02",
    "lora.r8.a16.lr0.02",
    "lora.r16.a32.lr0.01",
    "lora.r8.a16.binary.lr0.02",
    "lora.r8.a16.ternary.lr0.02",
    "vera.r64.q_proj-k_proj-v_proj-o_proj-gate_proj-up_proj.lr0.04",
    "mor1e.n2.h4.running.lr0.01",
    "mor1e.n8.h4.running.lr0.01",
    "mor1e.n8.running.lr0.01",
];
/// Trained when nothing else is chosen, as the prototype's.
pub const CHOSEN: [usize; 2] = [0, 2];

/// The full change that a teacher makes, at its rate.
const TEACHER: &str = "full.lr0.001";

pub fn all() -> Vec<Lane> {
    STUDENTS.iter().filter_map(|text| Lane::from_text(text).ok()).collect()
}

pub fn teacher() -> Option<Lane> {
    Lane::from_text(TEACHER).ok()
}

/// What a student is called: its title with its sizes, and the setting that tells it from another of its kind.
pub fn name(lane: &Lane) -> String {
    let width = lane.settings.maybe_whole("hidden").map_or_else(String::new, |width| tr!(", gate {width}", width));
    format!("{}{width}", lane.sized_title())
}

/// Numbers that it trains on a network.
pub fn parameters(lane: &Lane, network: &Network) -> usize {
    let own = network.sites().iter().filter(|site| lane.adapts(site));
    own.map(|site| {
        let widths = Widths { inputs: site.inputs, outputs: site.outputs };
        crate::method::count::count(lane.method, &lane.settings_at(site.layer), widths)
    })
    .sum()
}
