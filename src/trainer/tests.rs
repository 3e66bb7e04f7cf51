//! A trainer that loses its device.

use super::*;
use crate::protocol::{Ablate, Frame, Started};

type Own = Trainer<crate::files::Memory>;

#[derive(Default)]
struct Log(Vec<Event>);

impl Transport for Log {
    type File = crate::files::Memory;
    fn poll(&mut self) -> Poll<Option<Command>> {
        Poll::Pending
    }
    async fn next(&mut self) -> Option<Command> {
        None
    }
    fn left(&mut self) -> bool {
        false
    }
    fn emit(&mut self, event: Event) {
        self.0.push(event);
    }
    async fn sleep(&mut self, milliseconds: u32) {
        std::thread::sleep(std::time::Duration::from_millis(milliseconds.into()));
    }
    async fn file(&mut self, _: &str) -> Result<Vec<u8>> {
        Err(Error::Json("no digits here".into()))
    }
    fn files(&mut self, _: &[String]) -> Result<Vec<Self::File>> {
        Ok(vec![])
    }
    async fn open_model(&mut self, parts: Parts<Self::File>) -> Result<OwnModel<Self::File>> {
        crate::task::text::own::open(parts).await
    }
    async fn open_table(&mut self, file: Self::File) -> std::result::Result<Table, Vec<Error>> {
        crate::task::table::open(file).await
    }
    async fn open_adapter(&mut self, (name, config, weights): (String, Self::File, Self::File)) -> Result<Begun> {
        crate::lab::begun::open(name, config, weights).await
    }
}

impl Log {
    fn frame(&self) -> &Frame {
        let frame =
            self.0.iter().rev().find_map(|event| if let Event::Frame(frame) = event { Some(frame) } else { None });
        frame.unwrap()
    }
    fn started(&self) -> &Started {
        let all = self.0.iter().rev();
        all.filter_map(|event| if let Event::Started(started) = event { Some(started) } else { None }).next().unwrap()
    }
    fn problem(&self) -> (&str, bool) {
        let all = self.0.iter().rev();
        let mut problems = all.filter_map(|e| {
            if let Event::Problem { message, fatal } = e { Some((message.as_str(), *fatal)) } else { None }
        });
        problems.next().unwrap()
    }
}

async fn turns(trainer: &mut Own, log: &mut Log, until: impl Fn(&Own, &Log) -> bool) {
    while !until(trainer, log) {
        trainer.turn(log).await;
    }
}

#[test]
fn a_lost_device_is_replaced_and_then_given_up() {
    pollster::block_on(async {
        let (mut trainer, mut log) = (Own::default(), Log::default());
        let mut config = Config { backend: BackendChoice::WebGpu, ..Config::default() };
        config.schedule.total = 400;
        trainer.command(Command::Start { config: config.clone(), paused: false, then: Vec::new() }, &mut log).await;
        turns(&mut trainer, &mut log, |trainer, log| {
            trainer.run.as_ref().unwrap().has_snapshot()
                && log.0.iter().any(|e| matches!(e, Event::Frame(f) if f.step > 10))
        })
        .await;
        // A rank that was changed stays changed.
        trainer.command(Command::SetRank { lane: 1, rank: 5 }, &mut log).await;
        let step = trainer.run.as_ref().unwrap().lab.step();
        trainer.run.as_ref().unwrap().lab.lose_device();
        turns(&mut trainer, &mut log, |_, log| log.0.iter().any(|e| matches!(e, Event::Problem { .. }))).await;
        assert_eq!(log.problem(), (format!("The GPU was lost; training resumed from step {step}.").as_str(), false));
        assert_eq!((log.started().backend.as_str(), &log.started().fallback), ("webgpu", &None));
        let told = log.0.len();
        trainer.run.as_ref().unwrap().lab.lose_device();
        turns(&mut trainer, &mut log, |_, log| log.0[told..].iter().any(|e| matches!(e, Event::Problem { .. }))).await;
        let (message, fatal) = log.problem();
        assert!(message.contains("resumed on the CPU") && !fatal, "{message}");
        assert_eq!(log.started().backend, "cpu");
        assert!(log.started().fallback.is_some());
        turns(&mut trainer, &mut log, |trainer, _| !trainer.state.busy()).await;
        let frame = log.frame();
        assert_eq!((frame.step, frame.running, frame.lanes[1].parameters), (400, false, 2 * 64 * 5));
        // The page appends from `losses_from`, where it may have more already.
        let mut have = vec![f32::NAN; 0];
        for event in &log.0 {
            if let Event::Frame(frame) = event {
                assert!(frame.lanes[3].losses_from <= have.len());
                have.truncate(frame.lanes[3].losses_from);
                have.extend(&frame.lanes[3].losses);
            }
        }
        assert_eq!(have.len(), 400);

        // A new run begins on a fresh device, and the next one takes it over.
        for _ in 0..2 {
            trainer.command(Command::Start { config: config.clone(), paused: true, then: Vec::new() }, &mut log).await;
            assert_eq!((log.started().backend.as_str(), trainer.spare.is_none()), ("webgpu", true));
        }
        let cpu = Config { backend: BackendChoice::Cpu, ..config.clone() };
        trainer.command(Command::Start { config: cpu, paused: true, then: Vec::new() }, &mut log).await;
        assert_eq!((log.started().backend.as_str(), trainer.spare.is_some()), ("cpu", true));
        let custom = Config { task: Task::Custom, ..config };
        trainer.command(Command::Start { config: custom, paused: true, then: Vec::new() }, &mut log).await;
        let (message, fatal) = log.problem();
        assert!(message.contains("custom") && !fatal && trainer.run.is_some(), "{message}");
    });
}

