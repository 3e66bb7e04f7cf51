//! A visitor's own table of numbers, for the lab's layer: opened from disk, told in words and numbers, and trained on. Nothing of it is
//! read here: that is the trainer's.

use js_sys::Array;
use yew::prelude::*;

use super::control::{Button, Number, Switch};
use super::pick::{chosen, pressing};
use crate::config::{Config, Task};
use crate::lang::tr;
use crate::protocol::text::Bring;
use crate::task::table::AboutTable;
use crate::task::text::own::About;
use crate::view::action::Action;
use crate::view::edit::on_task;
use crate::view::format::count;
use crate::view::snap::Snap;

/// Names of columns that are told.
const TOLD: usize = 6;

#[derive(Properties, PartialEq)]
pub struct OwnTableProps {
    pub config: Snap<Config>,
    pub brought: Option<Snap<About>>,
    /// Files, each in a pair behind its path.
    pub bring: Callback<Array>,
    pub dispatch: Callback<Action>,
}

#[component]
pub fn OwnTable(props: &OwnTableProps) -> Html {
    let input = use_node_ref();
    let onchange = props.bring.reform(|event: Event| chosen(&event.target().into()));
    let about = props.brought.as_deref();
    // A run on a table begins anew on what the table is by now.
    let train = match props.config.task {
        Task::Custom => Action::Reset,
        _ => Action::Edit(on_task(&props.config, Task::Custom)),
    };
    html! {
        <fieldset class="own-files">
            <legend>{ tr!("Your own data") }</legend>
            <p class="note">{ tr!("A CSV file of numbers, one sample a line: inputs, and behind them the targets that the layer is to give. It is read here and never uploaded.") }</p>
            { Button::new(tr!("Open a table…"), tr!("Comma, semicolon or tab between the numbers; a first line of names or none.")).calls(pressing(&input)) }
            <input ref={input} type="file" hidden=true accept=".csv,.tsv,text/csv" aria-label={tr!("Own table")} {onchange} />
            if let Some(about) = about {
                { for about.problems.iter().map(|problem| html! { <p class="notice" role="alert">{ problem }</p> }) }
                if let Some(table) = &about.table {
                    <p role="status">{ described(table) }</p>
                    <Number label={tr!("targets")} why={tr!("How many of the last columns are targets; the others are inputs.")} value={table.targets as f64}
                        min={1.0} max={(table.columns.len() - 1) as f64} whole=true
                        on_change={props.dispatch.reform(|targets: f64| Action::Bring(Bring::Aim(targets as usize)))} />
                    <Switch label={tr!("standardise")} why={tr!("Bring every column to mean 0 and standard deviation 1, so that the loss is the share of the targets' variance that is left, 1 − R². Otherwise numbers are trained on as they are; the layer learns no bias.")}
                        on={table.standardised} on_change={props.dispatch.reform(|on| Action::Bring(Bring::Standardise(on)))} />
                    <div class="row wrap">
                        { Button::primary(tr!("Train on this table"), tr!("Begins a run whose frozen weight is 0: lanes learn the layer from nothing.")).acts(&props.dispatch, train) }
                        { Button::quiet(tr!("Remove the table"), tr!("A run on it goes on until another begins.")).calls(props.dispatch.reform(|()| Action::Bring(Bring::DropTable))) }
                    </div>
                }
            }
        </fieldset>
    }
}

/// What was found in a table.
fn described(table: &AboutTable) -> String {
    let inputs = table.columns.len() - table.targets;
    let names = |columns: &[String]| {
        let rest = if columns.len() > TOLD { ", …" } else { "" };
        format!("{}{rest}", columns.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join(", "))
    };
    tr!(
        "{name}: {rows} rows, {inputs} in ({of}), {targets} out ({to}). Every step trains on all rows.",
        name = table.name,
        rows = count(table.rows),
        inputs = count(inputs),
        of = names(&table.columns[..inputs]),
        targets = count(table.targets),
        to = names(&table.columns[inputs..])
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_told_with_its_shapes() {
        let columns = (1..=8).map(|at| format!("x{at}")).chain(["y".into()]).collect();
        let table = AboutTable { name: "own.csv".into(), columns, rows: 1200, targets: 1, standardised: true };
        assert_eq!(
            described(&table),
            "own.csv: 1,200 rows, 8 in (x1, x2, x3, x4, x5, x6, …), 1 out (y). Every step trains on all rows."
        );
    }
}
