//! The drawing pad of `digits`: a person draws, and the frozen base and every lane answer, with their gates.

use wasm_bindgen::{Clamped, JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};
use yew::prelude::*;

use super::{
    control::{Button, Switch},
    heat::{Heat, Matrix},
    panel::Panel,
    pointer::{self, owner},
};
use crate::decimal::tenths;
use crate::lang::tr;
use crate::protocol::{DrawAnswer, Sketch};
use crate::view::{
    action::Action,
    format::{percent, three},
    ink::{CELLS, Ink, SIDE},
    scale::Scale,
    snap::Snap,
    table::Table,
};

#[derive(Properties, PartialEq)]
pub struct DigitsProps {
    pub answers: Option<Snap<Vec<DrawAnswer>>>,
    pub names: Vec<String>,
    pub step: usize,
    pub dark: bool,
    /// Two sensors look on, a half each, which can be switched off.
    pub sensors: bool,
    pub dispatch: Callback<Action>,
}

/// The pen: where it is, and whether it is down.
#[derive(Clone, Copy, PartialEq)]
struct Pen {
    at: (f64, f64),
    down: bool,
}

#[component]
pub fn DigitsPad(props: &DigitsProps) -> Html {
    let ink = use_state_eq(Ink::default);
    // Between two renders several pointer events can come; the drawing is kept where all of them see it.
    let live = use_mut_ref(|| (Ink::default(), Pen { at: (16.0, 8.0), down: false }));
    let pen = use_state_eq(|| None::<Pen>);
    let there = use_state_eq(|| [true; 2]);
    let canvas = use_node_ref();
    {
        let canvas = canvas.clone();
        use_effect_with(((*ink).clone(), props.dark), move |(ink, dark)| {
            if let Some(canvas) = canvas.cast::<HtmlCanvasElement>() {
                let _ = paint(&canvas, ink, *dark);
            }
        });
    }
    let changed = {
        let (ink, live, dispatch, there) = (ink.clone(), live.clone(), props.dispatch.clone(), *there);
        Callback::from(move |()| {
            let drawn = live.borrow().0.clone();
            dispatch.emit(Action::Draw(drawn.cells().map(|pixels| Sketch { pixels, there })));
            ink.set(drawn);
        })
    };
    let move_to = {
        let (live, changed) = (live.clone(), changed.clone());
        Callback::from(move |(to, down): ((f64, f64), bool)| {
            {
                let (ink, pen) = &mut *live.borrow_mut();
                if down {
                    let from = if pen.down { pen.at } else { to };
                    ink.stroke(from, to);
                }
                *pen = Pen { at: to, down };
            }
            if down {
                changed.emit(());
            }
        })
    };
    let on_pointer = {
        let move_to = move_to.clone();
        Callback::from(move |event: PointerEvent| {
            let down = event.buttons() & 1 == 1;
            if let Some(at) = place(&event) {
                move_to.emit((at, down));
            }
        })
    };
    let onpointerdown = {
        let on_pointer = on_pointer.clone();
        Callback::from(move |event: PointerEvent| {
            if let Some(target) = owner(&event, PAD) {
                // Without capture a fast stroke that leaves the pad would end there, no worse.
                let _ = target.set_pointer_capture(event.pointer_id());
            }
            on_pointer.emit(event);
        })
    };
    let onkeydown = {
        let (live, pen, changed) = (live.clone(), pen.clone(), changed.clone());
        Callback::from(move |event: KeyboardEvent| {
            let now = live.borrow().1;
            let (dx, dy) = match event.key().as_str() {
                "ArrowLeft" => (-2.0, 0.0),
                "ArrowRight" => (2.0, 0.0),
                "ArrowUp" => (0.0, -2.0),
                "ArrowDown" => (0.0, 2.0),
                " " | "Enter" => (0.0, 0.0),
                _ => return,
            };
            event.prevent_default();
            let toggles = dx == 0.0 && dy == 0.0;
            let down = now.down != toggles;
            let side = SIDE as f64 - 1.0;
            let to = ((now.at.0 + dx).clamp(1.0, side), (now.at.1 + dy).clamp(1.0, side));
            if down {
                live.borrow_mut().0.stroke(now.at, to);
            }
            live.borrow_mut().1 = Pen { at: to, down };
            pen.set(Some(Pen { at: to, down }));
            if down {
                changed.emit(());
            }
        })
    };
    let onblur = {
        let (live, pen) = (live.clone(), pen.clone());
        Callback::from(move |_: FocusEvent| {
            live.borrow_mut().1.down = false;
            pen.set(None);
        })
    };
    let clear = {
        let (live, changed) = (live.clone(), changed.clone());
        Callback::from(move |()| {
            live.borrow_mut().0 = Ink::default();
            changed.emit(());
        })
    };
    let sensor = |side: usize| {
        let (there, live, dispatch) = (there.clone(), live.clone(), props.dispatch.clone());
        let on = there[side];
        let on_change = Callback::from(move |on: bool| {
            let mut next = *there;
            next[side] = on;
            let cells = live.borrow().0.cells();
            dispatch.emit(Action::Draw(cells.map(|pixels| Sketch { pixels, there: next })));
            there.set(next);
        });
        let label = if side == 0 { tr!("left sensor") } else { tr!("right sensor") };
        html! { <Switch {label} why={tr!("Off, it is not there: the networks get nothing in its place.")} {on} {on_change} /> }
    };
    let note = match (props.sensors, *there) {
        (false, _) => {
            tr!(
                "Draw an upright digit, or one turned, inverted or mirrored like the new domains: every lane answers as it trains."
            )
        }
        (true, [false, false]) => tr!("With both sensors off there is nothing to answer to."),
        (true, _) => {
            tr!("Draw an upright digit and switch a sensor off: every lane answers with what is left, as it trains.")
        }
    };
    let seen = use_memo(((*ink).clone(), *there), |(ink, there)| {
        Snap::new(Matrix {
            rows: CELLS,
            cols: CELLS,
            values: ink.cells().map_or(vec![0.0; CELLS * CELLS], |cells| {
                let seen = |at: usize| if there[usize::from(at % CELLS >= CELLS / 2)] { cells[at] / 16.0 } else { 0.0 };
                (0..cells.len()).map(seen).collect()
            }),
        })
    });
    let tables = {
        let (answers, names) = (props.answers.clone(), props.names.clone());
        Callback::from(move |()| vec![answer_table(answers.as_deref().map_or(&[], Vec::as_slice), &names)])
    };
    html! {
        <Panel id="digits" title={tr!("Draw a digit")} {tables} step={props.step}
            controls={Button::quiet(tr!("Clear"), tr!("Wipe the pad.")).calls(clear)}>
            <div class="digits-grid">
                <div class="pad" role="img" tabindex="0"
                    aria-label={tr!("Drawing pad. Arrow keys move the pen, Space lowers and lifts it.")}
                    data-why={tr!("Draw with pointer or finger; or move the pen with the arrow keys and lower or lift it with Space.")}
                    {onpointerdown} onpointermove={on_pointer.clone()} onpointerup={on_pointer} {onkeydown} {onblur}>
                    <canvas ref={canvas} width={SIDE.to_string()} height={SIDE.to_string()} />
                    <svg aria-hidden="true" viewBox={format!("0 0 {SIDE} {SIDE}")}>
                        if let Some(pen) = *pen {
                            <circle class={if pen.down { "pen down" } else { "pen" }} cx={tenths(pen.at.0)} cy={tenths(pen.at.1)} r="2" />
                        }
                    </svg>
                </div>
                <figure class="seen">
                    <figcaption data-why={tr!("The drawing as the networks get it: moved to the middle, scaled to the full height, ink counted in 8 × 8 cells.")}>{ tr!("seen as 8 × 8") }</figcaption>
                    <Heat class="square" data={(*seen).clone()} scale={Scale::Unit} dark={props.dark}
                        label={tr!("The drawing reduced to 8 × 8 cells")} on_cursor={Callback::noop()} />
                    if props.sensors {
                        <div class="sensors">{ sensor(0) }{ sensor(1) }</div>
                    }
                </figure>
                <div class="answers">
                    if let Some(answers) = &props.answers {
                        { for answers.iter().map(|answer| answer_row(answer, &props.names)) }
                    } else {
                        <p class="note">{ note }</p>
                    }
                </div>
            </div>
        </Panel>
    }
}

