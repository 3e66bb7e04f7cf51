//! What the page keeps of a run.

use super::*;
use crate::config::{BackendChoice, Config, Lane, Optimizer, Schedule};
use crate::method::{FULL, LORA};

fn started(energy: f32) -> Event {
    Event::Started(Box::new(Started {
        config: Config {
            seed: 1,
            backend: BackendChoice::Cpu,
            task: Task::Custom,
            lanes: vec![lane()],
            optimizer: Optimizer { lr: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 },
            schedule: Schedule { warmup: 0, total: 10 },
        },
        backend: "cpu".into(),
        adapter: "CPU".into(),
        fallback: None,
        layers: vec![],
        tables: vec![],
        domains: vec!["1".into()],
        energy,
        true_rank: None,
        text: None,
        floors: vec![],
    }))
}

#[test]
fn the_table_of_costs_is_that_of_the_formulas() {
    let mut run = Run::default();
    let Event::Started(mut start) = started(1.0) else { unreachable!() };
    let layer = |site| crate::protocol::LayerInfo { site, activation: String::new() };
    start.layers = crate::task::network::LinearSite::plain(&[(64, 32), (64, 32)]).into_iter().map(layer).collect();
    run.apply(Event::Started(start));
    let Event::Frame(mut first) = frame(0, vec![0.5]) else { unreachable!() };
    // One of the two layers; two directions of three in use.
    first.lanes[0].lane = Lane::from(&LORA).with("rank", 4).on(vec![1]);
    first.lanes[0].spectrum = vec![2.0, 1.0, 0.001];
    run.apply(Event::Frame(first));
    let Some(started) = &run.started else { unreachable!() };
    let table = crate::view::table::costs(&["LoRA".into()], started, &run.lanes, &run.gates);
    let values: Vec<&str> = table.rows.iter().map(|row| row[1].as_str()).collect();
    // 4 · (64 + 32) parameters; 64 · 32 merged; forward with the adapter; two gradients and back through B.
    assert_eq!(values, ["384", "3,072", "1,536", "2,944", "2,432", "2,048", "2", "–", "0.500"]);
}

fn lane() -> Lane {
    (&FULL).into()
}

fn frame(from: usize, losses: Vec<f32>) -> Event {
    Event::Frame(Box::new(Frame {
        step: from + losses.len(),
        running: true,
        steps_per_second: 1.0,
        lanes: vec![LaneFrame {
            lane: lane(),
            parameters: 1,
            base_parameters: 1,
            formula: "1".into(),
            diverged: None,
            since: 0,
            measured: None,
            losses_from: from,
            losses,
            accuracy: None,
            spectrum: vec![],
        }],
        ..Frame::default()
    }))
}

#[test]
fn frames_before_the_run_is_set_up_are_dropped() {
    let mut run = Run::default();
    run.apply(frame(0, vec![1.0]));
    assert!(run.lanes.is_empty());
    run.apply(started(1.0));
    run.apply(frame(0, vec![1.0]));
    assert_eq!(run.lanes.len(), 1);
}

#[test]
fn losses_become_shares_of_energy() {
    let mut run = Run::default();
    run.apply(started(4.0));
    run.apply(frame(0, vec![4.0, 2.0]));
    run.apply(frame(2, vec![1.0]));
    let points: Vec<_> = run.lanes[0].curve.series.points(0).collect();
    assert_eq!(points, [(0.0, 1.0), (1.0, 0.5), (2.0, 0.25)]);
    assert_eq!(run.step, 3);
}

