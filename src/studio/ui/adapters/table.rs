//! A figure that can be exchanged for a table of the same values.

use yew::prelude::*;

use crate::lang::tr;
use crate::view::table::Table;
use crate::view::ui::panel;

#[derive(Properties, PartialEq)]
pub struct FigureProps {
    /// Names the file of its picture.
    pub id: AttrValue,
    /// What it is a figure of, for the picture's caption: an adapter, or a module of one.
    pub of: AttrValue,
    pub title: AttrValue,
    /// Beside the heading.
    #[prop_or_default]
    pub controls: Html,
    pub table: Callback<(), Table>,
    #[prop_or_default]
    pub class: Classes,
    pub children: Html,
}

#[component]
pub fn Figure(props: &FigureProps) -> Html {
    let shown = use_state_eq(|| false);
    let toggle = {
        let shown = shown.clone();
        Callback::from(move |_: MouseEvent| shown.set(!*shown))
    };
    html! {
        <section id={props.id.clone()} data-of={props.of.clone()} class={classes!("panel", "figure", props.class.clone())} aria-label={props.title.clone()}>
            <header>
                <h3>{ &props.title }</h3>
                { props.controls.clone() }
                <span class="spring" />
                <span class="row" data-tool="">
                    { panel::figure_menu(&props.title) }
                    <button type="button" class="quiet" aria-pressed={shown.to_string()} aria-label={tr!("{} as a table", props.title)}
                        data-why={tr!("Show the same values as a table.")} onclick={toggle}>{ tr!("Table") }</button>
                </span>
            </header>
            if *shown {
                <div class="tables" tabindex="0" role="group" aria-label={tr!("Table")}>{ panel::table(&props.table.emit(())) }</div>
            } else {
                { props.children.clone() }
            }
        </section>
    }
}
