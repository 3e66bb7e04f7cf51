//! Sweeps: one lane of a configuration trained once for every combination of one or two of its numbers. What is to be
//! run, and the grid of what came out. Knows nothing of where it runs or how it is drawn.

use serde_json::Value;

use crate::args::{Kind, Setting, Value as SettingValue};
use crate::config::{Config, Schedule};
use crate::decimal;
use crate::experiments::Where;
use crate::lang::{marked, said, tr};

/// A number of a configuration that can be swept, by its place in the JSON document, of which the swept lane is the
/// only one. Those of a lane are the numbers that its method declares.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    pub name: &'static str,
    /// JSON pointer.
    pointer: String,
    whole: bool,
    /// What is offered first.
    pub values: Vec<f64>,
}

/// Numbers of a run that no method has a say in: name, JSON pointer, whether they are whole, and what is offered first.
const OF_THE_RUN: [(&str, &str, bool, &[f64]); 6] = [
    (marked!("learning rate"), "/optimizer/lr", false, &[0.001, 0.003, 0.01, 0.03, 0.1]),
    (marked!("weight decay"), "/optimizer/weight_decay", false, &[0.0, 0.001, 0.01, 0.1]),
    (marked!("tasks"), "/task/domains", true, &[1.0, 2.0, 4.0, 8.0]),
    (marked!("true rank"), "/task/true_rank", true, &[1.0, 2.0, 4.0, 8.0]),
    (marked!("noise"), "/task/noise", false, &[0.0, 0.01, 0.1, 1.0]),
    (marked!("batch"), "/task/batch", true, &[8.0, 16.0, 32.0, 64.0]),
];

/// The axes that this lane of a configuration has: what its slider moves, the learning rate, its other numbers, and those of
/// the run.
pub fn axes(base: &Config, lane: usize) -> Vec<Axis> {
    let Some(own) = base.lanes.get(lane) else { return Vec::new() };
    let size = own.method.extras.size.map(|size| size.key);
    let mut of_the_lane: Vec<Axis> = own.described().into_iter().filter_map(of_setting).collect();
    let is_size = |axis: &Axis| Some(axis.pointer.trim_start_matches("/lanes/0/")) == size;
    let first = of_the_lane.iter().position(is_size).map(|at| of_the_lane.remove(at));
    let mut of_the_run = OF_THE_RUN.into_iter().map(|(name, pointer, whole, values)| Axis {
        name,
        pointer: pointer.to_owned(),
        whole,
        values: values.to_vec(),
    });
    let rate = of_the_run.next();
    let all = first.into_iter().chain(rate).chain(of_the_lane).chain(of_the_run);
    all.filter(|axis| axis.now(base, lane).is_some()).collect()
}

/// A setting that is a number, with values around its default.
fn of_setting(setting: &Setting) -> Option<Axis> {
    let usual = if let SettingValue::Real(usual) = setting.default { usual } else { 0.0 };
    let (whole, values) = match setting.kind {
        Kind::Whole(range) if range.min == 0 => (true, vec![0.0, 1.0, 2.0]),
        Kind::Whole(range) => {
            (true, [1, 2, 4, 8, 16].into_iter().filter(|&n| range.contains(n)).map(|n| n as f64).collect())
        }
        Kind::Real(range) if usual == 0.0 => {
            (false, [0.0, 0.01, 0.1, 1.0].into_iter().filter(|&n| range.contains(n)).collect())
        }
        Kind::Real(range) => {
            (false, [0.0625, 0.25, 1.0, 4.0].map(|n| n * usual).into_iter().filter(|&n| range.contains(n)).collect())
        }
        Kind::Flag | Kind::Choice(_) | Kind::Divisor(_) | Kind::PerLayer(..) => return None,
    };
    let pointer = format!("/lanes/0/{}", setting.key.replace('.', "/"));
    Some(Axis { name: setting.label, pointer, whole, values })
}

/// More runs than this are refused: nobody would wait for them.
pub const MOST_RUNS: usize = 400;
/// More seeds say little more of a spread.
pub const MOST_SEEDS: usize = 5;

/// One axis with its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Along {
    pub axis: Axis,
    pub values: Vec<f64>,
}

/// A sweep as asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub base: Config,
    /// The lane that is swept; the others are left out.
    pub lane: usize,
    pub x: Along,
    /// `None` is a curve, not a grid.
    pub y: Option<Along>,
    pub steps: usize,
    pub seeds: usize,
}

