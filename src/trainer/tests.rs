//! A trainer that loses its device.

use super::*;
use crate::protocol::{Frame, Started};

#[derive(Default)]
struct Log(Vec<Event>);

impl Transport for Log {
    fn poll(&mut self) -> Poll<Option<Command>> {
        Poll::Pending
    }
    async fn next(&mut self) -> Option<Command> {
        None
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

async fn turns(trainer: &mut Trainer, log: &mut Log, until: impl Fn(&Trainer, &Log) -> bool) {
    while !until(trainer, log) {
        let run = trainer.run.as_mut().unwrap();
        if let Err(error) = run.turn(&mut trainer.state, log).await {
            trainer.recover(error, log).await;
        }
    }
}

#[test]
fn a_lost_device_is_replaced_and_then_given_up() {
    pollster::block_on(async {
        let (mut trainer, mut log) = (Trainer::default(), Log::default());
        let mut config = Config { backend: BackendChoice::WebGpu, ..Config::default() };
        config.schedule.total = 400;
        trainer.command(Command::Start { config: config.clone(), paused: false }, &mut log).await;
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
            trainer.command(Command::Start { config: config.clone(), paused: true }, &mut log).await;
            assert_eq!((log.started().backend.as_str(), trainer.spare.is_none()), ("webgpu", true));
        }
        let cpu = Config { backend: BackendChoice::Cpu, ..config.clone() };
        trainer.command(Command::Start { config: cpu, paused: true }, &mut log).await;
        assert_eq!((log.started().backend.as_str(), trainer.spare.is_some()), ("cpu", true));
        let custom = Config { task: Task::Custom, ..config };
        trainer.command(Command::Start { config: custom, paused: true }, &mut log).await;
        let (message, fatal) = log.problem();
        assert!(message.contains("custom") && !fatal && trainer.run.is_some(), "{message}");
    });
}

#[test]
fn a_rank_cut_on_a_finished_run_is_measured_at_once() {
    pollster::block_on(async {
        let (mut trainer, mut log) = (Trainer::default(), Log::default());
        let mut config = Config { backend: BackendChoice::Cpu, ..Config::default() };
        config.schedule.total = 60;
        trainer.command(Command::Start { config, paused: false }, &mut log).await;
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
