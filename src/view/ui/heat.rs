//! A heatmap: one canvas pixel per cell, scaled crisply, under an overlay that carries the cursor. Pointer and arrow
//! keys move the cursor; what it stands on is for the caller to say.

use wasm_bindgen::{Clamped, JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};
use yew::prelude::*;

use super::pointer;
use crate::view::{axis::stepped_in, scale::Scale, snap::Snap};

/// A matrix to be painted, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    pub rows: usize,
    pub cols: usize,
    pub values: Vec<f32>,
}

/// The part of a matrix that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub row: usize,
    pub col: usize,
    pub rows: usize,
    pub cols: usize,
}

impl Window {
    pub fn whole(rows: usize, cols: usize) -> Self {
        Self { row: 0, col: 0, rows, cols }
    }
}

/// A cell: row, column.
pub type Cell = (usize, usize);

#[derive(Properties, PartialEq)]
pub struct HeatProps {
    pub data: Snap<Matrix>,
    #[prop_or_default]
    pub window: Option<Window>,
    pub scale: Scale,
    pub dark: bool,
    pub label: AttrValue,
    #[prop_or_default]
    pub class: Classes,
    /// The cell under inspection; drawn if it is in the window.
    #[prop_or_default]
    pub cursor: Option<Cell>,
    pub on_cursor: Callback<Option<Cell>>,
    /// Enter, Space or a click on a cell.
    #[prop_or_default]
    pub on_pick: Option<Callback<Cell>>,
}

#[component]
pub fn Heat(props: &HeatProps) -> Html {
    let canvas = use_node_ref();
    let window = props.window.unwrap_or_else(|| Window::whole(props.data.rows, props.data.cols));
    {
        let canvas = canvas.clone();
        let inputs = (props.data.clone(), window, props.scale, props.dark);
        use_effect_with(inputs, move |(data, window, scale, dark)| {
            if let Some(canvas) = canvas.cast::<HtmlCanvasElement>() {
                // A canvas without a context (too many tabs) stays blank; the table has the values.
                let _ = paint(&canvas, data, *window, *scale, *dark);
            }
        });
    }
    let onpointermove = {
        let on_cursor = props.on_cursor.clone();
        Callback::from(move |event: PointerEvent| on_cursor.emit(cell_at(&event, window)))
    };
    let onpointerleave = {
        let on_cursor = props.on_cursor.clone();
        Callback::from(move |_: PointerEvent| on_cursor.emit(None))
    };
    let onclick = props.on_pick.clone().map(|on_pick| {
        Callback::from(move |event: MouseEvent| {
            if let Some(cell) = cell_at(&event, window) {
                on_pick.emit(cell);
            }
        })
    });
    let onkeydown = {
        let (on_cursor, on_pick) = (props.on_cursor.clone(), props.on_pick.clone());
        let (rows, cols) = (props.data.rows, props.data.cols);
        let cursor = props.cursor;
        Callback::from(move |event: KeyboardEvent| {
            let key = event.key();
            if let ("Enter" | " ", Some(cell), Some(on_pick)) = (key.as_str(), cursor, &on_pick) {
                event.prevent_default();
                on_pick.emit(cell);
                return;
            }
            let stride = if event.shift_key() { 8 } else { 1 };
            let last = (rows.saturating_sub(1), cols.saturating_sub(1));
            let Some(next) = stepped_in(&key, cursor, ((window.row, window.col), last), stride) else { return };
            event.prevent_default();
            on_cursor.emit(Some(next));
        })
    };
    let cursor = props.cursor.and_then(|(row, col)| {
        let (r, c) = (row.checked_sub(window.row)?, col.checked_sub(window.col)?);
        (r < window.rows && c < window.cols).then_some((r, c))
    });
    html! {
        <div class={classes!("heat", props.class.clone())} role="img" aria-label={props.label.clone()} tabindex="0"
            {onpointermove} {onpointerleave} {onclick} {onkeydown}>
            <canvas ref={canvas} width={window.cols.to_string()} height={window.rows.to_string()} />
            <svg aria-hidden="true" preserveAspectRatio="none" viewBox={format!("0 0 {} {}", window.cols, window.rows)}>
                if let Some((row, col)) = cursor {
                    <rect class="halo" x={col.to_string()} y={row.to_string()} width="1" height="1" />
                    <rect class="cursor" x={col.to_string()} y={row.to_string()} width="1" height="1" />
                }
            </svg>
        </div>
    }
}

fn cell_at(event: &MouseEvent, window: Window) -> Option<Cell> {
    let ((x, y), (width, height)) = pointer::place(event, ".heat")?;
    let part = |at: f64, size: f64, cells: usize| {
        let cell = (at / size * cells as f64).floor();
        (cell >= 0.0 && cell < cells as f64).then_some(cell as usize)
    };
    Some((window.row + part(y, height, window.rows)?, window.col + part(x, width, window.cols)?))
}

fn paint(canvas: &HtmlCanvasElement, data: &Matrix, window: Window, scale: Scale, dark: bool) -> Result<(), JsValue> {
    if window.rows == 0 || window.cols == 0 || data.values.len() < data.rows * data.cols {
        return Ok(());
    }
    let Some(context) = canvas.get_context("2d")? else {
        return Ok(());
    };
    let context = context.unchecked_into::<CanvasRenderingContext2d>();
    let lines = data.values.chunks(data.cols.max(1)).skip(window.row);
    let values = lines.take(window.rows).flat_map(|line| line.iter().skip(window.col).take(window.cols).copied());
    let pixels = scale.paint(values, dark);
    let image = ImageData::new_with_u8_clamped_array_and_sh(Clamped(&pixels), window.cols as u32, window.rows as u32)?;
    context.put_image_data(&image, 0.0, 0.0)
}