/// A sweep and what has come out so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Swept {
    pub plan: Plan,
    pub place: Where,
    pub seconds: f64,
    /// Losses of the runs done, in the order of [`Plan::runs`].
    pub losses: Vec<f64>,
}

/// Mean and spread of one cell over its seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Not a number where a seed diverged.
    pub mean: f64,
    pub spread: f64,
}

impl Axis {
    /// The number as it is.
    pub fn now(&self, base: &Config, lane: usize) -> Option<f64> {
        alone(base, lane)?.to_value().pointer(&self.pointer)?.as_f64()
    }

    fn set(&self, document: &mut Value, number: f64) -> Option<()> {
        *document.pointer_mut(&self.pointer)? = match self.whole {
            true => Value::from(number as u64),
            false => Value::from(number),
        };
        Some(())
    }
}

fn alone(base: &Config, lane: usize) -> Option<Config> {
    let lane = base.lanes.get(lane)?.clone();
    Some(Config { lanes: vec![lane], ..base.clone() })
}

impl Along {
    /// Reads "1, 2, 4".
    ///
    /// # Errors
    /// In words.
    pub fn read(axis: Axis, text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split([',', ' ', ';']).map(str::trim).filter(|word| !word.is_empty()).collect();
        let mut values = Vec::new();
        for word in words {
            let number = decimal::parse(word).filter(|n| !axis.whole || (n.fract() == 0.0 && *n >= 0.0));
            let kind = if axis.whole { tr!("a whole number") } else { tr!("a number") };
            let number = number.ok_or_else(|| {
                tr!("{}: “{word}” is not {kind}; write them like 1, 2, 4.", said(axis.name), word, kind)
            })?;
            if !values.contains(&number) {
                values.push(number);
            }
        }
        match values.is_empty() {
            true => Err(tr!("{}: give at least one value, like 1, 2, 4.", said(axis.name))),
            false => Ok(Self { axis, values }),
        }
    }
}

