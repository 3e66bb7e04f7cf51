//! The trainer driven as the page drives it, on both backends.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::VecDeque;
use std::task::Poll;

use lora_playground::config::{BackendChoice, Config, Domains, Lane, Model, Task, Text};
use lora_playground::error::{Error, Result};
use lora_playground::files::Memory;
use lora_playground::lab::begun::{self, Begun};
use lora_playground::optim;
use lora_playground::protocol::text::{Bring, Look, Passage, TextFrame};
use lora_playground::protocol::{Ablate, Command, Event, Frame, MergeFrame, MergeMode, Sketch, Started, Watch};
use lora_playground::task::table::{self, Table};
use lora_playground::task::text::own::{OwnModel, Parts, open};
use lora_playground::trainer::{Transport, run};
use lora_playground::view::ranks::Budget;
use serde::{Serialize, de::DeserializeOwned};

/// A page that sends each command once its condition on the events so far holds.
struct Script<'a> {
    steps: VecDeque<(Ready, Command)>,
    events: &'a mut Vec<Event>,
    /// Events when the last command was sent.
    sent_at: usize,
    last: Ready,
}

impl Script<'_> {
    fn ready(&mut self) -> Option<Option<Command>> {
        let since = &self.events[self.sent_at..];
        match self.steps.front() {
            Some((ready, _)) if ready(since) => {
                self.sent_at = self.events.len();
                Some(self.steps.pop_front().map(|(_, command)| through_the_wire(&command)))
            }
            None if (self.last)(since) => Some(None),
            _ => None,
        }
    }
}

