//! Held-out passages read in one go beside the same served byte by byte, for lanes whose gates look at a whole passage: what they
//! gain by seeing the bytes that they are to predict. One byte at a time between submissions. Knows nothing of how it is shown.

use crate::error::Result;
use crate::lab::Lab;
use crate::lab::served::Served;
use crate::protocol::text::ServedScore;
use crate::task::text::Passages;

/// At rest, so many passages of each language are read; while training it is one.
const ROUNDS: usize = 4;

/// See the module.
pub struct Serving {
    /// Of the languages trained on.
    passages: Vec<Passages>,
    sequence: usize,
    scores: Vec<Option<ServedScore>>,
    now: Option<Sweep>,
}

/// One lane's way through the passages.
struct Sweep {
    lane: usize,
    reader: Served,
    score: ServedScore,
    /// Of all languages in turn, the passage under way, and the bytes of it that have been served.
    passage: usize,
    served: usize,
    /// Bits in one go, and byte by byte.
    sums: [f64; 2],
}

impl Serving {
    pub fn new(lab: &Lab, passages: Vec<Passages>) -> Self {
        Self { passages, sequence: lab.task.sequence, scores: vec![None; lab.lane_count()], now: None }
    }

    /// By lane.
    pub fn scores(&self) -> &[Option<ServedScore>] {
        &self.scores
    }

    /// The lane is another one.
    pub fn forget(&mut self, lane: usize) {
        self.scores[lane] = None;
        self.now = None;
    }

    /// Passages of each language there are, at most as many as are read.
    fn rounds(&self, at_rest: bool) -> usize {
        let least = self.passages.iter().map(|own| own.y.len() / self.sequence).min().unwrap_or(0);
        least.min(if at_rest { ROUNDS } else { 1 })
    }

    /// The lane to be read next, if any.
    fn next(&self, lab: &Lab, at_rest: bool) -> Option<usize> {
        let enough = self.rounds(at_rest) * self.passages.len() * self.sequence;
        let is_due = |&lane: &usize| {
            let known =
                self.scores[lane].as_ref().is_some_and(|score| score.step == lab.step() && score.bytes >= enough);
            lab.lane(lane).reads_ahead().is_some() && lab.diverged(lane).is_none() && !known
        };
        let due = (0..self.scores.len()).filter(is_due).filter(|_| enough > 0);
        due.min_by_key(|&lane| self.scores[lane].as_ref().map(|score| score.step))
    }

    /// Whether anything is to be read.
    pub fn is_due(&self, lab: &Lab, at_rest: bool) -> bool {
        self.now.is_some() || self.next(lab, at_rest).is_some()
    }

    /// A byte of what is to be read; whether a score was finished by it.
    pub async fn go_on(&mut self, lab: &Lab, at_rest: bool) -> Result<bool> {
        if self.now.is_none() {
            let Some(lane) = self.next(lab, at_rest) else { return Ok(false) };
            let score = ServedScore { step: lab.step(), at_once: 0.0, served: 0.0, bytes: 0 };
            let reader = lab.served(lane).await?;
            self.now = Some(Sweep { lane, reader, score, passage: 0, served: 0, sums: [0.0; 2] });
        }
        let (languages, rounds) = (self.passages.len(), self.rounds(at_rest));
        let Some(sweep) = &mut self.now else { return Ok(false) };
        let own = &self.passages[sweep.passage % languages];
        let place = sweep.passage / languages * self.sequence..(sweep.passage / languages + 1) * self.sequence;
        let (x, y) = (&own.x[place.clone()], &own.y[place]);
        let bits = |nats: f64| nats / std::f64::consts::LN_2;
        if sweep.served == 0 {
            sweep.sums[0] += sweep.reader.nats(x, y).into_iter().map(bits).sum::<f64>();
        }
        let end = sweep.served + 1;
        sweep.sums[1] += sweep.reader.nats(&x[..end], &y[..end]).last().map_or(0.0, |&nats| bits(nats));
        sweep.served = end % self.sequence;
        if sweep.served > 0 {
            return Ok(false);
        }
        sweep.passage += 1;
        // Every language as often as any other.
        if !sweep.passage.is_multiple_of(languages) {
            return Ok(false);
        }
        let bytes = sweep.passage * self.sequence;
        let [at_once, served] = sweep.sums.map(|sum| (sum / bytes as f64) as f32);
        let score = ServedScore { at_once, served, bytes, ..sweep.score };
        self.scores[sweep.lane] = Some(score);
        if sweep.passage >= rounds * languages || lab.step() != score.step {
            self.now = None;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::config::{Config, Task};
    use crate::task::text::small;

    /// A gate that looks no further than its token costs the same either way, as `Lab::nats` has it; one that looks at the whole
    /// passage does not, once it has learned to.
    #[test]
    fn only_what_reads_ahead_costs_more_when_it_is_served() {
        let query = "task=text&cheat=true&batch=4&sequence=24&languages=rus~swh&total=60&warmup=5&lanes=mor1e.n4.a2.running.lr0.02~mor1e.n4.a2.lr0.02";
        let config = Config::from_query(query).unwrap();
        let Task::Text(text) = &config.task else { panic!("text") };
        let file = async |name: &str| Ok(std::fs::read(format!("www/data/{name}")).unwrap());
        let (task, texts) = block_on(small(text, 1, file)).unwrap();
        let mut lab = Lab::new(config.clone(), task, None).unwrap();
        block_on(lab.train(50)).unwrap();
        let held = |code: &str| &texts.held.iter().find(|(own, _)| own == code).unwrap().1;
        let passages: Vec<Passages> = ["rus", "swh"].map(|code| Passages::of(held(code), 24, texts.begin)).to_vec();
        for lane in [0, 1] {
            let mut reader = block_on(lab.served(lane)).unwrap();
            let (x, y) = (passages[0].x[..24].to_vec(), passages[0].y[..24].to_vec());
            let by_lab = block_on(lab.nats(Some(lane), &Passages { x: x.clone(), y: y.clone() })).unwrap();
            for (own, lab) in reader.nats(&x, &y).into_iter().zip(by_lab) {
                assert!((own - f64::from(lab)).abs() < 1e-3, "lane {lane}: {own}, not {lab}");
            }
            let whole = reader.nats(&x, &y);
            let served: Vec<f64> = (1..=24).map(|end| reader.nats(&x[..end], &y[..end])[end - 1]).collect();
            let gap = whole.iter().zip(&served).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(if lane == 0 { gap < 1e-4 } else { gap > 1e-3 }, "lane {lane}: {gap}");
        }
        let mut serving = Serving::new(&lab, passages);
        while serving.is_due(&lab, true) {
            block_on(serving.go_on(&lab, true)).unwrap();
        }
        assert_eq!(serving.scores()[0], None, "a causal lane has nothing to show");
        let score = serving.scores()[1].unwrap();
        assert_eq!((score.step, score.bytes), (50, ROUNDS * 2 * 24));
        assert!(score.served > score.at_once, "{score:?}");
    }
}
