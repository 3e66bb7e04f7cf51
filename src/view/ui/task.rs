//! The task panel: every parameter of the task, the optimiser and the schedule. Changing one needs a restart.

use js_sys::Array;
use yew::prelude::*;

use super::control::{Choice, Number, Switch, names, position, use_opened};
use super::own::OwnPart;
use super::own_table::OwnTable;
use crate::args;
use crate::config::{
    BackendChoice, Config, DigitDomain, Digits, Domains, Named, Pattern, Sensors, Spectrum, Task, Text, limits,
    limits::{Real, Whole},
};
use crate::lang::{said, tr};
use crate::task::text::{languages::NEW, own::About};
use crate::view::{
    action::Action,
    edit::{cheat, choose_language, choose_pattern, on_task},
    reading::short_name,
    snap::Snap,
    words::task_summary,
};

#[derive(Properties, PartialEq)]
pub struct TaskProps {
    pub config: Snap<Config>,
    pub brought: Option<Snap<About>>,
    /// Own files, as pairs of a path and a file.
    pub bring: Callback<Array>,
    pub dispatch: Callback<Action>,
}

/// Makes controls that change one thing of the configuration.
struct Form<'a> {
    config: &'a Snap<Config>,
    dispatch: &'a Callback<Action>,
}

impl Form<'_> {
    fn set<T: 'static>(&self, change: impl Fn(&mut Config, T) + 'static) -> Callback<T> {
        let config = self.config.clone();
        self.dispatch.reform(move |value: T| {
            let mut config = Config::clone(&config);
            change(&mut config, value);
            Action::Edit(config)
        })
    }

    fn whole(&self, label: String, why: String, value: usize, limit: Whole, change: fn(&mut Config, f64)) -> Html {
        html! {
            <Number {label} {why} whole=true value={value as f64} min={limit.min as f64} max={limit.max as f64} on_change={self.set(change)} />
        }
    }

    fn real(&self, label: String, why: String, value: f64, limit: Real, change: fn(&mut Config, f64)) -> Html {
        html! { <Number {label} {why} {value} min={limit.min} max={limit.max} on_change={self.set(change)} /> }
    }

    fn switch(&self, label: String, why: String, on: bool, change: fn(&mut Config, bool)) -> Html {
        html! { <Switch {label} {why} {on} on_change={self.set(change)} /> }
    }

    fn choice<T: Named + PartialEq>(
        &self,
        label: String,
        why: String,
        value: T,
        change: fn(&mut Config, usize),
    ) -> Html {
        html! {
            <Choice {label} {why} options={names::<T>()} chosen={position(value)} on_change={self.set(change)} />
        }
    }
}

fn domains_of(config: &mut Config, change: impl FnOnce(&mut Domains)) {
    if let Task::Domains(domains) = &mut config.task {
        change(domains);
    }
}

fn digits_of(config: &mut Config, change: impl FnOnce(&mut Digits)) {
    if let Task::Digits(digits) = &mut config.task {
        change(digits);
    }
}