/// The pad itself.
const PAD: &str = ".pad";

/// Place of a pointer on the pad, in bitmap pixels.
fn place(event: &PointerEvent) -> Option<(f64, f64)> {
    let ((x, y), (width, height)) = pointer::place(event, PAD)?;
    Some((x / width * SIDE as f64, y / height * SIDE as f64))
}

fn paint(canvas: &HtmlCanvasElement, ink: &Ink, dark: bool) -> Result<(), JsValue> {
    let Some(context) = canvas.get_context("2d")? else {
        return Ok(());
    };
    let context = context.unchecked_into::<CanvasRenderingContext2d>();
    let values = ink.bits().iter().map(|&bit| f32::from(u8::from(bit)));
    let pixels = Scale::Unit.paint(values, dark);
    let side = SIDE as u32;
    let image = ImageData::new_with_u8_clamped_array_and_sh(Clamped(&pixels), side, side)?;
    context.put_image_data(&image, 0.0, 0.0)
}

/// Most probable digit and its probability.
fn best(answer: &DrawAnswer) -> Option<(usize, f32)> {
    answer.probabilities.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))
}

fn name_of(answer: &DrawAnswer, names: &[String]) -> String {
    match answer.lane {
        None => tr!("frozen base"),
        Some(lane) => names.get(lane).cloned().unwrap_or_default(),
    }
}

