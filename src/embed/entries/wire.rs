//! The talk with the page around, in the browser: hears JSON, does in the lab what it asks for, and says what is new. Knows
//! nothing of what the messages mean.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use js_sys::{Array, Function, Object, Uint8Array};
use serde_json::Value;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::app::page::desk;
use crate::args::object::refuse;
use crate::embed::ask::{self, Ask, Place};
use crate::embed::tell::{Teller, adapter, refusal, values};
use crate::error::{Error, Result};
use crate::host::browser::window;
use crate::host::file::fetch;
use crate::lang::{marked, tr};

/// From now on `send` is called with every message for the page around, as text and with the files that belong to it, if any; what is given back is called with that page's.
pub fn start(send: Function) -> Function {
    let teller = Rc::new(RefCell::new(Teller::default()));
    let say_with = Rc::new(move |message: &Value, files: &JsValue| {
        // A page around that has gone hears nothing.
        let _ = send.call2(&JsValue::NULL, &message.to_string().into(), files);
    });
    let say = {
        let say_with = say_with.clone();
        Rc::new(move |message: &Value| say_with(message, &JsValue::UNDEFINED))
    };
    // Adapters that were asked for, in their order: lane and number of the message.
    let awaited = Rc::new(RefCell::new(VecDeque::<(usize, Option<Value>)>::new()));
    desk::take({
        let awaited = awaited.clone();
        yew::Callback::from(move |files: desk::Files| {
            let next = awaited.borrow_mut().pop_front();
            if let (Some((lane, id)), true) = (&next, files.is_empty()) {
                let hint = tr!("it could not be saved; another message says why");
                let error = Error::Missing { what: marked!("adapter"), name: lane.to_string(), hint };
                say_with(&refusal(&error, id.as_ref()), &JsValue::UNDEFINED);
            } else if let Some((lane, id)) = next {
                say_with(&adapter(lane, id.as_ref()), &by_name(&files));
            }
        })
    });
    let tell = {
        let say = say.clone();
        move || {
            let news = desk::read(|state| teller.borrow_mut().news(state)).unwrap_or_default();
            news.iter().for_each(|message| say(message));
        }
    };
    tell();
    desk::listen(yew::Callback::from(move |()| tell()));
    let hear = Closure::<dyn Fn(String)>::new(move |text: String| {
        let message: Value = serde_json::from_str(&text).unwrap_or_default();
        let id = ask::id(&message).cloned();
        let asked = desk::read(|state| ask::read(&message, state));
        match asked {
            Some(Ok(Ask::Act(actions))) => actions.into_iter().for_each(desk::act),
            Some(Ok(Ask::GoTo(place))) => {
                let say = say.clone();
                spawn_local(async move {
                    if let Err(error) = go_to(place).await {
                        say(&refusal(&error, id.as_ref()));
                    }
                });
            }
            Some(Ok(Ask::Values(lane))) => {
                desk::read(|state| values(state, lane, id.as_ref())).iter().for_each(|message| say(message));
            }
            Some(Ok(Ask::Adapter(lane, save))) => {
                awaited.borrow_mut().push_back((lane, id));
                desk::act(save);
            }
            Some(Err(error)) => say(&refusal(&error, id.as_ref())),
            None => {}
        }
    });
    hear.into_js_value().unchecked_into()
}

/// An object of bytes.
fn by_name(files: &desk::Files) -> JsValue {
    let pairs: Array = files
        .iter()
        .map(|(name, bytes)| Array::of2(&name.as_str().into(), &Uint8Array::from(bytes.as_slice())))
        .collect();
    // Pairs are what it is made of.
    Object::from_entries(&pairs).map(JsValue::from).unwrap_or_default()
}

/// To a step of a lesson, if there is such a one.
async fn go_to(place: Place) -> Result<()> {
    let hash = match place.lesson {
        None => "#lab".to_owned(),
        Some(lesson) => {
            let index = file("index").await?;
            let names: Vec<&str> =
                index["lessons"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            if !names.contains(&lesson.as_str()) {
                let known = names.join(", ");
                return Err(refuse("lesson", &lesson.into(), tr!("there are {known}", known)));
            }
            let steps = file(&lesson).await?["steps"].as_array().map_or(0, Vec::len);
            if place.step > steps {
                return Err(refuse("step", &place.step.into(), tr!("a whole number from 1 to {steps}", steps)));
            }
            format!("#lesson/{lesson}/{}", place.step)
        }
    };
    if let Some(window) = window() {
        // Only a name that cannot be written is refused, and this can.
        let _ = window.location().set_hash(&hash);
    }
    Ok(())
}

async fn file(name: &str) -> Result<Value> {
    let bytes = fetch(&format!("lessons/{name}.json")).await?;
    serde_json::from_slice(&bytes).map_err(|error| Error::Json(error.to_string()))
}
