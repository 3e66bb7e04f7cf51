//! What the page has of a language model: the newest held-out scores with their history, the passage and the texts under
//! way. Knows nothing of how they are drawn.

use super::snap::Snap;
use crate::protocol::text::{HeldFrame, HeldScore, MapFrame, PassageFrame, TextFrame, WritingFrame};

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