#[component]
pub fn TaskPanel(props: &TaskProps) -> Html {
    let (opened, open) = use_opened();
    let form = Form { config: &props.config, dispatch: &props.dispatch };
    let config = &props.config;
    let mut kinds: Vec<_> =
        [tr!("domains"), tr!("digits"), tr!("sensors"), tr!("language")].map(AttrValue::from).into();
    // It is chosen by its own button, where there is a table.
    if config.task == Task::Custom {
        kinds.push(tr!("custom data").into());
    }
    let chosen = match config.task {
        Task::Digits(_) => 1,
        Task::Sensors(_) => 2,
        Task::Text(_) => 3,
        Task::Custom => 4,
        Task::Domains(_) => 0,
    };
    let on_kind = form.set(|config, index: usize| {
        let task = match index {
            0 => Task::Domains(Domains::default()),
            1 => Task::Digits(Digits::default()),
            2 => Task::Sensors(Sensors::default()),
            4 => Task::Custom,
            _ => Task::Text(Text::default()),
        };
        *config = on_task(config, task);
    });
    let optimizer = config.optimizer;
    let schedule = config.schedule;
    html! {
        <details class="task">
            <summary data-why={tr!("What is trained on, and how; opening this changes nothing.")} onclick={open}>
                { tr!("Task ") }<b>{ task_summary(&config.task) }</b>
            </summary>
            if opened {
                <div class="menu">
                    <fieldset>
                        <legend>{ tr!("Task") }</legend>
                        <Choice label={tr!("task")} why={tr!("Domains: linear tasks whose floors theory knows. Digits: handwritten 8 × 8 digits, changed in several ways. Sensors: halves of a digit, either of which may be missing. Language: a small language model of Llama's form on text in new languages.")}
                            options={kinds} {chosen} on_change={on_kind} />
                        { match &config.task {
                            Task::Domains(domains) => domains_form(&form, domains),
                            Task::Digits(digits) => digits_form(&form, digits),
                            Task::Sensors(sensors) => sensors_form(&form, sensors),
                            Task::Text(text) => text_form(&form, text),
                            Task::Custom => html! {},
                        } }
                        { form.whole(tr!("seed"), tr!("All random numbers of the run come from this: same seed, same run."), config.seed as usize, limits::SEED,
                            |c, v| c.seed = v as u32) }
                    </fieldset>
                    if config.task.has_projections() {
                        <OwnPart config={config.clone()} brought={props.brought.clone()} bring={props.bring.clone()} dispatch={props.dispatch.clone()} />
                    }
                    if matches!(config.task, Task::Domains(_) | Task::Custom) {
                        <OwnTable config={config.clone()} brought={props.brought.clone()} bring={props.bring.clone()} dispatch={props.dispatch.clone()} />
                    }
                    <fieldset>
                        <legend>{ tr!("Training") }</legend>
                        { form.real(tr!("learning rate"), tr!("Largest step of the optimiser, reached after warmup."), optimizer.lr, limits::LR, |c, v| c.optimizer.lr = v) }
                        { form.whole(tr!("warmup"), tr!("Steps over which the learning rate rises from 0."), schedule.warmup, limits::WARMUP, |c, v| {
                            c.schedule.warmup = v as usize;
                            c.schedule.total = c.schedule.total.max(c.schedule.warmup);
                        }) }
                        { form.whole(tr!("total steps"), tr!("Step at which the learning rate has fallen back to 0."), schedule.total, limits::TOTAL, |c, v| {
                            c.schedule.total = v as usize;
                            c.schedule.warmup = c.schedule.warmup.min(c.schedule.total);
                        }) }
                        { form.real(tr!("weight decay"), tr!("Share of each weight taken away per step, times the learning rate (AdamW)."), optimizer.weight_decay, limits::WEIGHT_DECAY,
                            |c, v| c.optimizer.weight_decay = v) }
                        { form.real(tr!("beta 1"), tr!("How slowly the mean of the gradients forgets."), optimizer.beta1, below(limits::BETA), |c, v| c.optimizer.beta1 = v) }
                        { form.real(tr!("beta 2"), tr!("How slowly the mean of their squares forgets."), optimizer.beta2, below(limits::BETA), |c, v| c.optimizer.beta2 = v) }
                        { form.choice::<BackendChoice>(tr!("backend"), tr!("Auto: WebGPU where there is a GPU, else the CPU."), config.backend,
                            |c, i| c.backend = BackendChoice::ALL[i]) }
                    </fieldset>
                </div>
            }
        </details>
    }
}

/// The nearest allowed end of a range that is open above.
fn below(limit: Real) -> Real {
    match limit.closed {
        true => limit,
        false => Real { max: limit.max - 1e-6, ..limit },
    }
}

