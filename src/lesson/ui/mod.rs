//! The lessons' column: fetches lessons, holds where the visitor stands, follows address and lab, and lays its views out.

mod browser;
mod column;
mod mark;
mod prose;
mod question;

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use super::course::{Course, Guess, Phase};
use super::data::{Catalogue, Index, Lesson, Texts, read};
use super::progress::Progress;
use crate::app::page::desk;
use crate::host::file::fetch;
use crate::lang;
use crate::view::action::Action;
use crate::view::ui::language::on_language;
use crate::view::ui::redraw::Redraw;
use browser::Place;
use mark::Marks;

/// Shows the column in `root`.
pub fn start(root: web_sys::Element) {
    root.set_inner_html("");
    yew::Renderer::<Column>::with_root(root).render();
}

/// What a visitor asks for in the column.
#[derive(Clone, Debug)]
pub enum Ask {
    Answer(Guess),
    Restore,
    /// A formula's symbol is pointed at, or no longer.
    Symbol(Option<String>),
}

/// Everything the column shows.
pub struct Core {
    progress: Progress,
    index: Option<Rc<Index>>,
    catalogue: Option<Rc<Catalogue>>,
    /// Of the lesson that is open.
    texts: Option<Rc<Texts>>,
    course: Option<Course>,
    recorded: Rc<Value>,
    place: Place,
    symbol: Option<String>,
    /// What could not be had, in words.
    problem: Option<String>,
}

#[derive(Clone)]
pub struct Handle {
    core: Rc<RefCell<Core>>,
    redraw: Redraw,
}

/// The files of a lesson, and what it needs beside them.
type Opened = (Rc<Index>, Rc<Catalogue>, Option<(Rc<Lesson>, Rc<Texts>)>, Rc<Value>);

impl Handle {
    fn ask(&self, ask: Ask) {
        match ask {
            Ask::Answer(guess) => {
                self.with(|course| desk::read(|lab| course.answer(guess, &lab.config, &lab.run)).unwrap_or_default())
            }
            Ask::Restore => self.with(Course::restore),
            Ask::Symbol(symbol) => self.core.borrow_mut().symbol = symbol,
        }
        self.redraw.now();
    }

    /// Changes where the visitor stands, and does in the lab what follows from it.
    fn with(&self, change: impl FnOnce(&mut Course) -> Vec<Action>) {
        let actions = self.core.borrow_mut().course.as_mut().map(change).unwrap_or_default();
        actions.into_iter().for_each(desk::act);
        self.hear();
    }

    /// The page speaks another language: the same step in its words.
    fn translate(&self) {
        {
            let mut core = self.core.borrow_mut();
            (core.catalogue, core.texts) = (None, None);
        }
        self.arrive();
    }

    /// The lab has something new.
    fn hear(&self) {
        let changed = {
            let mut core = self.core.borrow_mut();
            let recorded = core.recorded.clone();
            let Some(course) = &mut core.course else { return };
            let changed = desk::read(|lab| course.hear(&lab.run, &recorded)).unwrap_or(false);
            if changed && course.is_through() {
                let (id, step, steps) = (course.id.clone(), course.step().id.clone(), course.lesson.steps.len());
                core.progress.finish(&id, &step, steps);
                browser::keep(&core.progress.write());
            }
            changed
        };
        if changed {
            self.redraw.soon();
        }
    }

    /// To where the address leads.
    fn arrive(&self) {
        let place = browser::place();
        {
            let mut core = self.core.borrow_mut();
            core.place = place.clone();
            core.problem = None;
            core.symbol = None;
            let open = core.course.as_ref().map(|course| course.id.clone());
            let goes_on = matches!(&place, Place::Step(id, _) if open.as_ref() == Some(id));
            if !goes_on {
                (core.course, core.texts) = (None, None);
            }
        }
        if place == Place::Elsewhere {
            return self.redraw.now();
        }
        let handle = self.clone();
        spawn_local(async move {
            let opened = handle.files(&place).await;
            // Meanwhile the visitor may have gone elsewhere.
            if handle.core.borrow().place == place {
                handle.open(&place, opened);
            }
        });
    }