/// Numbers as they are typed.
pub fn written(values: &[f64]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Plan {
    /// The configurations to train: row by row of y, along x, seed by seed.
    ///
    /// # Errors
    /// In words, naming what is out of range.
    pub fn runs(&self) -> Result<Vec<Config>, String> {
        let count = self.cells() * self.seeds;
        if count > MOST_RUNS {
            return Err(tr!(
                "That would be {count} runs; at most {MOST_RUNS} are done at once. Leave out some values or seeds.",
                count,
                MOST_RUNS
            ));
        }
        let base = alone(&self.base, self.lane).ok_or(tr!("The configuration has no such lane."))?;
        let base =
            Config { schedule: Schedule { warmup: base.schedule.warmup.min(self.steps), total: self.steps }, ..base };
        let mut runs = Vec::new();
        for row in 0..self.rows() {
            for &x in &self.x.values {
                let mut document = base.to_value();
                let missing = |along: &Along| tr!("{} is no number of this configuration.", said(along.axis.name));
                self.x.axis.set(&mut document, x).ok_or_else(|| missing(&self.x))?;
                if let Some(y) = &self.y {
                    y.axis.set(&mut document, y.values[row]).ok_or_else(|| missing(y))?;
                }
                let config =
                    Config::from_value(&document).map_err(|error| tr!("The sweep cannot be run: {error}.", error))?;
                runs.extend(
                    (0..self.seeds as u32).map(|k| Config { seed: base.seed.wrapping_add(k), ..config.clone() }),
                );
            }
        }
        Ok(runs)
    }

    pub fn rows(&self) -> usize {
        self.y.as_ref().map_or(1, |y| y.values.len())
    }

    pub fn columns(&self) -> usize {
        self.x.values.len()
    }

    pub fn cells(&self) -> usize {
        self.rows() * self.columns()
    }
}

impl Swept {
    /// A cell once all its seeds are done.
    pub fn cell(&self, row: usize, column: usize) -> Option<Cell> {
        let seeds = self.plan.seeds;
        let first = (row * self.plan.columns() + column) * seeds;
        let losses = self.losses.get(first..first + seeds)?;
        let mean = losses.iter().sum::<f64>() / seeds as f64;
        let squares: f64 = losses.iter().map(|loss| (loss - mean) * (loss - mean)).sum();
        Some(Cell { mean, spread: if seeds > 1 { libm::sqrt(squares / (seeds - 1) as f64) } else { 0.0 } })
    }

    /// All cells that are done: row, column, cell.
    pub fn done(&self) -> impl Iterator<Item = (usize, usize, Cell)> {
        let columns = self.plan.columns();
        (0..self.plan.cells()).filter_map(move |at| {
            let (row, column) = (at / columns, at % columns);
            Some((row, column, self.cell(row, column)?))
        })
    }

    /// Where the loss is least.
    pub fn best(&self) -> Option<(usize, usize, Cell)> {
        let finite = self.done().filter(|(.., cell)| cell.mean.is_finite());
        finite.reduce(|best, one| if one.2.mean < best.2.mean { one } else { best })
    }

    pub fn complete(&self) -> bool {
        self.losses.len() == self.plan.cells() * self.plan.seeds
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::Task;
    use crate::method::{FULL, LORA};

    pub fn along(name: &str, text: &str) -> Along {
        let axis = axes(&Config::default(), 1).into_iter().find(|axis| axis.name == name).unwrap();
        Along::read(axis, text).unwrap()
    }

    pub fn plan() -> Plan {
        let base = Config { lanes: vec![(&FULL).into(), (&LORA).into()], ..Config::default() };
        let y = Some(along("learning rate", "0.01 0.1"));
        Plan { base, lane: 1, x: along("rank", "1, 2, 4"), y, steps: 20, seeds: 2 }
    }

    #[test]
    fn a_grid_is_run_row_by_row_with_every_seed() {
        let runs = plan().runs().unwrap();
        assert_eq!(runs.len(), 12);
        let of = |config: &Config| {
            let lane = &config.lanes[0];
            assert_eq!(lane.method.name, "lora", "one lane, LoRA");
            (lane.settings.whole("rank"), config.optimizer.lr, config.seed)
        };
        assert_eq!(of(&runs[0]), (1, 0.01, 1));
        assert_eq!(of(&runs[1]), (1, 0.01, 2));
        assert_eq!(of(&runs[2]), (2, 0.01, 1));
        assert_eq!(of(&runs[6]), (1, 0.1, 1));
        assert!(runs.iter().all(|run| run.lanes.len() == 1 && run.schedule.total == 20 && run.schedule.warmup <= 20));
    }

    #[test]
    fn axes_are_those_the_configuration_has() {
        let plan = plan();
        let names = |lane| axes(&plan.base, lane).iter().map(|a| a.name).collect::<Vec<_>>();
        assert!(names(1).contains(&"rank") && !names(1).contains(&"experts"));
        assert!(!names(0).contains(&"rank") && names(0).contains(&"learning rate"));
        let digits = Config { task: Task::Digits(crate::config::Digits::default()), ..plan.base.clone() };
        // The digits' domains are a list of names.
        assert!(!axes(&digits, 1).iter().any(|axis| axis.name == "tasks"));
    }

    #[test]
    fn what_cannot_be_run_is_said_before_anything_runs() {
        let rank = || axes(&plan().base, 1).remove(0);
        let beyond = Plan { x: along("rank", "8, 4096"), ..plan() }.runs().unwrap_err();
        assert!(beyond.contains("rank") && beyond.contains("4096"), "{beyond}");
        let many = Plan { seeds: 500, ..plan() }.runs().unwrap_err();
        assert!(many.contains("3000"), "{many}");
        assert!(Plan { lane: 0, ..plan() }.runs().unwrap_err().contains("rank"));
        assert!(Along::read(rank(), "1, two").unwrap_err().contains("two"));
        assert!(Along::read(rank(), "1.5").unwrap_err().contains("whole"));
        assert!(Along::read(rank(), " , ").unwrap_err().contains("at least one"));
        assert_eq!(Along::read(rank(), "4 4,2").unwrap().values, [4.0, 2.0]);
    }

    #[test]
    fn cells_appear_when_all_their_seeds_are_done() {
        let mut swept = Swept { plan: plan(), place: Where::Cpu, seconds: 1.0, losses: vec![1.0, 3.0, 0.5] };
        assert_eq!(swept.cell(0, 0), Some(Cell { mean: 2.0, spread: libm::sqrt(2.0) }));
        assert_eq!(swept.cell(0, 1), None);
        swept.losses.extend([0.5, f64::NAN, 0.1]);
        assert_eq!(swept.done().count(), 3);
        assert_eq!(swept.best().map(|best| (best.0, best.1)), Some((0, 1)));
        assert!(!swept.complete());
    }
}
