//! What the page's scripts call: the trainer, the studio and its workers. Behind functions marked `wasm_split`, `cargo xtask build`
//! cuts the engine into parts (`split_studio.wasm`; `split_own.wasm`, which opens a visitor's own model) that are fetched when one
//! is called. Knows nothing of what they do.

// What `wasm_split` writes around a function: an import and an export by name.
#![allow(unsafe_code)]

use futures_util::future::LocalBoxFuture;
use thiserror::Error as Explained;
use wasm_bindgen::prelude::*;
use wasm_split_helpers::{SplitLoaderError, wasm_split};

use super::{adapters, ui, worker};
use crate::error::Error;
use crate::files::blob::File;
use crate::host;
use crate::lab::begun::{self, Begun};
use crate::task::table::{self, Table};
use crate::task::text::own::{OwnModel, Parts, open};

/// Why a part of the engine does not run.
#[derive(Debug, Explained)]
enum Failed {
    #[error("its part of the engine could not be fetched")]
    Fetch(#[from] SplitLoaderError),
    #[error("it is no dedicated worker")]
    Scope,
}

impl From<Failed> for JsValue {
    fn from(failed: Failed) -> Self {
        js_sys::Error::new(&failed.to_string()).into()
    }
}

type Opening = LocalBoxFuture<'static, Result<OwnModel<File>, Error>>;

#[wasm_split(own, fallible)]
fn opening(parts: Parts<File>) -> Result<Opening, SplitLoaderError> {
    Ok(Box::pin(open(parts)))
}

fn open_model(parts: Parts<File>) -> Opening {
    Box::pin(async move {
        match opening(parts).await {
            Ok(opened) => opened.await,
            Err(_) => Err(unfetched("the model")),
        }
    })
}

type Beginning = LocalBoxFuture<'static, Result<Begun, Error>>;

#[wasm_split(own, fallible)]
fn beginning((name, config, weights): (String, File, File)) -> Result<Beginning, SplitLoaderError> {
    Ok(Box::pin(begun::open(name, config, weights)))
}

fn open_adapter(parts: (String, File, File)) -> Beginning {
    Box::pin(async move {
        match beginning(parts).await {
            Ok(opened) => opened.await,
            Err(_) => Err(unfetched("the adapter")),
        }
    })
}

type Reading = LocalBoxFuture<'static, Result<Table, Vec<Error>>>;

#[wasm_split(own, fallible)]
fn reading(file: File) -> Result<Reading, SplitLoaderError> {
    Ok(Box::pin(table::open(file)))
}

fn open_table(file: File) -> Reading {
    Box::pin(async move {
        match reading(file).await {
            Ok(opened) => opened.await,
            Err(_) => Err(vec![unfetched("the table")]),
        }
    })
}

fn unfetched(what: &str) -> Error {
    let problem = "the part of the engine that opens it could not be fetched; try again when there is a connection";
    Error::File { file: what.into(), problem: problem.into() }
}

const OPEN: host::worker::Open = host::worker::Open { model: open_model, adapter: open_adapter, table: open_table };

/// Train at the bidding of the page; to be called once, in a dedicated worker.
///
/// # Errors
/// If this is no dedicated worker.
#[wasm_bindgen]
pub fn trainer_worker() -> Result<(), JsValue> {
    host::worker::start(OPEN)
}

/// The same in the page itself, where it may have no worker: `port` leads to the page and has a worker's `setTimeout`.
#[wasm_bindgen]
pub fn trainer_here(port: web_sys::DedicatedWorkerGlobalScope) {
    host::worker::start_here(port, OPEN);
}

/// The address's name of a figure, and the files that it is of, on their way.
type Figure = (String, Option<js_sys::Promise>);

#[wasm_split(studio, fallible)]
fn page((root, figure): (web_sys::Element, Option<Figure>)) -> Result<(), Failed> {
    match figure {
        None => ui::start(root),
        Some((name, files)) => ui::embed::start(root, &name, files.map(JsValue::from)),
    }
    Ok(())
}

#[wasm_split(studio, fallible)]
fn experiments() -> Result<(), Failed> {
    worker::start().map_err(|_| Failed::Scope)
}

#[wasm_split(studio, fallible)]
fn adapters() -> Result<(), Failed> {
    adapters::worker::start().map_err(|_| Failed::Scope)
}

/// Starts the studio in `root`, or one `figure` of it alone (`ui::embed`), perhaps of `files`. Called once, by the page's script.
///
/// # Errors
/// If its part of the engine cannot be fetched.
#[wasm_bindgen]
pub async fn start_studio(
    root: web_sys::Element,
    figure: Option<String>,
    files: Option<js_sys::Promise>,
) -> Result<(), JsValue> {
    console_error_panic_hook::set_once();
    Ok(page((root, figure.map(|name| (name, files)))).await?)
}

/// Experiments and sweeps at the bidding of the studio's page; to be called once, in a dedicated worker.
///
/// # Errors
/// If this is no dedicated worker, or if the studio's part of the engine cannot be fetched.
#[wasm_bindgen]
pub async fn studio_worker() -> Result<(), JsValue> {
    Ok(experiments().await?)
}

/// Open adapters at the bidding of the studio's page; to be called once, in a dedicated worker.
///
/// # Errors
/// If this is no dedicated worker, or if the studio's part of the engine cannot be fetched.
#[wasm_bindgen]
pub async fn adapter_worker() -> Result<(), JsValue> {
    Ok(adapters().await?)
}