fn domains_form(form: &Form, task: &Domains) -> Html {
    html! {
        <>
            { form.whole(tr!("dimension"), tr!("Inputs and outputs of the frozen layer."), task.dim, limits::DIM, |c, v| domains_of(c, |d| d.dim = v as usize)) }
            { form.whole(tr!("domains"), tr!("How many tasks are learned at once; each has its own true change of the weight."), task.domains, limits::DOMAINS,
                |c, v| domains_of(c, |d| d.domains = v as usize)) }
            { form.whole(tr!("layers"), tr!("Linear layers, with GELU between them, each changed by every domain; theory has floors for one."), task.depth, limits::DEPTH, |c, v| domains_of(c, |d| d.depth = v as usize)) }
            { form.whole(tr!("true rank"), tr!("Rank of each domain's true change."), task.true_rank, limits::TRUE_RANK, |c, v| domains_of(c, |d| d.true_rank = v as usize)) }
            { form.switch(tr!("conflicting"), tr!("All domains read the same input directions and want different outputs: no single weight can serve them all."), task.conflict,
                |c, on| domains_of(c, |d| d.conflict = on)) }
            { form.choice::<Spectrum>(tr!("spectrum"), tr!("Singular values of a true change: all 1, or 1/i."), task.spectrum,
                |c, i| domains_of(c, |d| d.spectrum = Spectrum::ALL[i])) }
            { form.whole(tr!("sequence"), tr!("Tokens per sequence."), task.sequence, limits::SEQUENCE, |c, v| domains_of(c, |d| d.sequence = v as usize)) }
            { form.switch(tr!("mixed"), tr!("Domains change from token to token within a sequence, so that a gate for the whole sequence cannot follow."), task.mixed,
                |c, on| domains_of(c, |d| d.mixed = on)) }
            { form.real(tr!("noise"), tr!("Standard deviation of what is added to the targets and cannot be learned."), task.noise, limits::NOISE,
                |c, v| domains_of(c, |d| d.noise = v)) }
            { form.whole(tr!("batch"), tr!("Sequences per training step."), task.batch, limits::BATCH, |c, v| domains_of(c, |d| d.batch = v as usize)) }
        </>
    }
}

fn digits_form(form: &Form, task: &Digits) -> Html {
    let why = |domain: DigitDomain| match domain {
        DigitDomain::Inverted => tr!("Ink and paper swapped."),
        DigitDomain::Rotated => tr!("Turned by 90 degrees."),
        DigitDomain::Permuted => tr!("Pixels shuffled, always in the same way."),
        DigitDomain::Mirrored => tr!("Left and right swapped."),
        DigitDomain::Shifted => tr!("Moved aside."),
    };
    let switches = DigitDomain::ALL.iter().map(|&domain| {
        let set = form.set(move_domain(domain));
        html! { <Switch label={said(domain.name())} why={why(domain)} on={task.domains.contains(&domain)} on_change={set} /> }
    });
    html! {
        <>
            { for switches }
            { form.whole(tr!("batch"), tr!("Images per training step."), task.batch, limits::BATCH, |c, v| digits_of(c, |d| d.batch = v as usize)) }
            { form.whole(tr!("pretraining"), tr!("Steps in which the base learns the upright digits before it is frozen."), task.pretrain, limits::PRETRAIN,
                |c, v| digits_of(c, |d| d.pretrain = v as usize)) }
        </>
    }
}

fn sensors_of(config: &mut Config, change: impl FnOnce(&mut Sensors)) {
    if let Task::Sensors(sensors) = &mut config.task {
        change(sensors);
    }
}