impl Transport for Script<'_> {
    type File = Memory;

    fn poll(&mut self) -> Poll<Option<Command>> {
        self.ready().map_or(Poll::Pending, Poll::Ready)
    }
    async fn next(&mut self) -> Option<Command> {
        self.ready().unwrap_or_else(|| {
            let waits = self.steps.front().map(|(_, command)| command);
            panic!("the trainer rests, but the script waits before {waits:?}; last: {:?}", self.events.last())
        })
    }
    fn left(&mut self) -> bool {
        let leaves = matches!(self.steps.front(), Some((_, Command::Bring(Bring::Leave))));
        leaves && self.ready().is_some()
    }
    fn emit(&mut self, event: Event) {
        self.events.push(through_the_wire(&event));
    }
    async fn sleep(&mut self, milliseconds: u32) {
        std::thread::sleep(std::time::Duration::from_millis(milliseconds.into()));
    }
    async fn file(&mut self, name: &str) -> Result<Vec<u8>> {
        Ok(std::fs::read(format!("{}/www/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap())
    }
    fn files(&mut self, paths: &[String]) -> Result<Vec<Memory>> {
        let read =
            |path: &String| std::fs::read(format!("{}/tests/fixtures/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let name = |path: &String| path.rsplit('/').next().unwrap().to_owned();
        Ok(paths.iter().map(|path| Memory::new(&name(path), read(path))).collect())
    }
    async fn open_model(&mut self, parts: Parts<Memory>) -> Result<OwnModel<Memory>> {
        open(parts).await
    }
    async fn open_adapter(&mut self, (name, config, weights): (String, Memory, Memory)) -> Result<Begun> {
        begun::open(name, config, weights).await
    }

    async fn open_table(&mut self, file: Memory) -> std::result::Result<Table, Vec<Error>> {
        table::open(file).await
    }
}

fn through_the_wire<T: Serialize + DeserializeOwned>(value: &T) -> T {
    postcard::from_bytes(&postcard::to_stdvec(value).unwrap()).unwrap()
}

type Ready = Box<dyn Fn(&[Event]) -> bool>;

fn at_once() -> Ready {
    Box::new(|_| true)
}
fn frame(test: impl Fn(&Frame) -> bool + 'static) -> Ready {
    Box::new(move |events| frames(events).any(&test))
}
fn problem() -> Ready {
    Box::new(|events| events.iter().any(|event| matches!(event, Event::Problem { .. })))
}
fn frames(events: &[Event]) -> impl DoubleEndedIterator<Item = &Frame> {
    events.iter().filter_map(|event| match event {
        Event::Frame(frame) => Some(&**frame),
        _ => None,
    })
}
fn starts(events: &[Event]) -> Vec<&Started> {
    events
        .iter()
        .filter_map(|event| if let Event::Started(started) = event { Some(&**started) } else { None })
        .collect()
}

fn play(steps: Vec<(Ready, Command)>, last: Ready) -> Vec<Event> {
    let mut events = Vec::new();
    pollster::block_on(run(Script { steps: steps.into(), events: &mut events, sent_at: 0, last }));
    events
}

fn default(backend: BackendChoice) -> Config {
    let mut config = Config { backend, ..Config::default() };
    config.schedule.total = 120;
    config
}

fn watch(lane: usize, merge: MergeMode) -> Command {
    Command::Watch(Watch { lane, layer: 0, merge, domain: 1, token: 3 })
}

fn whole_run(backend: BackendChoice) {
    let config = default(backend);
    let events = play(
        vec![
            (at_once(), Command::Start { config: config.clone(), paused: true, then: Vec::new() }),
            // Slow at first, so that the new rank has steps left to learn in on any machine.
            (at_once(), Command::Speed(Some(40))),
            (frame(|f| f.step == 0), Command::Step),
            (frame(|f| f.step == 1 && !f.running), watch(2, MergeMode::TopExpertPerDomain)),
            (frame(|f| f.weight.as_ref().is_some_and(|w| w.watch.lane == 2)), Command::Run),
            (frame(|f| f.step > 20), Command::SetRank { lane: 1, rank: 12 }),
            (Box::new(|e| !starts(e).is_empty()), Command::Ablate(Some(Ablate { lane: 2, layer: 0, expert: 1 }))),
            (at_once(), Command::Speed(None)),
            (at_once(), Command::SetRank { lane: 0, rank: 2 }),
            (
                problem(),
                Command::Start {
                    config: Config { task: Task::Custom, ..config.clone() },
                    paused: false,
                    then: Vec::new(),
                },
            ),
            (problem(), Command::Run),
            (frame(|f| f.step == 120 && !f.running), watch(1, MergeMode::MeanGate)),
        ],
        frame(|f| f.weight.as_ref().is_some_and(|w| w.watch.lane == 1)),
    );
    let started = starts(&events);
    assert_eq!(started.len(), 2);
    let name = if backend == BackendChoice::Cpu { "cpu" } else { "webgpu" };
    assert!(started.iter().all(|s| s.backend == name));
    assert_eq!((started[0].domains.len(), started[0].layers.len(), started[0].true_rank), (4, 1, Some(2)));
    assert!(started[0].floors.iter().any(|f| f.lanes.contains(&0) && (f.share - 0.75).abs() < 1e-6));

    // Losses arrive once each, in order, for every lane.
    for lane in 0..4 {
        let mut have = 0;
        for frame in frames(&events) {
            assert_eq!(frame.lanes[lane].losses_from, have);
            have += frame.lanes[lane].losses.len();
            assert!(frame.lanes[lane].losses.iter().all(|l| l.is_finite()));
        }
        assert_eq!(have, 120);
    }
    for frame in frames(&events) {
        let lr = optim::learning_rate(config.optimizer.lr, &config.schedule, frame.step);
        assert_eq!(frame.lr, lr as f32, "the rate shown is that of the step shown");
    }
    let first = frames(&events).next().unwrap();
    assert!(first.lanes.iter().all(|lane| lane.spectrum.iter().all(|&s| s == 0.0)));
    let last = frames(&events).last().unwrap();
    assert_eq!((last.step, last.running, last.lanes[1].parameters), (120, false, 2 * 64 * 12));
    assert_eq!(last.lanes[1].formula, "2 · 64 · 12");
    assert_eq!(last.gates.len(), 2);
    for gate in &last.gates {
        assert_eq!(gate.tokens.len(), gate.token_domains.len() * gate.experts);
        assert!((gate.mean.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        assert!((gate.utilisation.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        assert!((0.0..=1.0001).contains(&gate.entropy));
    }
    let off = last.gates.iter().find_map(|gate| gate.ablation.as_ref()).unwrap();
    assert!(off.with != off.without && off.with.len() == 4);
    // LoRA merges exactly, up to f32's rounding, and its spectrum has its rank.
    let weight = last.weight.as_ref().unwrap();
    let MergeFrame::Exact { error } = weight.merge else { panic!("LoRA merges exactly") };
    assert!(error < 1e-4, "{error:e}");
    assert!(weight.ratio.is_some_and(|ratio| ratio > 0.0) && weight.singular[11] > 1e-4 && weight.singular[12] < 1e-4);
    // Merges of the mixture: all five, of a model that has learned something.
    let mixture = frames(&events).filter_map(|f| f.weight.as_ref()).rfind(|w| w.watch.lane == 2).unwrap();
    let MergeFrame::Mixture { routed, modes, .. } = &mixture.merge else { panic!("a mixture does not merge exactly") };
    assert_eq!(modes.len(), 5);
    assert!(*routed < 1.0);
    assert!(modes[0].error < 1e-4, "(a) is exact for its token: {:e}", modes[0].error);
    assert!(
        modes[0].loss.is_none()
            && modes[1..].iter().all(|m| m.loss.is_some_and(f32::is_finite) && m.error > modes[0].error)
    );
}

#[test]
fn a_whole_run_on_the_cpu() {
    whole_run(BackendChoice::Cpu);
}

#[test]
fn a_whole_run_on_the_gpu() {
    whole_run(BackendChoice::WebGpu);
}

#[test]
fn a_diverged_lane_is_told_and_harms_nobody() {
    let mut config = default(BackendChoice::Cpu);
    config.optimizer.lr = 100.0;
    config.schedule.warmup = 0;
    config.optimizer.weight_decay = 10.0;
    let steps = vec![
        (at_once(), watch(2, MergeMode::LeastSquares)),
        (at_once(), Command::Start { config, paused: false, then: Vec::new() }),
    ];
    let events = play(steps, frame(|f| f.step == 120 && !f.running));
    let last = frames(&events).last().unwrap();
    assert!(last.lanes.iter().all(|lane| lane.diverged.is_some()));
}

#[test]
fn digits_are_pretrained_and_drawn() {
    let mut config = default(BackendChoice::Cpu);
    config.task = Task::Digits(lora_playground::config::Digits { pretrain: 400, ..Default::default() });
    config.schedule.total = 60;
    let steps = vec![
        (at_once(), Command::Start { config, paused: false, then: Vec::new() }),
        (
            frame(|f| f.step == 60 && !f.running),
            Command::Draw(Some(Sketch { pixels: vec![7.0; 64], there: [true; 2] })),
        ),
        (frame(|f| !f.drawing.is_empty()), watch(3, MergeMode::MeanGate)),
    ];
    let events = play(steps, frame(|f| f.weight.as_ref().is_some_and(|w| w.watch.lane == 3)));
    let pretraining = events.iter().rev().find_map(|event| match event {
        Event::Pretraining { step, total, accuracy, .. } => Some((*step, *total, *accuracy)),
        _ => None,
    });
    let (step, total, accuracy) = pretraining.unwrap();
    assert_eq!((step, total), (400, 400));
    assert!(accuracy > 0.9, "{accuracy}");
    let measured: Vec<_> = frames(&events).filter_map(|f| f.lanes[0].accuracy.clone()).collect();
    // Nothing is adapted at step 0, so the old task is the base's.
    assert_eq!((measured[0].step, measured[0].old), (0, accuracy));
    let end = measured.last().unwrap();
    assert_eq!((end.step, end.domains.len()), (60, 4));
    assert!(end.domains.iter().sum::<f32>() > measured[0].domains.iter().sum());
    let last = frames(&events).last().unwrap();
    assert_eq!((last.drawing.len(), last.gates.len()), (5, 6));
    assert!(last.drawing.iter().all(|a| (a.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-4));
    assert_eq!(last.drawing[3].gates.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 4]);
    let formula = &last.lanes[1].formula;
    assert_eq!(formula, "2 · (2 · 64 · 8) + (64 + 10) · 8");
}

/// Directions in use, told while AdaLoRA trains, are those of theory's budget; cut factors are measured while they are looked
/// at, and not otherwise.
fn ranks_are_told(backend: BackendChoice) {
    let lane = |text: &str| Lane::from_text(text).unwrap();
    let mut config = default(backend);
    config.task =
        Task::Domains(Domains { dim: 16, depth: 2, domains: 1, true_rank: 8, batch: 4, ..Default::default() });
    config.lanes = vec![lane("full"), lane("adalora.r8.to3.begin40.end90"), lane("dylora.r6"), lane("lora.r4")];
    let events = play(
        vec![
            (at_once(), Command::Start { config: config.clone(), paused: true, then: Vec::new() }),
            (at_once(), Command::Speed(Some(40))),
            (frame(|f| f.step == 0), Command::Run),
            (frame(|f| f.step > 20), Command::Cuts(true)),
            (frame(|f| f.ranks.cuts.is_some()), Command::Cuts(false)),
        ],
        frame(|f| f.step == 120 && !f.running),
    );
    let budget = Budget::new(&config.lanes[1], 2).unwrap();
    let told: Vec<_> = frames(&events).flat_map(|f| &f.ranks.budgets).collect();
    for frame in &told {
        let total: usize = frame.layers.iter().map(|&(_, kept)| kept).sum();
        assert_eq!((frame.lane, total), (1, budget.at(frame.step as f64) as usize), "step {}", frame.step);
    }
    let within = |from, to| told.iter().filter(|frame| (from..to).contains(&frame.step)).count();
    assert!(within(0, 40) > 0 && within(41, 90) > 0 && within(90, 120) > 0, "{told:?}");

    let cuts: Vec<_> = frames(&events).filter_map(|f| f.ranks.cuts.as_ref()).collect();
    let first = cuts[0];
    assert!(first.step > 0 && first.floors.is_empty(), "of two layers nothing is proved");
    let ranks = |place: usize| first.lanes[place].losses.iter().map(|&(rank, _)| rank).collect::<Vec<_>>();
    assert_eq!((first.lanes[0].lane, first.lanes[1].lane), (2, 3));
    assert_eq!((ranks(0), ranks(1)), ((1..=6).collect(), (1..=4).collect()));
    assert!(first.lanes.iter().flat_map(|lane| &lane.losses).all(|(_, loss)| loss.is_finite()));
    // Nothing more is measured than what was under way when the page looked away.
    assert_eq!(cuts.len(), 1);
}

#[test]
fn ranks_are_told_on_the_cpu() {
    ranks_are_told(BackendChoice::Cpu);
}

#[test]
fn ranks_are_told_on_the_gpu() {
    ranks_are_told(BackendChoice::WebGpu);
}

/// A gate of two parts, with vectors of its experts' own and with shared ones: frames hold what the picture is made of, the
/// merge for one token is exact for it, and an expert is switched off alone though it shares its vectors.
#[test]
fn gates_by_prototypes_are_shown_and_merged() {
    let text = r#"{"version":1,"backend":"cpu","task":{"kind":"domains","dim":32,"batch":8},
        "lanes":[{"method":"mor1e","experts":6,"gate":"prototype"},
                 {"method":"mor1e","experts":6,"gate":"prototype","flex":2}],"schedule":{"warmup":5,"total":80}}"#;
    let config = Config::from_json(text).unwrap();
    for lane in 0..2 {
        let off = Ablate { lane, layer: 0, expert: 4 };
        let steps = vec![
            (at_once(), Command::Start { config: config.clone(), paused: false, then: Vec::new() }),
            (frame(|f| f.step == 80 && !f.running), watch(lane, MergeMode::PerInput)),
            (at_once(), Command::Ablate(Some(off))),
        ];
        let events = play(steps, frame(move |f| f.gates.iter().any(|g| g.lane == lane && g.ablation.is_some())));
        let last = frames(&events).last().unwrap();
        let gate = last.gates.iter().find(|gate| gate.lane == lane).unwrap();
        let parts = gate.parts.as_ref().unwrap();
        assert!(!gate.is_shares() && parts.share > 0.0 && parts.share < 1.0);
        for ((both, intuition), router) in gate.domains.iter().zip(&parts.intuition).zip(&parts.router) {
            assert!((both - intuition - router).abs() < 1e-5);
        }
        for router in parts.router.chunks_exact(6) {
            assert!((router.iter().sum::<f32>() - 6.0 * parts.share).abs() < 1e-4, "the router's part sums to N ω");
        }
        assert!(gate.tokens.iter().any(|&g| g > 1.0));
        let ablation = gate.ablation.as_ref().unwrap();
        assert_eq!(ablation.expert, 4);
        assert!(ablation.with != ablation.without && ablation.without.iter().all(|loss| loss.is_finite()));
        let weight = last.weight.as_ref().unwrap();
        let MergeFrame::Mixture { modes, .. } = &weight.merge else { panic!("a mixture does not merge exactly") };
        assert!(modes[0].error < 1e-4, "(a) is exact for its token: {:e}", modes[0].error);
        assert!(
            modes.len() == 5
                && modes[0].loss.is_none()
                && modes[1..].iter().all(|m| m.loss.is_some_and(f32::is_finite) && m.error > modes[0].error)
        );
        let experts = weight.experts.as_ref().unwrap();
        assert_eq!((experts.count, experts.rank, experts.shared), (6, 1, [None, Some(2)][lane]));
        if lane == 1 {
            // Experts 0, 1 and 2 read by the same vector, 0 and 3 write by the same.
            assert_eq!(experts.a[..32], experts.a[2 * 32..3 * 32]);
            assert_eq!(experts.b[..32], experts.b[3 * 32..4 * 32]);
            assert_ne!(experts.a[..32], experts.a[3 * 32..4 * 32]);
        }
    }
}

fn texts(events: &[Event]) -> impl Iterator<Item = &TextFrame> {
    events.iter().filter_map(|event| if let Event::Text(text) = event { Some(&**text) } else { None })
}

/// A language model trains; held-out text is scored, a passage read and a prompt gone on from. The base's bits are those that
/// the reference measured, and a passage that was typed in costs the same as it does token by token.
#[test]
fn text_is_read_and_written() {
    let lane = |text: &str| Lane::from_text(text).unwrap();
    let mut config = default(BackendChoice::Cpu);
    config.task = Task::Text(Text { languages: vec!["deu_1996".into(), "rus".into()], ..Text::default() });
    config.lanes = vec![lane("lora.r4.q_proj-v_proj.lr0.01"), lane("mor1e.n4.running.l3.lr0.02")];
    config.schedule.total = 6;
    config.schedule.warmup = 1;
    let typed = Look { passage: Passage::Typed("Würde — достоинство".into()), site: 21 };
    let held = Look { passage: Passage::Held { language: "rus".into(), number: 1 }, site: 21 };
    let written = |text: &TextFrame| text.writing.as_ref().is_some_and(|all| all.iter().all(|one| one.done));
    let events = play(
        vec![
            (at_once(), Command::Start { config: config.clone(), paused: false, then: Vec::new() }),
            (frame(|f| f.step == 6 && !f.running), Command::Look(held)),
            (Box::new(|e| texts(e).any(|t| t.passage.is_some())), Command::Look(typed.clone())),
            (Box::new(|e| texts(e).any(|t| t.passage.is_some())), Command::Write(Some("Alle Menschen".into()))),
        ],
        Box::new(move |e| texts(e).any(written)),
    );
    let problems: Vec<_> = events.iter().filter(|event| matches!(event, Event::Problem { .. })).collect();
    assert!(problems.is_empty(), "{problems:?}");
    // At rest everything is read whole.
    let last = texts(&events).filter_map(|text| text.held.as_ref()).last().unwrap();
    let base = last.base.as_ref().unwrap();
    assert!(last.lanes.iter().chain([&last.base]).all(|score| score.as_ref().is_some_and(|score| score.whole)));
    let names: Vec<&str> = last.languages.iter().map(|language| language.name.as_str()).collect();
    assert_eq!(names[..3], ["German, Standard (1996)", "Russian", "English"]);
    let expected = [4.666, 2.534, 2.665, 2.582, 2.455, 2.663, 2.513];
    assert!(base.bits.iter().zip(expected).all(|(got, want)| (got - want).abs() < 0.005), "{:?}", base.bits);
    let passages: Vec<_> = texts(&events).filter_map(|text| text.passage.as_ref()).collect();
    let first = passages[0];
    assert_eq!((first.base.bits.len(), first.lanes.len()), (64, 2));
    assert_eq!(first.characters.iter().map(|(_, tokens)| tokens).sum::<usize>(), 64);
    let of_lanes: Vec<usize> = first.gates.iter().map(|gates| gates.lane).collect();
    assert_eq!(of_lanes, [1], "one lane has gates at the last layer's q_proj");
    assert_eq!(first.gates[0].values.len(), 64 * 4);
    assert!(first.gates[0].values.chunks(4).all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-5));
    let last = passages.last().unwrap();
    assert_eq!((&last.look, last.characters.len()), (&typed, "Würde — достоинство".chars().count()));
    for read in last.lanes.iter().chain([&last.base]) {
        for (bits, expected) in read.bits.iter().zip(&read.expected) {
            let shares: Vec<f32> = expected.iter().map(|&(_, share)| share).collect();
            assert!(shares.is_sorted_by(|a, b| a >= b) && shares.iter().sum::<f32>() < 1.0 + 1e-5);
            // A token costs at least what the most probable one does.
            assert!(*bits >= -shares[0].log2() - 1e-4, "{bits} {shares:?}");
        }
    }
    let writing = texts(&events).filter_map(|text| text.writing.as_ref()).last().unwrap();
    assert_eq!(writing.len(), 3);
    assert!(writing.iter().all(|text| text.done && !text.text.is_empty() && text.step == 6));
    // Frames have bits, and a map of every linear layer.
    let map = frames(&events).rev().find_map(|frame| frame.map.as_ref()).unwrap();
    assert_eq!(map.lanes.iter().map(Vec::len).collect::<Vec<_>>(), [28, 28]);
    let adapted = |lane: usize| map.lanes[lane].iter().filter(|cell| cell.change.is_some()).count();
    assert_eq!((adapted(0), adapted(1)), (8, 7));
    assert!(map.lanes[1][21].entropy.is_some() && map.lanes[0][21].entropy.is_none());
}

/// A person's own model is read tensor by tensor; left in the midst of it, the run that was there goes on, and the model can
/// be read later.
#[test]
fn reading_a_model_can_be_left() {
    let small = default(BackendChoice::Cpu);
    let mut own = small.clone();
    let text = Text { model: Model::Custom, languages: vec!["recordings".into()], sequence: 16, ..Text::default() };
    own.task = Task::Text(text);
    own.lanes = vec![Lane::from_text("lora.r2").unwrap()];
    own.schedule.total = 3;
    let files = ["config.json", "tokenizer.json", "model.safetensors"].map(|name| format!("lm/own/llama_bf16/{name}"));
    let opened = files.into_iter().chain(["recordings.txt".into()]).collect();
    let start = |config: &Config| Command::Start { config: config.clone(), paused: false, then: Vec::new() };
    let reading = |e: &[Event]| e.iter().filter(|event| matches!(event, Event::Reading(_))).count();
    let events = play(
        vec![
            (at_once(), start(&small)),
            (frame(|f| f.step > 0), Command::Bring(Bring::Open(opened))),
            (Box::new(|e| e.iter().any(|event| matches!(event, Event::Brought(_)))), start(&own)),
            (Box::new(move |e| reading(e) == 3), Command::Bring(Bring::Leave)),
            (frame(|f| f.step == 120), start(&own)),
        ],
        frame(|f| f.step == 3 && f.lanes.len() == 1),
    );
    let problems: Vec<_> = events
        .iter()
        .filter_map(|e| if let Event::Problem { message, fatal } = e { Some((message.as_str(), *fatal)) } else { None })
        .collect();
    assert_eq!(problems, [("Reading your own model was cancelled", false)]);
    let shares: Vec<f32> =
        events.iter().filter_map(|e| if let Event::Reading(share) = e { Some(*share) } else { None }).collect();
    let (left, whole) = shares.split_at(3);
    assert!(left.is_sorted() && left[0] == 0.0 && left[2] > 0.0, "{left:?}");
    assert!(
        whole.len() > 10 && whole.is_sorted() && whole[0] == 0.0 && whole.iter().all(|share| *share < 1.0),
        "{whole:?}"
    );
}
