//! Sentences about held-out text.

use super::{FULL, LORA, MIDWAY, Run};
use crate::config::{Task, Text};
use crate::protocol::text::{HeldFrame, TextFrame};
use crate::view::reading::tests::{held, score};

const BASE: [f32; 3] = [5.0, 3.0, 2.7];
const GERMAN_RUSSIAN: [f32; 3] = [3.0, 2.0, 2.8];

impl Run {
    fn text() -> Self {
        Self::new(|config| config.task = Task::Text(Text::default()))
    }

    /// Held-out scores of lanes at the present step.
    fn scored(mut self, base: [f32; 3], lanes: [[f32; 3]; 4]) -> Self {
        let scores = lanes.map(|bits| score(self.frame.step, &bits));
        self.text.take_in(TextFrame { held: Some(held(base, &scores)), ..TextFrame::default() });
        self
    }
}

#[test]
fn held_out_gain() {
    let mut lanes = [GERMAN_RUSSIAN; 4];
    lanes[LORA] = [2.8, 2.0, 2.8];
    let run = || Run::text().steps(20, 0.01, MIDWAY);
    run().does_not_say("eld-out");
    run()
        .scored(BASE, lanes)
        .says("Held-out text in the new languages costs 2.40 bits per byte with LoRA, 4.00 with the base.");
    lanes[FULL] = [2.82, 2.0, 2.8];
    run().scored(BASE, lanes).says("Held-out text in the new languages costs 2.40 bits per byte with LoRA, 4.00 with the base; the next is so close that one run does not tell them apart.");
    // Nothing gained; and what the base never met is no gain.
    run().scored(BASE, [BASE; 4]).does_not_say("eld-out");
    let unread = [3.0, 16.0, 2.7];
    run().scored(unread, [[3.0, 5.0, 2.7]; 4]).does_not_say("eld-out");
    let of_one = "Held-out text in the new languages that the base can read at all costs 2.00 bits per byte with";
    assert!(run().scored(unread, [[2.0, 5.0, 2.7]; 4]).line().starts_with(of_one));
}

#[test]
fn a_language_is_forgotten() {
    let mut lanes = [GERMAN_RUSSIAN; 4];
    lanes[FULL] = [3.0, 2.0, 3.4];
    let run = || Run::text().steps(20, 0.01, MIDWAY);
    run().scored(BASE, lanes).adds(
        "Full fine-tuning forgets: English costs 3.40 bits per byte now, 2.70 before, while the new languages went from 4.00 to 2.50.",
    );
    lanes[LORA] = [3.0, 2.0, 3.0];
    let partly = "; it is not the only lane to forget.";
    assert!(run().scored(BASE, lanes).line().ends_with(partly));
    // A tenth of a bit is no more than chance between passages.
    run().scored(BASE, [GERMAN_RUSSIAN; 4]).does_not_say("forget");
}

#[test]
fn overfitting() {
    let train = |run: Run, loss: f32| run.steps(5, 0.01, [loss; 4]);
    let told = |held: [f32; 5]| {
        let mut run = Run::text();
        for (at, bits) in held.into_iter().enumerate() {
            run = train(run, 3.0 - 0.1 * at as f32);
            run = run.scored(BASE, [[bits, bits, 2.7]; 4]);
        }
        run
    };
    told([2.5, 2.4, 2.42, 2.45, 2.5]).adds(
        "Full fine-tuning overfits: its training loss still falls, from 2.70 to 2.60 bits per byte, while held-out text rose from 2.40 at step 100 to 2.50.",
    );
    // It fell once in between; it rose by too little.
    told([2.5, 2.4, 2.45, 2.44, 2.5]).does_not_say("overfit");
    told([2.5, 2.4, 2.405, 2.41, 2.42]).does_not_say("overfit");
    // Other bytes cannot be compared.
    let mut run = told([2.5, 2.4, 2.42, 2.45, 2.5]);
    for history in &mut run.text.history {
        history.change(|scores| scores[2].bytes = vec![4096; 3]);
    }
    run.does_not_say("overfit");
}

#[test]
fn the_end_of_a_language_run() {
    let run = Run::text().and(|run| run.started.config.schedule.total = 200).steps(20, 0.0, MIDWAY);
    run.scored(BASE, [GERMAN_RUSSIAN; 4]).says(
        "Finished (step 200, learning rate 0): held-out bits per byte in the new languages full fine-tuning 2.50, LoRA 2.50, MoLoRA 2.50 and MoR1E 2.50; the base's were 4.00.",
    );
    assert_eq!(HeldFrame::default().unread(), None);
}