#[test]
fn scores_after_the_last_frame_are_spoken_of() {
    let mut run = Run::default();
    let Event::Started(mut start) = started(1.0) else { unreachable!() };
    start.config.task = Task::Text(crate::config::Text::default());
    run.apply(Event::Started(start));
    let Event::Frame(mut last) = frame(0, vec![3.0; 10]) else { unreachable!() };
    last.running = false;
    run.apply(Event::Frame(last));
    assert!(run.now.text().contains("mean loss of the last steps"), "{}", run.now.text());
    use crate::view::reading::tests::{held, score};
    let mut score_at = |step, bits| {
        let held = Some(held([5.0, 3.0, 2.7], &[score(step, &[bits, bits, 2.7])]));
        run.apply(Event::Text(Box::new(crate::protocol::text::TextFrame { held, ..Default::default() })));
        run.now.text()
    };
    // A score of an earlier step is not how it ended.
    assert!(!score_at(8, 2.9).contains("2.90"));
    assert!(score_at(10, 2.5).contains("fine-tuning 2.50; the base's were 4.00"));
}

/// Floors of a new rank come with the first losses that it has, and no loss of the old one stays beside them.
#[test]
fn a_new_rank_and_its_loss_come_together() {
    let mut run = Run::default();
    run.apply(started(4.0));
    run.apply(frame(0, vec![2.0; 60]));
    let shown = |run: &Run| (run.started.as_ref().unwrap().true_rank, run.lanes[0].curve.recent);
    assert_eq!(shown(&run), (None, Some(0.5)));
    let Event::Started(mut cut) = started(4.0) else { unreachable!() };
    cut.true_rank = Some(3);
    run.apply(Event::Started(cut));
    assert_eq!(shown(&run), (None, Some(0.5)), "not before there is a loss");
    let Event::Frame(mut rest) = frame(60, vec![]) else { unreachable!() };
    (rest.lanes[0].since, rest.lanes[0].measured) = (60, Some(3.5));
    run.apply(Event::Frame(rest));
    assert_eq!(shown(&run), (Some(3), Some(0.875)));
    assert_eq!(run.lanes[0].measured(), Some(0.875));
    let table = crate::view::table::losses(&["LoRA".into()], &run.lanes, "share");
    assert_eq!(table.rows.last().unwrap()[..], ["now", "0.875"]);
    let Event::Frame(mut next) = frame(60, vec![3.6]) else { unreachable!() };
    next.lanes[0].since = 60;
    run.apply(Event::Frame(next));
    assert_eq!((run.lanes[0].measured(), run.lanes[0].curve.recent.map(|v| (v * 100.0).round())), (None, Some(90.0)));
}

/// While the sentence stands, so do the numbers beside the chart that it speaks of.
#[test]
fn the_line_and_the_labels_are_of_one_moment() {
    let mut run = Run::default();
    run.apply(started(1.0));
    let mut moments = std::collections::BTreeSet::new();
    for step in 0..40 {
        run.apply(frame(step, vec![2.0 / (step + 1) as f32]));
        let recent = run.lanes[0].curve.recent.unwrap();
        let three = crate::view::format::three(recent);
        let told = step == 0 || run.now.text().contains(&format!("{three}."));
        assert!(told, "{} beside {three}", run.now.text());
        moments.insert(three);
    }
    assert!((8..=12).contains(&moments.len()), "{moments:?}");
}

#[test]
fn old_snapshots_stay_as_they_were() {
    let mut run = Run::default();
    run.apply(started(1.0));
    run.apply(frame(0, vec![1.0]));
    let before = run.lanes[0].curve.clone();
    run.apply(frame(1, vec![0.5]));
    assert_eq!(before.series.len(), 1);
    assert!(before != run.lanes[0].curve);
}

#[test]
fn a_page_that_comes_late_has_the_whole_curve() {
    let Event::Started(start) = started(1.0) else { unreachable!() };
    let again = || Event::Again { started: start.clone(), losses: vec![vec![4.0, 3.0, 2.0, 1.5]] };
    let mut run = Run::default();
    run.apply(again());
    // The next frame begins where others have heard up to, here before the last loss told of.
    run.apply(frame(3, vec![1.0]));
    let points: Vec<_> = run.lanes[0].curve.series.points(0).collect();
    assert_eq!(points, [(0.0, 4.0), (1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]);
    // Who is there already takes no notice.
    let before = run.lanes[0].curve.clone();
    run.apply(again());
    run.apply(frame(4, vec![]));
    assert!(run.started.is_some() && before.series == run.lanes[0].curve.series);
}
