//! Ranks that are not one fixed number, as the page keeps them: AdaLoRA's directions in use over training, beside the budget
//! that is prescribed for them, and the losses of cut factors. Pure; knows no markup.

use super::{
    format::{count, three},
    snap::Snap,
    table::Table,
};
use crate::config::Lane;
use crate::lang::tr;
use crate::protocol::{BudgetFrame, CutsFrame, RanksFrame};

/// Changes of the directions in use that are remembered.
const LEVELS: usize = 256;
/// Rows of a table over training.
const ROWS: usize = 24;

/// All there is to see of a run's ranks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranks {
    pub budgets: Vec<BudgetView>,
    pub cuts: Option<Snap<CutsFrame>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct BudgetView {
    pub lane: usize,
    pub usage: Snap<Usage>,
}

impl Ranks {
    /// Takes in what the next frame has.
    pub fn push(&mut self, frame: RanksFrame) {
        for budget in frame.budgets {
            let known = self.budgets.iter().position(|view| view.lane == budget.lane);
            let at = known.unwrap_or_else(|| {
                self.budgets.push(BudgetView { lane: budget.lane, usage: Snap::new(Usage::default()) });
                self.budgets.len() - 1
            });
            self.budgets[at].usage.change(|usage| usage.push(&budget));
        }
        if let Some(cuts) = frame.cuts {
            self.cuts = Some(Snap::new(cuts));
        }
    }
}

/// The budget that AdaLoRA prescribes (arXiv 2303.10512): `b_T + (b₀ − b_T)(1 − τ)³`, for all layers together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    pub first: usize,
    pub last: usize,
    pub begin: usize,
    pub end: usize,
}

impl Budget {
    /// Of a lane that has one, over so many adapted layers.
    pub fn new(lane: &Lane, layers: usize) -> Option<Self> {
        let own = (lane.method.extras.budget?)(&lane.settings);
        Some(Self { first: own.first * layers, last: own.last * layers, begin: own.begin, end: own.end })
    }

    /// After a step; whole directions are kept, so the measured number is this rounded down.
    pub fn at(&self, step: f64) -> f64 {
        let (begin, end) = (self.begin as f64, self.end as f64);
        let left = 1.0 - ((step - begin) / (end - begin)).clamp(0.0, 1.0);
        self.last as f64 + (self.first - self.last) as f64 * left.powi(3)
    }

    /// Points of its curve up to a step, close enough for a smooth line.
    pub fn curve(&self, limit: usize) -> Vec<(f64, f64)> {
        const PIECES: usize = 48;
        let (begin, end) = (self.begin as f64, self.end as f64);
        let falling = (0..=PIECES).map(|k| begin + (end - begin) * k as f64 / PIECES as f64);
        let limit = limit as f64;
        let steps = std::iter::once(0.0).chain(falling.filter(|&step| step < limit)).chain([limit]);
        steps.map(|step| (step, self.at(step))).collect()
    }

    /// What the formula says, with this lane's numbers in it.
    pub fn why(&self) -> String {
        let Self { first, last, begin, end } = self;
        tr!(
            "Prescribed: {last} + ({first} − {last})(1 − τ)³ directions in all layers together, τ going from 0 at step {begin} to 1 at step {end}. Training keeps the whole ones.",
            last,
            first,
            begin,
            end
        )
    }
}

/// A stretch of training over which every measurement found the same directions in use.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Its first and last measurement.
    pub first: usize,
    pub last: usize,
    /// By adapted layer.
    pub kept: Vec<usize>,
}

impl Level {
    pub fn total(&self) -> usize {
        self.kept.iter().sum()
    }
}

/// Directions in use over training. Bounded: it grows with changes only, and thins them out when there are too many.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// Adapted layers, in the order of every level's values.
    pub layers: Vec<usize>,
    pub levels: Vec<Level>,
}