#[test]
fn a_rank_cut_on_a_finished_run_is_measured_at_once() {
    pollster::block_on(async {
        let (mut trainer, mut log) = (Own::default(), Log::default());
        let mut config = Config { backend: BackendChoice::Cpu, ..Config::default() };
        config.schedule.total = 60;
        trainer.command(Command::Start { config, paused: false, then: Vec::new() }, &mut log).await;
        turns(&mut trainer, &mut log, |trainer, _| !trainer.state.busy()).await;
        assert!(log.frame().lanes.iter().all(|lane| (lane.since, lane.measured) == (0, None)));
        trainer.command(Command::SetRank { lane: 1, rank: 1 }, &mut log).await;
        assert!(log.started().floors.iter().any(|floor| floor.lanes == [1] && (floor.share - 0.875).abs() < 1e-9));
        turns(&mut trainer, &mut log, |trainer, _| !trainer.state.busy()).await;
        let (frame, run) = (log.frame(), trainer.run.as_mut().unwrap());
        let expected = run.lab.measure(1, 50).await.unwrap() as f32;
        assert_eq!((frame.step, frame.lanes[1].since, frame.lanes[1].measured), (60, 60, Some(expected)));
        assert!(frame.lanes[0].measured.is_none());
    });
}

/// What a run tells of its changes is enough to make it again, number for number.
#[test]
fn a_changed_run_is_repeated_by_its_edits() {
    pollster::block_on(async {
        let mut config = Config { backend: BackendChoice::Cpu, ..Config::default() };
        config.schedule.total = 90;
        let edits = |log: &Log| -> Vec<Edit> {
            let frame = |event: &Event| if let Event::Frame(frame) = event { frame.edits.clone() } else { Vec::new() };
            log.0.iter().flat_map(frame).collect()
        };
        let losses = |trainer: &Own| -> Vec<Vec<f64>> {
            let lab = &trainer.run.as_ref().unwrap().lab;
            (0..lab.lane_count()).map(|lane| lab.losses(lane).to_vec()).collect()
        };
        let start = |then| Command::Start { config: config.clone(), paused: false, then };
        let at = |step| move |trainer: &Own, _: &Log| trainer.run.as_ref().unwrap().lab.step() >= step;
        let rest = |trainer: &Own, _: &Log| !trainer.state.busy();

        let (mut trainer, mut log) = (Own::default(), Log::default());
        trainer.command(start(Vec::new()), &mut log).await;
        let untouched = {
            turns(&mut trainer, &mut log, rest).await;
            losses(&trainer)
        };
        trainer.command(start(Vec::new()), &mut log).await;
        log.0.clear();
        turns(&mut trainer, &mut log, at(20)).await;
        for command in [
            Command::SetRank { lane: 1, rank: 3 },
            Command::SetRank { lane: 1, rank: 5 },
            Command::SetRank { lane: 3, rank: 4 },
            Command::Tune { lane: 2, to: crate::config::Lane::from_text("molora.n4.r2.switch0.5").unwrap() },
            Command::Ablate(Some(Ablate { lane: 2, layer: 0, expert: 1 })),
            Command::Ablate(Some(Ablate { lane: 2, layer: 0, expert: 1 })),
        ] {
            trainer.command(command, &mut log).await;
        }
        turns(&mut trainer, &mut log, at(50)).await;
        trainer.command(Command::SetRank { lane: 1, rank: 1 }, &mut log).await;
        turns(&mut trainer, &mut log, rest).await;
        let (told, expected) = (edits(&log), losses(&trainer));
        assert_eq!(told.len(), 6);
        assert!(told[0].step >= 20 && told[5].step >= 50, "{told:?}");

        let text = crate::config::then_text(&told);
        let (read, errors) = config.read_then(&text);
        assert!(errors.is_empty() && read == told, "{text}: {errors:?}");
        let (mut trainer, mut log) = (Own::default(), Log::default());
        trainer.command(start(read), &mut log).await;
        turns(&mut trainer, &mut log, rest).await;
        assert_eq!((edits(&log), trainer.state.ablate().is_some()), (told, true));
        assert!(losses(&trainer) == expected && expected != untouched);
        // A step alone comes to it as well.
        let early = vec![Edit { step: 1, lane: 1, what: What::Lane(config.lanes[1].resized(2)) }];
        trainer.command(Command::Start { config: config.clone(), paused: true, then: early }, &mut log).await;
        trainer.command(Command::Step, &mut log).await;
        turns(&mut trainer, &mut log, rest).await;
        assert_eq!((log.frame().step, log.frame().lanes[1].parameters), (1, 2 * 64 * 2));
        assert!(log.frame().lanes[1].measured.is_some());
    });
}