fn answer_row(answer: &DrawAnswer, names: &[String]) -> Html {
    let name = name_of(answer, names);
    let Some((digit, confidence)) = best(answer) else {
        return html! {};
    };
    let bars = answer.probabilities.iter().enumerate().map(|(k, &p)| {
        let height = f64::from(p).clamp(0.0, 1.0) * 24.0;
        let x = k * 14;
        html! {
            <g>
                <rect class={if k == digit { "best" } else { "bar" }} x={x.to_string()} width="11"
                    y={tenths(24.0 - height)} height={tenths(height.max(0.5))} />
                <text x={tenths(x as f64 + 5.5)} y="38" text-anchor="middle">{ k }</text>
            </g>
        }
    });
    let gates = answer.gates.iter().enumerate().filter(|(_, g)| !g.is_empty()).flat_map(|(layer, gates)| {
        let each = gates.len() / answer.tokens.max(1);
        let bars = move |(token, gate): (usize, &[f32])| {
            let of = match answer.tokens {
                1 => tr!("Gate of layer {} for this drawing", layer + 1),
                _ => tr!(
                    "Gate of layer {} for the {} sensor",
                    layer + 1,
                    if token == 0 { tr!("left") } else { tr!("right") }
                ),
            };
            gate_bars(gate, &of)
        };
        gates.chunks_exact(each.max(1)).enumerate().map(bars)
    });
    let class = answer.lane.map_or("answer base".into(), |lane| format!("answer lane-{lane}"));
    html! {
        <div {class}>
            <span class="who"><span class="dot" />{ &name }</span>
            <span class="says" data-why={tr!("{name} says {digit}, with probability {}.", percent(f64::from(confidence)), name, digit)}>
                <b>{ digit }</b>{ " " }{ percent(f64::from(confidence)) }
            </span>
            <svg class="probabilities" role="img" width="140" height="40"
                aria-label={tr!("{name}: probability of each digit; most probable {digit} at {}", percent(f64::from(confidence)), name, digit)}>{ for bars }</svg>
            <span class="gates">{ for gates }</span>
        </div>
    }
}

/// A gate, expert by expert, and in words what it is.
pub fn gate_bars(gate: &[f32], of: &str) -> Html {
    let list: Vec<String> = gate.iter().map(|&g| three(f64::from(g))).collect();
    // Of gates that are no shares of 1, magnitudes on a scale of their own, negative ones faint.
    let top = gate.iter().fold(1f32, |top, g| top.max(g.abs()));
    let bars = gate.iter().enumerate().map(|(k, &g)| {
        let height = f64::from((g / top).abs()) * 24.0;
        let class = if g < 0.0 { "bar less" } else { "bar" };
        html! { <rect {class} x={(k * 6).to_string()} width="4" y={tenths(24.0 - height)} height={tenths(height.max(0.5))} /> }
    });
    html! {
        <svg class="gate-bars" role="img" width={(gate.len() * 6).to_string()} height="24" tabindex="0"
            aria-label={of.to_owned()} data-why={tr!("{of}, expert by expert: {}.", list.join(", "), of)}>
            { for bars }
        </svg>
    }
}

fn answer_table(answers: &[DrawAnswer], names: &[String]) -> Table {
    let mut head = vec!["".to_string(), tr!("answer")];
    head.extend((0..10).map(|d| d.to_string()));
    Table {
        caption: tr!("Probability of each digit for the drawing"),
        head,
        rows: answers
            .iter()
            .map(|answer| {
                let mut row = vec![name_of(answer, names), best(answer).map_or("–".into(), |(d, _)| d.to_string())];
                row.extend(answer.probabilities.iter().map(|&p| three(f64::from(p))));
                row
            })
            .collect(),
    }
}