impl Usage {
    fn push(&mut self, frame: &BudgetFrame) {
        let step = frame.step;
        // A run that went back does its steps again.
        self.levels.retain(|level| level.first < step);
        if let Some(level) = self.levels.last_mut() {
            level.last = level.last.min(step.saturating_sub(1));
        }
        self.layers = frame.layers.iter().map(|&(layer, _)| layer).collect();
        let kept: Vec<usize> = frame.layers.iter().map(|&(_, kept)| kept).collect();
        match self.levels.last_mut() {
            Some(level) if level.kept == kept => level.last = step,
            _ => {
                if self.levels.len() == LEVELS {
                    let mut odd = false;
                    self.levels.retain(|_| {
                        odd = !odd;
                        odd
                    });
                }
                self.levels.push(Level { first: step, last: step, kept });
            }
        }
    }

    /// What was last measured up to a step.
    pub fn at(&self, step: usize) -> Option<&Level> {
        self.levels.iter().rev().find(|level| level.first <= step)
    }

    /// (step, directions in all layers): level where measurements agree, slanted where it is not known when they changed.
    pub fn course(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.levels.iter().flat_map(|level| [level.first, level.last].map(|step| (step as f64, level.total() as f64)))
    }

    /// (first step, step after the last, directions) of each stretch in which the layer at this place kept as many; it holds
    /// until another number was measured.
    pub fn stretches(&self, place: usize) -> Vec<(usize, usize, usize)> {
        let mut all: Vec<(usize, usize, usize)> = Vec::new();
        for level in &self.levels {
            let kept = level.kept[place];
            match all.last_mut() {
                Some(stretch) if stretch.2 == kept => stretch.1 = level.last + 1,
                last => {
                    if let Some(stretch) = last {
                        stretch.1 = level.first;
                    }
                    all.push((level.first, level.last + 1, kept));
                }
            }
        }
        all
    }
}

/// A budget as it is written: finely enough to see which whole number it is rounded down to.
pub fn decimals(budget: f64) -> String {
    format!("{budget:.2}")
}

/// What stands at a step: "step 412: budget 18.40, in use 18 = 6 + 4 + 5 + 3".
pub fn usage_at(budget: &Budget, usage: &Usage, step: usize) -> String {
    let prescribed = decimals(budget.at(step as f64));
    match usage.at(step) {
        Some(level) if level.kept.len() > 1 => {
            let parts: Vec<String> = level.kept.iter().map(usize::to_string).collect();
            tr!("step {step}: budget {prescribed}, in use {} = {}", level.total(), parts.join(" + "), step, prescribed)
        }
        Some(level) => tr!("step {step}: budget {prescribed}, in use {}", level.total(), step, prescribed),
        None => tr!("step {step}: budget {prescribed}", step, prescribed),
    }
}

/// What is going on with a budget at a step, in a sentence.
pub fn budget_state(budget: &Budget, step: usize) -> String {
    let Budget { first, last, begin, end } = *budget;
    match step {
        _ if first == last => tr!("The budget is all {first} directions, so none is pruned.", first),
        step if step <= begin => tr!("All {first} directions train; pruning begins at step {begin}.", first, begin),
        step if step < end => tr!("Pruning to {last} of {first} directions, until step {end}.", last, first, end),
        _ => tr!("Pruning is over: {last} of {first} directions are kept.", last, first),
    }
}

/// Directions in use at some moments of training, beside the budget.
pub fn usage_table(name: &str, budget: &Budget, usage: &Usage) -> Table {
    let mut head = vec![tr!("step"), tr!("budget"), tr!("in use")];
    head.extend(usage.layers.iter().map(|layer| tr!("layer {}", layer + 1)));
    let every = usage.levels.len().div_ceil(ROWS).max(1);
    let last = usage.levels.last().filter(|level| level.last > level.first);
    let moments = usage.levels.iter().step_by(every).map(|level| (level.first, level));
    let rows = moments.chain(last.map(|level| (level.last, level))).map(|(step, level)| {
        let mut row = vec![step.to_string(), decimals(budget.at(step as f64)), level.total().to_string()];
        row.extend(level.kept.iter().map(usize::to_string));
        row
    });
    Table { caption: tr!("{name}: directions in use, where they changed", name), rows: rows.collect(), head }
}

/// All ranks that any lane was cut to.
pub fn cut_ranks(cuts: &CutsFrame) -> Vec<usize> {
    let mut ranks: Vec<usize> = cuts.lanes.iter().flat_map(|lane| lane.losses.iter().map(|&(rank, _)| rank)).collect();
    ranks.sort_unstable();
    ranks.dedup();
    ranks
}

