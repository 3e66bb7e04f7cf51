//! What must hold between the values of a configuration. Each value by itself is already in its range.

use serde_json::{Value, json};

use super::{BalanceKind, Gate, Named};
use super::{Config, Domains, Lane, Method, Schedule, Task, limits, object::refuse};
use crate::error::Result;

impl Config {
    pub(super) fn check(&self) -> Result<()> {
        if let Task::Domains(domains) = &self.task {
            check_domains(domains)?;
        }
        for (i, lane) in self.lanes.iter().enumerate() {
            check_lane(lane, &format!("lanes[{i}]"), &self.task)?;
        }
        let Schedule { warmup, total } = self.schedule;
        if warmup > total {
            return Err(refuse(
                "schedule.warmup",
                &warmup.into(),
                format_args!("at most schedule.total, which is {total}"),
            ));
        }
        Ok(())
    }
}

impl Task {
    /// Linear layers of the task's network that can be adapted.
    pub fn layer_count(&self) -> usize {
        match self {
            Self::Domains(domains) => domains.depth,
            Self::Custom => 1,
            Self::Digits(_) => 3,
        }
    }
}

fn check_domains(task: &Domains) -> Result<()> {
    let Domains { dim, domains, true_rank, sequence, batch, .. } = *task;
    // Directions that must be orthogonal to each other in a space of `dim`.
    let (needed, sum) = if task.conflict {
        let outputs = domains * true_rank;
        let inputs = true_rank + domains;
        match outputs >= inputs {
            true => (outputs, "domains · true_rank"),
            false => (inputs, "true_rank + domains"),
        }
    } else {
        (domains * true_rank + domains, "domains · true_rank + domains")
    };
    if needed > dim {
        return Err(refuse(
            "task.true_rank",
            &true_rank.into(),
            format_args!("with {domains} domains, {sum} = {needed} orthogonal directions must fit into dim = {dim}"),
        ));
    }
    if batch * sequence > limits::TOKENS {
        return Err(refuse(
            "task.batch",
            &batch.into(),
            format_args!("batch · sequence = {} must be at most {}", batch * sequence, limits::TOKENS),
        ));
    }
    Ok(())
}

fn check_lane(lane: &Lane, path: &str, task: &Task) -> Result<()> {
    let count = task.layer_count();
    let options = &lane.options;
    for (key, sizes) in [("experts_per_layer", &options.experts_per_layer), ("rank_per_layer", &options.rank_per_layer)]
    {
        if let Some(sizes) = sizes
            && sizes.len() != count
        {
            let allowed = format_args!("one for each layer; task \"{}\" has {count}", task.kind());
            return Err(refuse(format!("{path}.{key}"), &json!(sizes), allowed));
        }
    }
    for layer in 0..count {
        if let Method::Molora { experts, rank, .. } = lane.method_at(layer)
            && experts * rank > limits::MIXTURE_RANK
        {
            return Err(refuse(
                format!("{path}.rank"),
                &rank.into(),
                format_args!("experts · rank = {} must be at most {}", experts * rank, limits::MIXTURE_RANK),
            ));
        }
    }
    check_mor1e(lane, path, count)?;
    if options.budget_begin >= options.budget_end {
        let allowed = format_args!("below budget_end, which is {}", options.budget_end);
        return Err(refuse(format!("{path}.budget_begin"), &options.budget_begin.into(), allowed));
    }
    if let (Method::Variant { rank, .. }, Some(target)) = (&lane.method, options.target_rank)
        && target > *rank
    {
        let allowed = format_args!("at most rank, which is {rank}");
        return Err(refuse(format!("{path}.target_rank"), &target.into(), allowed));
    }
    for (i, &layer) in lane.layers.iter().flatten().enumerate() {
        if layer >= count {
            return Err(refuse(
                format!("{path}.layers[{i}]"),
                &Value::from(layer),
                format_args!(
                    "task \"{}\" has {count} layer{}, counted from 0",
                    task.kind(),
                    if count == 1 { "" } else { "s" }
                ),
            ));
        }
    }
    Ok(())
}

/// Of prototypes and shared vectors; a build without them passes their lanes on to one that has them.
fn check_mor1e(lane: &Lane, path: &str, count: usize) -> Result<()> {
    if let Method::Mor1e { gate, hidden, balance, .. } = &lane.method {
        for layer in 0..count {
            if let Method::Mor1e { experts, flex: Some(p), .. } = lane.method_at(layer)
                && experts % p != 0
            {
                let allowed = format_args!("a divisor of experts, which is {experts}");
                return Err(refuse(format!("{path}.flex"), &p.into(), allowed));
            }
        }
        // The prototype gate has no hidden layer. Nor does either balance term mean anything on gates that are not shares: one
        // takes logarithms of what may be negative, the other falls without bound with the gates.
        if let (Gate::Prototype, Some(hidden)) = (gate, hidden) {
            return Err(refuse(format!("{path}.hidden"), &(*hidden).into(), "nothing with gate \"prototype\""));
        }
        if *gate == Gate::Prototype && balance.kind != BalanceKind::None {
            let allowed = "\"none\" with gate \"prototype\", whose gates are not shares of 1";
            return Err(refuse(format!("{path}.balance.kind"), &balance.kind.name().into(), allowed));
        }
    }
    Ok(())
}
