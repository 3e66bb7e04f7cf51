//! A cursor along one axis of a chart, which pointer and arrow keys move; and the axis of training steps, on which several
//! charts have one. Knows nothing of what the cursor stands on.

use yew::prelude::*;

use super::pointer;
use crate::decimal::tenths;
use crate::lang::tr;
use crate::view::{
    axis::{step_limit, stepped},
    format::count,
};

/// Entries 0 to `last`, one of which is under the cursor.
pub struct Along {
    pub cursor: Option<usize>,
    pub last: usize,
    /// Where a first key puts it, and how far the next ones go.
    pub rest: usize,
    pub stride: usize,
    pub on_cursor: Callback<Option<usize>>,
}

impl Along {
    /// `under` finds the entry at so many pixels from the left of the box that `selector` names, of so many.
    pub fn over(
        &self,
        selector: &'static str,
        under: impl Fn(f64, f64) -> Option<usize> + 'static,
    ) -> Callback<PointerEvent> {
        self.on_cursor.reform(move |event: PointerEvent| {
            pointer::place(&event, selector).and_then(|((x, _), (width, _))| under(x, width))
        })
    }

    pub fn away(&self) -> Callback<PointerEvent> {
        self.on_cursor.reform(|_: PointerEvent| None)
    }

    pub fn keys(&self) -> Callback<KeyboardEvent> {
        let Self { cursor, last, rest, stride, .. } = *self;
        let on_cursor = self.on_cursor.clone();
        Callback::from(move |event: KeyboardEvent| {
            let stride = if event.shift_key() { 8 * stride } else { stride };
            if let Some(next) = stepped(&event.key(), cursor, (rest, last), stride) {
                event.prevent_default();
                on_cursor.emit(Some(next));
            }
        })
    }
}

/// Training steps from 0 on, over some pixels.
#[derive(Clone, Copy)]
pub struct Steps {
    pub left: f64,
    pub width: f64,
    /// The last one shown.
    pub limit: usize,
}

impl Steps {
    /// Up to `step` at least.
    pub fn new(left: f64, width: f64, step: usize) -> Self {
        Self { left, width, limit: step_limit(step) }
    }

    pub fn x(&self, step: f64) -> f64 {
        self.left + self.width * step / self.limit as f64
    }

    pub fn edge(&self) -> f64 {
        self.left + self.width
    }

    /// Its labels, with their foot at `y`; the one in the middle only where there is room.
    pub fn labels(&self, y: f64, narrow: bool) -> Html {
        let labels = (0..=2).filter(|k| !narrow || *k != 1).map(|k| {
            let step = self.limit * k / 2;
            let anchor = ["start", "middle", "end"][k];
            html! {
                <text class="axis" x={tenths(self.x(step as f64))} y={tenths(y)} text-anchor={anchor}>
                    { if k == 2 { tr!("{} steps", count(step)) } else { count(step) } }
                </text>
            }
        });
        html! { { for labels } }
    }

    /// The step at so many pixels.
    pub fn at(&self, x: f64) -> Option<usize> {
        let part = (x - self.left) / self.width;
        (0.0..=1.0).contains(&part).then_some((part * self.limit as f64) as usize)
    }

    /// A cursor over the steps that are done.
    pub fn along(&self, done: usize, cursor: &UseStateHandle<Option<usize>>) -> Along {
        let last = done.saturating_sub(1);
        let set = cursor.clone();
        Along {
            cursor: cursor.map(|step| step.min(last)),
            last,
            rest: last,
            stride: (self.limit / 50).max(1),
            on_cursor: Callback::from(move |step| set.set(step)),
        }
    }
}
