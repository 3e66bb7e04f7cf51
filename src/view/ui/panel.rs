//! A panel's frame: its heading, its picture, and on demand the same values as a table. Knows nothing of the content, nor of
//! how a picture is saved: a click on what has `data-picture` asks the page's script for that.

use yew::prelude::*;

use crate::lang::tr;
use crate::view::table::Table;

#[derive(Properties, PartialEq)]
pub struct PanelProps {
    pub id: AttrValue,
    pub title: AttrValue,
    /// Between the heading and the table button.
    #[prop_or_default]
    pub controls: Html,
    /// The values as they are when asked for: a table that moved could not be read.
    pub tables: Callback<(), Vec<Table>>,
    pub step: usize,
    #[prop_or_default]
    pub children: Html,
}

/// A titled region whose picture can be exchanged for tables of the same values, frozen at the step they were opened.
#[component]
pub fn Panel(props: &PanelProps) -> Html {
    let shown = use_state(|| None::<(usize, Vec<Table>)>);
    let open = {
        let (shown, tables, step) = (shown.clone(), props.tables.clone(), props.step);
        Callback::from(move |_: MouseEvent| shown.set(Some((step, tables.emit(())))))
    };
    let close = {
        let shown = shown.clone();
        Callback::from(move |_: MouseEvent| shown.set(None))
    };
    let heading = format!("{}-title", props.id);
    html! {
        <section id={props.id.clone()} class="panel" aria-labelledby={heading.clone()}>
            <header>
                <h2 id={heading}>{ &props.title }</h2>
                { props.controls.clone() }
                <span class="spring" />
                if shown.is_some() {
                    <button type="button" class="quiet" data-tool="" onclick={open.clone()}
                        data-why={tr!("Fill the table with the values of this moment.")}>{ tr!("Refresh") }</button>
                }
                { picture_menu(&props.title, tr!("Save what is seen here, with the run's link and its sentence, as a drawing or in pixels.")) }
                <button type="button" class="quiet" data-tool="" aria-pressed={shown.is_some().to_string()}
                    aria-label={tr!("{} as a table", props.title)}
                    data-why={tr!("Show the same values as a table, as they are at this step.")}
                    onclick={if shown.is_some() { close } else { open }}>{ tr!("Table") }</button>
            </header>
            if let Some((step, tables)) = &*shown {
                <div class="tables" tabindex="0" aria-label={tr!("Table")}>
                    <p class="note">{ tr!("Values at step {step}.", step) }</p>
                    { for tables.iter().map(table) }
                </div>
            } else {
                { props.children.clone() }
            }
        </section>
    }
}

/// The forms in which what is seen can be saved, as files' names end and as people call them.
const PICTURES: [(&str, &str); 2] = [("svg", "SVG"), ("png", "PNG")];

/// A menu that saves what is seen of the `<section>` around it, whose `id` names the file.
pub fn picture_menu(title: &str, why: String) -> Html {
    html! {
        <details class="picture" name="picture" data-tool="">
            <summary aria-label={tr!("Picture of {}", title)} data-why={why}>{ tr!("Picture") }</summary>
            <div class="menu">{ for PICTURES.iter().map(|&form| picture_button(title, form)) }</div>
        </details>
    }
}

/// The same outside the lab, where there is neither a run nor its sentence.
pub fn figure_menu(title: &str) -> Html {
    picture_menu(title, tr!("Save what is seen here, with its link, as a drawing or in pixels."))
}

fn picture_button(of: &str, (form, label): (&'static str, &'static str)) -> Html {
    html! {
        <button type="button" class="quiet" data-picture={form} aria-label={tr!("Save {of} as {label}", of, label)}>{ label }</button>
    }
}

/// A table with its first column as row headings.
pub fn table(table: &Table) -> Html {
    let rows = table.rows.iter().map(|row| {
        html! {
            <tr>
                { for row.iter().take(1).map(|cell| html! { <th scope="row">{ cell }</th> }) }
                { for row.iter().skip(1).map(|cell| html! { <td>{ cell }</td> }) }
            </tr>
        }
    });
    html! {
        <table>
            <caption>{ &table.caption }</caption>
            <thead><tr>{ for table.head.iter().map(|cell| match cell.as_str() {
                "" => html! { <td /> },
                _ => html! { <th scope="col">{ cell }</th> },
            }) }</tr></thead>
            <tbody>{ for rows }</tbody>
        </table>
    }
}