/// A lane's loss when cut to a rank.
pub fn cut_loss(cuts: &CutsFrame, place: usize, rank: usize) -> Option<f64> {
    let losses = &cuts.lanes.get(place)?.losses;
    losses.iter().find(|&&(cut, _)| cut == rank).map(|&(_, loss)| f64::from(loss))
}

/// The least loss of any single weight of a rank.
pub fn cut_floor(cuts: &CutsFrame, rank: usize) -> Option<f64> {
    cuts.floors.iter().find(|&&(cut, _)| cut == rank).map(|&(_, floor)| floor)
}

/// What stands at a rank: "rank 3: DyLoRA 0.210 · LoRA 0.650 · floor 0.155".
pub fn cuts_at(cuts: &CutsFrame, names: &[String], rank: usize) -> String {
    let lanes =
        cuts.lanes.iter().enumerate().filter_map(|(place, lane)| {
            Some(format!("{} {}", names.get(lane.lane)?, three(cut_loss(cuts, place, rank)?)))
        });
    let floor = cut_floor(cuts, rank).map(|floor| tr!("floor {}", three(floor)));
    tr!("rank {rank}: {}", lanes.chain(floor).collect::<Vec<_>>().join(" · "), rank)
}

/// Loss by rank of every lane that was cut.
pub fn cuts_table(cuts: &CutsFrame, names: &[String], unit: &str) -> Table {
    let optional = |value: Option<f64>| value.map_or("–".into(), three);
    let mut head = vec![tr!("rank")];
    head.extend(cuts.lanes.iter().filter_map(|lane| names.get(lane.lane).cloned()));
    if !cuts.floors.is_empty() {
        head.push(tr!("floor"));
    }
    let row = |rank: usize| {
        let mut row = vec![rank.to_string()];
        row.extend((0..cuts.lanes.len()).map(|place| optional(cut_loss(cuts, place, rank))));
        if !cuts.floors.is_empty() {
            row.push(optional(cut_floor(cuts, rank)));
        }
        row
    };
    Table {
        caption: tr!("Loss ({unit}) with the first directions alone, after {} steps", count(cuts.step), unit),
        rows: cut_ranks(cuts).into_iter().map(row).collect(),
        head,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::{ADALORA, LORA};
    use crate::op::budget::Dims;
    use crate::protocol::CutLane;

    fn lane(rank: usize, target: usize, begin: usize, end: usize) -> Lane {
        let lane = Lane::from(&ADALORA).with("rank", rank).with("target_rank", target);
        lane.with("budget_begin", begin).with("budget_end", end)
    }

    fn frame(step: usize, kept: &[usize]) -> BudgetFrame {
        BudgetFrame { lane: 0, step, layers: kept.iter().copied().enumerate().collect() }
    }

    fn usage(frames: &[(usize, &[usize])]) -> Usage {
        let mut usage = Usage::default();
        frames.iter().for_each(|&(step, kept)| usage.push(&frame(step, kept)));
        usage
    }

    #[test]
    fn what_is_drawn_is_what_the_engine_is_given() {
        for (rank, target, layers, begin, end) in [(8, 4, 4, 100, 600), (6, 2, 3, 20, 60), (16, 3, 1, 0, 333)] {
            let budget = Budget::new(&lane(rank, target, begin, end), layers).unwrap();
            let dims = Dims {
                rank: rank as u32,
                inputs: 8,
                outputs: 8,
                real_inputs: 8,
                real_outputs: 8,
                a: 0,
                b: 0,
                e: 0,
                elements: 0,
                layer: 0,
                layers: layers as u32,
                first_budget: (rank * layers) as u32,
                last_budget: (target * layers) as u32,
                begin: begin as u32,
                end: end as u32,
                interval: 10,
            };
            for step in (0..end + 50).step_by(10) {
                assert_eq!(budget.at(step as f64) as u32, dims.budget(step as u32), "rank {rank}, step {step}");
            }
        }
        assert_eq!(Budget::new(&(&LORA).into(), 1), None);
    }

    #[test]
    fn the_budget_falls_as_a_cube() {
        let budget = Budget::new(&lane(8, 4, 100, 600), 4).unwrap();
        let values = [0.0, 100.0, 350.0, 475.0, 600.0, 5_000.0].map(|step| budget.at(step));
        assert_eq!(values, [32.0, 32.0, 18.0, 16.25, 16.0, 16.0]);
        let curve = budget.curve(400);
        assert_eq!((curve[0], curve.last()), ((0.0, 32.0), Some(&(400.0, budget.at(400.0)))));
        assert!(curve.windows(2).all(|pair| pair[0].0 < pair[1].0 || pair[0].1 == pair[1].1));
        assert!(budget.why().contains("16 + (32 − 16)(1 − τ)³"), "{}", budget.why());
        assert!(budget_state(&budget, 40).contains("begins at step 100"));
        assert!(budget_state(&budget, 400).contains("to 16 of 32"));
        assert!(budget_state(&budget, 600).contains("over"));
    }

    #[test]
    fn equal_measurements_are_one_level() {
        let usage = usage(&[(5, &[8, 8]), (99, &[8, 8]), (120, &[7, 6]), (121, &[7, 6]), (130, &[7, 4])]);
        assert_eq!(usage.levels.len(), 3);
        assert_eq!(usage.at(4), None);
        assert_eq!([98, 119, 125, 400].map(|step| usage.at(step).unwrap().total()), [16, 16, 13, 11]);
        let course: Vec<_> = usage.course().collect();
        assert_eq!(course, [(5.0, 16.0), (99.0, 16.0), (120.0, 13.0), (121.0, 13.0), (130.0, 11.0), (130.0, 11.0)]);
        assert_eq!(usage.stretches(0), [(5, 120, 8), (120, 131, 7)]);
        assert_eq!(usage.stretches(1), [(5, 120, 8), (120, 130, 6), (130, 131, 4)]);
        let budget = Budget::new(&lane(8, 4, 100, 600), 2).unwrap();
        assert_eq!(usage_at(&budget, &usage, 130), "step 130: budget 14.64, in use 11 = 7 + 4");
        assert_eq!(usage_at(&budget, &usage, 2), "step 2: budget 16.00");
        let table = usage_table("AdaLoRA", &budget, &usage);
        assert_eq!(table.rows[2], ["130", "14.64", "11", "7", "4"]);
    }

    #[test]
    fn memory_is_flat_whatever_changes() {
        let mut usage = Usage::default();
        for step in 0..20_000 {
            usage.push(&frame(step, &[step % 9, 8 - step % 9]));
        }
        assert!(usage.levels.len() <= LEVELS, "{}", usage.levels.len());
        assert_eq!(usage.levels.last().unwrap().last, 19_999);
        assert!(usage.levels.windows(2).all(|pair| pair[0].last < pair[1].first));
        assert!(usage_table("AdaLoRA", &Budget::new(&lane(8, 4, 1, 2), 2).unwrap(), &usage).rows.len() <= ROWS + 1);
    }

    #[test]
    fn going_back_forgets_what_came_later() {
        let usage = usage(&[(5, &[8]), (50, &[8]), (60, &[5]), (30, &[8]), (40, &[6])]);
        assert_eq!(usage.stretches(0), [(5, 40, 8), (40, 41, 6)]);
        assert_eq!(usage.levels[0].last, 30);
    }

    #[test]
    fn cuts_are_told_by_rank() {
        let cuts = CutsFrame {
            step: 90,
            tokens: 1024,
            lanes: vec![
                CutLane { lane: 0, losses: vec![(1, 0.5), (2, 0.25)] },
                CutLane { lane: 2, losses: vec![(1, 0.75), (2, 0.5), (3, f32::NAN)] },
            ],
            floors: vec![(1, 0.4), (2, 0.2), (3, 0.0)],
        };
        let names = ["DyLoRA", "full", "LoRA"].map(String::from).to_vec();
        assert_eq!(cut_ranks(&cuts), [1, 2, 3]);
        assert_eq!(cuts_at(&cuts, &names, 2), "rank 2: DyLoRA 0.250 · LoRA 0.500 · floor 0.200");
        let table = cuts_table(&cuts, &names, "share of target energy");
        assert_eq!(table.head, ["rank", "DyLoRA", "LoRA", "floor"]);
        assert_eq!(table.rows[0], ["1", "0.500", "0.750", "0.400"]);
        assert_eq!(table.rows[2], ["3", "–", "not a number", "0"]);
    }
}
