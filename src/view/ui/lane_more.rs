//! What a lane's method can be told beyond its size and strength: scaling, top-k, gate, load balance.

use yew::prelude::*;

use super::control::{Choice, Number, Switch, names, position};
use crate::config::{Balance, BalanceKind, Gate, Method, Named, limits};

/// Controls of what a method has beyond size and strength. Changing any of it restarts the run.
pub fn more(method: &Method, edit: &Callback<Method>) -> Html {
    let with = |change: &dyn Fn(&mut Method)| {
        let mut method = method.clone();
        change(&mut method);
        method
    };
    match method {
        Method::Full => html! {},
        Method::Lora { rslora, .. } => html! {
            <Switch label="rank-stabilised: α/√r" on={*rslora}
                why="Scale by α/√r in place of α/r, so that large ranks learn as fast as small ones."
                on_change={
                    let on = with(&|m| if let Method::Lora { rslora, .. } = m { *rslora = !*rslora; });
                    edit.reform(move |_| on.clone())
                } />
        },
        Method::Molora { experts, top_k, renormalize, balance, .. } => {
            let method = method.clone();
            let on_k = edit.reform(move |k: f64| {
                let mut method = method.clone();
                if let Method::Molora { top_k, .. } = &mut method {
                    *top_k = k as usize;
                }
                method
            });
            let swap = with(&|m| {
                if let Method::Molora { renormalize, .. } = m {
                    *renormalize = !*renormalize;
                }
            });
            html! {
                <>
                    <Number label="top-k" whole=true value={*top_k as f64} min={0.0} max={*experts as f64} on_change={on_k}
                        why="Keep only the k largest gates of a token; 0 keeps all." />
                    <Switch label="renormalise kept gates" on={*renormalize}
                        why="Divide the kept gates by their sum, as MixLoRA and Mixtral do; MoLoRA does not."
                        on_change={edit.reform(move |_| swap.clone())} />
                    { balance_controls(with(&|_| ()), *balance, edit) }
                </>
            }
        }
        Method::Mor1e { gate, balance, .. } => {
            let method = method.clone();
            let on_gate = edit.reform(move |index: usize| {
                let mut method = method.clone();
                if let Method::Mor1e { gate, .. } = &mut method {
                    *gate = Gate::ALL[index];
                }
                method
            });
            html! {
                <>
                    <Choice label="gate" options={names::<Gate>()} chosen={position(*gate)} on_change={on_gate}
                        why="Pooled: one gate per sequence, from its mean. Token: one gate for every token." />
                    { balance_controls(with(&|_| ()), *balance, edit) }
                </>
            }
        }
    }
}

fn balance_controls(method: Method, balance: Balance, edit: &Callback<Method>) -> Html {
    let set = move |method: &Method, new: Balance| {
        let mut method = method.clone();
        if let Method::Molora { balance, .. } | Method::Mor1e { balance, .. } = &mut method {
            *balance = new;
        }
        method
    };
    let on_kind = {
        let method = method.clone();
        edit.reform(move |index: usize| {
            let kind = BalanceKind::ALL[index];
            set(&method, Balance { kind, ..balance })
        })
    };
    let on_coefficient = edit.reform(move |coefficient: f64| set(&method, Balance { coefficient, ..balance }));
    html! {
        <>
            <Choice label="load balance" options={names::<BalanceKind>()} chosen={position(balance.kind)} on_change={on_kind}
                why="A term added to the loss that evens the use of the experts." />
            <Number label="balance weight" value={balance.coefficient} min={limits::COEFFICIENT.min} max={limits::COEFFICIENT.max}
                why="What the balance term is multiplied by before it is added to the loss." on_change={on_coefficient} />
        </>
    }
}
