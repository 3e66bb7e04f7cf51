//! What must hold between the values of a configuration. Each value by itself is already in its range.

use serde_json::Value;

use super::{Config, Domains, Lane, Named, Schedule, Task, Text, lane::shown, limits};
use crate::args::object::refuse;
use crate::error::Result;
use crate::lang::tr;

impl Config {
    pub(super) fn check(&self) -> Result<()> {
        if let Task::Domains(domains) = &self.task {
            check_domains(domains)?;
        }
        if let Task::Text(text) = &self.task
            && text.batch * text.sequence > limits::TOKENS
        {
            let tokens = text.batch * text.sequence;
            let allowed = tr!("batch · sequence = {tokens} must be at most {}", limits::TOKENS, tokens);
            return Err(refuse("task.batch", &text.batch.into(), allowed));
        }
        for (i, lane) in self.lanes.iter().enumerate() {
            check_lane(lane, &format!("lanes[{i}]"), &self.task)?;
        }
        let Schedule { warmup, total } = self.schedule;
        if warmup > total {
            return Err(refuse(
                "schedule.warmup",
                &warmup.into(),
                tr!("at most schedule.total, which is {total}", total),
            ));
        }
        Ok(())
    }
}

fn check_domains(task: &Domains) -> Result<()> {
    let Domains { dim, domains, true_rank, sequence, batch, .. } = *task;
    // Directions that must be orthogonal to each other in a space of `dim`.
    let (needed, sum) = if task.conflict {
        let outputs = domains * true_rank;
        let inputs = true_rank + domains;
        match outputs >= inputs {
            true => (outputs, tr!("domains · true_rank")),
            false => (inputs, tr!("true_rank + domains")),
        }
    } else {
        (domains * true_rank + domains, tr!("domains · true_rank + domains"))
    };
    if needed > dim {
        return Err(refuse(
            "task.true_rank",
            &true_rank.into(),
            tr!(
                "with {domains} domains, {sum} = {needed} orthogonal directions must fit into dim = {dim}",
                domains,
                sum,
                needed,
                dim
            ),
        ));
    }
    if batch * sequence > limits::TOKENS {
        return Err(refuse(
            "task.batch",
            &batch.into(),
            tr!("batch · sequence = {} must be at most {}", batch * sequence, limits::TOKENS),
        ));
    }
    Ok(())
}

fn check_lane(lane: &Lane, path: &str, task: &Task) -> Result<()> {
    if let Some(targets) = lane.targets.as_ref().filter(|_| !task.has_projections()) {
        let names: Vec<&str> = targets.iter().map(|one| one.name()).collect();
        return Err(refuse(
            format!("{path}.targets"),
            &names.into(),
            tr!("nothing: task \"{}\" has no transformer's projections to choose from", task.kind()),
        ));
    }
    if !lane.modules_to_save.is_empty() && !task.has_projections() {
        let names: Vec<&str> = lane.modules_to_save.iter().map(|one| one.name()).collect();
        return Err(refuse(
            format!("{path}.modules_to_save"),
            &names.into(),
            tr!("nothing: task \"{}\" has neither an embedding nor a head", task.kind()),
        ));
    }
    if let Some(begin) = lane.begin.as_ref().filter(|_| !task.has_projections()) {
        return Err(refuse(
            format!("{path}.begin"),
            &begin.as_str().into(),
            format_args!("nothing: task \"{}\" has no language model whose adapters could be opened", task.kind()),
        ));
    }
    if let (Task::Text(Text { cheat: false, .. }), Some(causal)) = (task, lane.reads_ahead()) {
        let held = lane.settings.get(causal.key).map_or(Value::Null, shown);
        return Err(refuse(
            format!("{path}.{}", causal.key),
            &held,
            tr!("{}: on text, such a gate would read the tokens that are to be predicted", causal.allowed),
        ));
    }
    let count = task.layer_count();
    if let Some(broken) = lane.broken_limit(count.unwrap_or(usize::MAX)) {
        return Err(refuse(format!("{path}.{}", broken.key), &shown(&broken.value), broken.allowed));
    }
    let Some(count) = count else { return Ok(()) };
    for (i, &layer) in lane.layers.iter().flatten().enumerate() {
        if layer >= count {
            return Err(refuse(
                format!("{path}.layers[{i}]"),
                &Value::from(layer),
                tr!(
                    "task \"{}\" has {n} layer, counted from 0" | "task \"{}\" has {n} layers, counted from 0" % count,
                    task.kind()
                ),
            ));
        }
    }
    Ok(())
}