    async fn files(&self, place: &Place) -> Result<Opened, String> {
        let lang = lang::code();
        let (index, catalogue, course, texts, recorded) = {
            let core = self.core.borrow();
            let course = core.course.as_ref().map(|course| course.lesson.clone());
            (core.index.clone(), core.catalogue.clone(), course, core.texts.clone(), core.recorded.clone())
        };
        let index = match index {
            Some(index) => index,
            None => Rc::new(file("index.json").await?),
        };
        let catalogue = match catalogue {
            Some(catalogue) => catalogue,
            None => Rc::new(file(&format!("index.{lang}.json")).await?),
        };
        let Place::Step(id, _) = place else { return Ok((index, catalogue, None, recorded)) };
        if !index.lessons.contains(id) {
            return Ok((index, catalogue, None, recorded));
        }
        let lesson: Rc<Lesson> = match course {
            Some(lesson) => lesson,
            None => Rc::new(file(&format!("{id}.json")).await?),
        };
        let texts = match texts {
            Some(texts) => texts,
            None => Rc::new(file(&format!("{id}.{lang}.json")).await?),
        };
        let recorded = match lesson.is_recorded() && recorded.is_null() {
            true => {
                let bytes = fetch("data/recorded.json").await.map_err(|error| error.to_string())?;
                Rc::new(serde_json::from_slice(&bytes).unwrap_or_default())
            }
            false => recorded,
        };
        Ok((index, catalogue, Some((lesson, texts)), recorded))
    }

    fn open(&self, place: &Place, opened: Result<Opened, String>) {
        let (index, catalogue, lesson, recorded) = match opened {
            Ok(opened) => opened,
            Err(problem) => {
                self.core.borrow_mut().problem = Some(problem);
                return self.redraw.now();
            }
        };
        let actions = {
            let mut core = self.core.borrow_mut();
            (core.index, core.catalogue, core.recorded) = (Some(index), Some(catalogue), recorded);
            match (place, lesson) {
                (Place::Step(id, step), Some((lesson, texts))) => {
                    core.texts = Some(texts);
                    match &mut core.course {
                        // Another language of the same step.
                        Some(course) if course.at == *step => vec![],
                        Some(course) => desk::read(|lab| course.go(*step, &lab.run)).unwrap_or_default(),
                        None => {
                            let (course, actions) = Course::open(id, lesson, *step);
                            core.course = Some(course);
                            actions
                        }
                    }
                }
                _ => vec![],
            }
        };
        actions.into_iter().for_each(desk::act);
        self.hear();
        self.redraw.now();
    }
}

async fn file<T: serde::de::DeserializeOwned>(name: &str) -> Result<T, String> {
    let bytes = fetch(&format!("lessons/{name}")).await.map_err(|error| error.to_string())?;
    read(name, &bytes).map_err(|error| error.to_string())
}

#[component]
fn Column() -> Html {
    let trigger = use_force_update();
    let handle = use_memo((), |()| {
        let progress = browser::kept().map(|text| Progress::read(&text)).unwrap_or_default();
        let core = Core {
            progress,
            index: None,
            catalogue: None,
            texts: None,
            course: None,
            recorded: Rc::new(Value::Null),
            place: Place::Elsewhere,
            symbol: None,
            problem: None,
        };
        Handle {
            core: Rc::new(RefCell::new(core)),
            redraw: Redraw::new(Callback::from(move |()| trigger.force_update())),
        }
    });
    {
        let handle = handle.clone();
        use_effect_with((), move |()| {
            let own = (*handle).clone();
            desk::listen(Callback::from(move |()| own.hear()));
            handle.arrive();
            let own = (*handle).clone();
            let language = on_language(move || own.translate());
            let listener = browser::on_hash(move || handle.arrive());
            move || drop((listener, language))
        });
    }
    let ask = use_memo((), |()| {
        let handle = handle.clone();
        Callback::from(move |ask: Ask| handle.ask(ask))
    });
    let core = handle.core.borrow();
    let step = core.course.as_ref().filter(|_| core.place != Place::Elsewhere).map(Course::step);
    let marks = Marks {
        panel: step.map(|step| step.panel.clone()),
        mark: step.and_then(|step| step.mark.clone()),
        symbol: core.symbol.clone().filter(|_| step.is_some()),
    };
    use_effect_with(marks, mark::show);
    // Once the words are there.
    let there = core.texts.is_some().then(|| core.place.clone());
    use_effect_with(there, |there| {
        if there.is_some() {
            browser::arrive();
        }
    });
    // Once the run is.
    let is_coming = core.course.as_ref().is_none_or(|course| matches!(course.phase, Phase::Coming { .. }));
    let panel = step.filter(|_| !is_coming).map(|step| (step.panel.clone(), core.place.clone()));
    use_effect_with(panel, |panel| {
        if let Some((panel, _)) = panel {
            browser::look_at(panel);
        }
    });
    column::column(&core, &ask)
}