fn sensors_form(form: &Form, task: &Sensors) -> Html {
    let why = |pattern: Pattern| match pattern {
        Pattern::Both => tr!("Trained on images that both sensors tell of."),
        Pattern::Left => tr!("Trained on images of which the right sensor tells nothing: it is not there."),
        Pattern::Right => tr!("Trained on images of which the left sensor tells nothing: it is not there."),
        Pattern::Top => tr!("Trained on images of which both sensors tell the upper half."),
        Pattern::Bottom => tr!("Trained on images of which both sensors tell the lower half."),
        Pattern::Noise => tr!("Trained on images of which the right sensor tells noise."),
    };
    let switches = Pattern::ALL.iter().map(|&pattern| {
        let set = form.set(move |config, on| sensors_of(config, |task| choose_pattern(task, pattern, on)));
        html! { <Switch label={said(pattern.name())} why={why(pattern)} on={task.patterns.contains(&pattern)} on_change={set} /> }
    });
    html! {
        <>
            <span class="note">{ tr!("patterns trained on") }</span>
            { for switches }
            { form.choice::<args::Form>(tr!("form"), tr!("Tokens: each sensor is a token through the same layers, and the head reads the mean of those that are there. Inputs: both are inputs of one network, 0 where one is missing."),
                task.form, |c, i| sensors_of(c, |s| s.form = args::Form::ALL[i])) }
            { form.whole(tr!("batch"), tr!("Images per training step."), task.batch, limits::BATCH, |c, v| sensors_of(c, |s| s.batch = v as usize)) }
            { form.whole(tr!("pretraining"), tr!("Steps in which the base learns whole digits before it is frozen."), task.pretrain, limits::PRETRAIN,
                |c, v| sensors_of(c, |s| s.pretrain = v as usize)) }
        </>
    }
}

fn text_of(config: &mut Config, change: impl FnOnce(&mut Text)) {
    if let Task::Text(text) = &mut config.task {
        change(text);
    }
}

fn text_form(form: &Form, task: &Text) -> Html {
    let languages = NEW.iter().map(|&(code, name)| {
        let set = form.set(move |c, on| text_of(c, |text| choose_language(text, code, on)));
        html! { <Switch label={short_name(name)} why={said(name)} on={task.languages.iter().any(|one| one == code)} on_change={set} /> }
    });
    html! {
        <>
            <span class="note" tabindex="0" data-why={tr!("None of these has the base read, nor a close relative of one. Each batch takes passages from all that are chosen, each as often as another.")}>
                { tr!("languages: {} chosen, at most {}", task.languages.len(), limits::DOMAINS.max) }
            </span>
            <div class="languages">{ for languages }</div>
            { form.switch(tr!("let it cheat"), tr!("Let MoR1E's gates look at the whole passage, and so at the bytes that are to be predicted. Below the held-out text stands what that is worth: bits in one go beside bits when the same is served byte by byte."),
                task.cheat, cheat) }
            { form.whole(tr!("passage"), tr!("Bytes of a passage; each is read from its own beginning."), task.sequence, limits::PASSAGE, |c, v| text_of(c, |t| t.sequence = v as usize)) }
            { form.whole(tr!("batch"), tr!("Passages per training step."), task.batch, limits::BATCH, |c, v| text_of(c, |t| t.batch = v as usize)) }
        </>
    }
}

/// Adds a domain to the task or takes it away; the last one stays.
fn move_domain(domain: DigitDomain) -> fn(&mut Config, bool) {
    fn set(config: &mut Config, on: bool, domain: DigitDomain) {
        digits_of(config, |digits| {
            let chosen = |one: &DigitDomain| match *one == domain {
                true => on,
                false => digits.domains.contains(one),
            };
            let domains: Vec<_> = DigitDomain::ALL.iter().copied().filter(chosen).collect();
            if !domains.is_empty() {
                digits.domains = domains;
            }
        });
    }
    match domain {
        DigitDomain::Inverted => |c, on| set(c, on, DigitDomain::Inverted),
        DigitDomain::Rotated => |c, on| set(c, on, DigitDomain::Rotated),
        DigitDomain::Permuted => |c, on| set(c, on, DigitDomain::Permuted),
        DigitDomain::Mirrored => |c, on| set(c, on, DigitDomain::Mirrored),
        DigitDomain::Shifted => |c, on| set(c, on, DigitDomain::Shifted),
    }
}
