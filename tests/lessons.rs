//! Every lesson: its files are whole and alike in all languages, what it points at is there, its texts are short, and its numbers
//! are what its runs give, on the CPU, driven as the page drives them.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::task::Poll;

use lora_playground::config::{BackendChoice, Config};
use lora_playground::error::{Error, Result};
use lora_playground::files::Memory;
use lora_playground::lab::begun::{self, Begun};
use lora_playground::lang::LANGUAGES;
use lora_playground::lesson::course::{Course, Phase};
use lora_playground::lesson::data::{Catalogue, Index, Lesson, Number, Step, Text, Texts, read};
use lora_playground::lesson::script::scene;
use lora_playground::lesson::words::{length, names};
use lora_playground::protocol::{Command, Event};
use lora_playground::task::table::{self, Table};
use lora_playground::task::text::own::{OwnModel, Parts, open};
use lora_playground::trainer::{Transport, run};
use lora_playground::view::action::Action;
use lora_playground::view::run::Run;
use serde_json::Value;

/// A step's text with its question, and what is said with the answer, in words or Chinese characters.
const LONGEST: [(usize, usize); 2] = [(60, 45), (110, 90)];

fn bytes(path: &str) -> Vec<u8> {
    let path = format!("{}/www/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn file<T: serde::de::DeserializeOwned>(name: &str) -> T {
    read(name, &bytes(&format!("lessons/{name}"))).unwrap_or_else(|error| panic!("{error}"))
}

fn lessons() -> Vec<(String, Lesson)> {
    let index: Index = file("index.json");
    index.lessons.into_iter().map(|id| (id.clone(), file(&format!("{id}.json")))).collect()
}

fn recorded() -> Value {
    serde_json::from_slice(&bytes("data/recorded.json")).unwrap()
}

/// A step's texts as the visitor meets them together, with the numbers that each may name.
fn passages(step: &Step, text: &Text) -> Vec<(String, BTreeSet<String>)> {
    let own: BTreeSet<String> = step.numbers.keys().cloned().collect();
    let told = own.iter().cloned().chain(["measured".to_owned()]).collect();
    let mut all =
        vec![(text.text.clone(), own.clone()), (text.question.clone(), own.clone()), (text.why.clone(), told)];
    all.extend(text.choices.iter().map(|choice| (choice.clone(), own.clone())));
    for row in &step.table {
        let own: BTreeSet<String> = row.numbers.keys().chain(row.quotes.keys()).cloned().collect();
        let texts = text.rows.get(&row.id).unwrap_or_else(|| panic!("{} says nothing of {}", step.id, row.id));
        all.extend(texts.iter().map(|text| (text.clone(), own.clone())));
    }
    all
}

#[test]
fn texts_are_whole_short_and_alike_in_every_language() {
    let lessons = lessons();
    let catalogues: Vec<Catalogue> = LANGUAGES.iter().map(|(lang, ..)| file(&format!("index.{lang}.json"))).collect();
    for catalogue in &catalogues {
        assert_eq!(catalogue.words.keys().collect::<Vec<_>>(), catalogues[0].words.keys().collect::<Vec<_>>());
        let titles: BTreeSet<&String> = catalogue.lessons.keys().collect();
        assert_eq!(titles, lessons.iter().map(|(id, _)| id).collect());
        for (key, text) in &catalogue.words {
            let named = |text: &str| names(text).into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
            assert_eq!(named(text), named(&catalogues[0].words[key]), "{key}");
        }
    }
    for (id, lesson) in &lessons {
        assert!((3..=6).contains(&lesson.steps.len()), "{id} has {} steps", lesson.steps.len());
        let asked = lesson.steps.iter().filter(|step| step.ask.is_some()).count();
        assert!(2 * asked >= lesson.steps.len(), "{id} asks for {asked} predictions");
        for ((lang, ..), (most, most_why)) in LANGUAGES.iter().zip(LONGEST) {
            let texts: Texts = file(&format!("{id}.{lang}.json"));
            assert_eq!(
                texts.steps.keys().collect::<BTreeSet<_>>(),
                lesson.steps.iter().map(|step| &step.id).collect(),
                "{id}.{lang}"
            );
            for step in &lesson.steps {
                let (text, place) = (&texts.steps[&step.id], format!("{id}.{lang} {}", step.id));
                let words = length(&text.text) + length(&text.question);
                assert!(words <= most && words > 0, "{place}: {words}");
                assert!(length(&text.why) <= most_why, "{place}, why: {}", length(&text.why));
                let ask = step.ask.as_ref();
                let choices = ask.map_or(0, |ask| if ask.choices.is_empty() { 0 } else { ask.choices.len() + 1 });
                assert_eq!(text.choices.len(), choices, "{place}");
                assert!(ask.is_none_or(|ask| ask.choices.is_sorted()), "{place}");
                assert_eq!(ask.is_some(), !text.question.is_empty() && !text.why.is_empty(), "{place}");
                let mut used = BTreeSet::new();
                for (said, may) in passages(step, text) {
                    for name in names(&said) {
                        assert!(may.contains(name), "{place} names {{{name}}}");
                        used.insert(name.to_owned());
                    }
                    let typed = typed(&said);
                    assert!(typed.is_empty(), "{place}: {typed:?} is typed, and no run confirms it");
                }
                let known = step.numbers.keys().chain(step.table.iter().flat_map(|row| row.numbers.keys()));
                let idle: Vec<&String> = known.filter(|name| !used.contains(*name)).collect();
                assert!(idle.is_empty(), "{place} does not say {idle:?}");
            }
        }
    }
}

/// Numbers in a text that are typed there: digits that are no part of a name, such as W0's or MoR1E's.
fn typed(text: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = text;
    // Neither placeholders nor addresses are read.
    while let Some(start) = rest.find(['{', '(']) {
        let (before, after) = rest.split_at(start);
        plain += before;
        let end = if after.starts_with('{') { '}' } else { ')' };
        let inside = after.find(end).map_or(after.len(), |end| end + 1);
        if after.starts_with('(') && !before.ends_with(']') {
            plain += &after[..inside];
        }
        rest = &after[inside..];
    }
    plain += rest;
    let words = plain.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '/' || c == '-'));
    let is_typed = |word: &&str| word.trim_matches('.').starts_with(|c: char| c.is_ascii_digit());
    // The floor of a single weight is a formula, and 1 − 1/D stands for it.
    words
        .filter(is_typed)
        .map(|word| word.trim_matches('.'))
        .filter(|word| !["1", "1/D", "1/i", "0"].contains(word))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_test_sees_typed_numbers() {
    assert!(typed("stuck at {floor}; MoR1E and W0, 1 − 1/D, [a](#lesson/x/2)").is_empty());
    assert_eq!(typed("it reaches 0.75 of (4096)"), ["0.75", "4096"]);
}

/// All Rust files that draw the page, in one text.
fn views() -> String {
    let mut dirs =
        vec![format!("{}/src/view", env!("CARGO_MANIFEST_DIR")), format!("{}/src/app", env!("CARGO_MANIFEST_DIR"))];
    let mut all = String::new();
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => dirs.push(path.to_string_lossy().into_owned()),
                false => all += &std::fs::read_to_string(path).unwrap(),
            }
        }
    }
    all
}

/// Ids and classes of a selector.
fn parts(selector: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in selector.match_indices(['#', '.']) {
        let name: String =
            selector[at + 1..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_').collect();
        found.push(name);
    }
    found
}

#[test]
fn configurations_can_be_read_and_targets_are_on_the_page() {
    let views = views();
    let catalogue: Catalogue = file("index.en.json");
    for (id, lesson) in lessons() {
        assert!(lesson.steps[0].run.is_some(), "{id} begins with whatever runs");
        for (at, step) in lesson.steps.iter().enumerate() {
            let place = format!("{id} {}", step.id);
            if let Some(query) = &step.run {
                let read = Config::read_link(query);
                assert!(
                    read.errors.is_empty() && read.unknown.is_empty(),
                    "{place}: {:?} {:?}",
                    read.errors,
                    read.unknown
                );
                read.config.validate().unwrap_or_else(|error| panic!("{place}: {error}"));
            }
            let config = scene(&lesson, at).config;
            let lanes = config.lanes.len();
            assert!(lanes <= 4 && step.watch.is_none_or(|watch| watch.lane < lanes), "{place}");
            if let Some(act) = step.ask.as_ref().and_then(|ask| ask.act.as_deref()) {
                let (edits, errors) = config.read_then(act);
                assert!(errors.is_empty() && !edits.is_empty(), "{place}: {errors:?}");
            }
            assert!(views.contains(&format!("id=\"{}\"", step.panel)), "{place}: there is no panel {}", step.panel);
            let formula = step.formula.as_deref().unwrap_or_default();
            for word in names(formula) {
                assert!(catalogue.words.contains_key(word), "{place}: no catalogue has the formula's \"{word}\"");
            }
            let symbols = formula.split("data-at=\"").skip(1).filter_map(|rest| rest.split('"').next());
            for part in step.mark.iter().map(String::as_str).chain(symbols).flat_map(parts) {
                let stem = part.trim_end_matches(|c: char| c.is_ascii_digit());
                assert!(views.contains(stem), "{place}: nothing on the page is called {part}");
            }
        }
    }
}

/// A visitor who goes through a lesson step by step, and what is found at each.
struct Visitor {
    course: Course,
    run: Run,
    recorded: Value,
    commands: Vec<Command>,
    /// Step, name, the lesson's number, and what the run gives.
    found: Vec<(String, String, Number, Option<f64>)>,
    restore: bool,
    patience: usize,
}

impl Visitor {
    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Open { mut config, then, until } => {
                    config.backend = BackendChoice::Cpu;
                    self.run = Run::default();
                    self.commands.push(Command::Start { config, paused: true, then });
                    self.commands.push(Command::Until(until));
                }
                Action::Until(step) => self.commands.push(Command::Until(step)),
                Action::ShowGate { .. } => {}
                Action::Watch(watch) => self.commands.push(Command::Watch(watch)),
                Action::Change(edits) => self.commands.extend(edits.into_iter().map(|edit| edit.command())),
                other => panic!("no lesson does {other:?}"),
            }
        }
    }

    /// The lab rests. What the step says is looked at, and the next thing done; false at the end.
    fn rest(&mut self) -> bool {
        let changed = self.course.hear(&self.run, &self.recorded);
        self.patience = if changed { 0 } else { self.patience + 1 };
        let place = format!("{} {}", self.course.id, self.course.step().id);
        assert!(self.patience < 4, "{place}: {:?} at step {} goes no further", self.course.phase, self.run.step);
        let step = self.course.step().clone();
        match self.course.phase {
            Phase::There if step.ask.is_some() => {
                let config = self.run.started.as_ref().map(|started| started.config.clone()).unwrap_or_default();
                let actions = self.course.answer(Some(0.0), &config, &self.run);
                self.act(actions);
                // Where nothing is to be done, the number is told at once.
                self.commands.is_empty().then(|| self.commands.push(Command::Pause));
            }
            Phase::There | Phase::Told { .. } => {
                if let (Phase::Told { measured, .. }, Some(ask)) = (&self.course.phase, &step.ask) {
                    let number = Number { measure: ask.measure.clone(), value: ask.value, close: ask.close };
                    self.found.push((step.id.clone(), "answer".into(), number, Some(*measured)));
                    let choice =
                        Number { measure: ask.measure.clone(), value: ask.choice(ask.value) as f64, close: 0.0 };
                    self.found.push((step.id.clone(), "choice".into(), choice, Some(ask.choice(*measured) as f64)));
                    // The trainer pauses where it was told to.
                    assert!(
                        ask.at == 0 || self.run.step == ask.at,
                        "{place}: at {} in place of {}",
                        self.run.step,
                        ask.at
                    );
                }
                for (name, number) in step.numbers.iter().chain(step.table.iter().flat_map(|row| &row.numbers)) {
                    let value = number.measure.of(&self.run, &self.recorded);
                    self.found.push((step.id.clone(), name.clone(), number.clone(), value));
                }
                if self.course.at + 1 == self.course.lesson.steps.len() {
                    return false;
                }
                let actions = match self.restore {
                    true => {
                        self.course.at += 1;
                        self.course.restore()
                    }
                    false => self.course.go(self.course.at + 1, &self.run),
                };
                self.act(actions);
                self.commands.is_empty().then(|| self.commands.push(Command::Pause));
            }
            Phase::Coming { .. } | Phase::Going { .. } => self.commands.push(Command::Pause),
        }
        true
    }
}

struct Walk<'a>(&'a mut Visitor);

impl Transport for Walk<'_> {
    type File = Memory;

    fn poll(&mut self) -> Poll<Option<Command>> {
        match self.0.commands.is_empty() {
            true => Poll::Pending,
            false => Poll::Ready(Some(self.0.commands.remove(0))),
        }
    }
    async fn next(&mut self) -> Option<Command> {
        if self.0.commands.is_empty() && !self.0.rest() {
            return None;
        }
        Some(self.0.commands.remove(0))
    }
    fn left(&mut self) -> bool {
        false
    }
    fn emit(&mut self, event: Event) {
        if let Event::Problem { message, .. } = &event {
            panic!("{}: {message}", self.0.course.id);
        }
        self.0.run.apply(event);
    }
    async fn sleep(&mut self, _: u32) {}
    async fn file(&mut self, name: &str) -> Result<Vec<u8>> {
        Ok(bytes(&format!("data/{name}")))
    }
    fn files(&mut self, _: &[String]) -> Result<Vec<Memory>> {
        Ok(vec![])
    }
    async fn open_model(&mut self, parts: Parts<Memory>) -> Result<OwnModel<Memory>> {
        open(parts).await
    }
    async fn open_adapter(&mut self, (name, config, weights): (String, Memory, Memory)) -> Result<Begun> {
        begun::open(name, config, weights).await
    }

    async fn open_table(&mut self, file: Memory) -> std::result::Result<Table, Vec<Error>> {
        table::open(file).await
    }
}

fn walk(id: &str, lesson: Lesson, restore: bool) -> Vec<(String, String, Number, Option<f64>)> {
    let (course, actions) = Course::open(id, Rc::new(lesson), 0);
    let mut visitor = Visitor {
        course,
        run: Run::default(),
        recorded: recorded(),
        commands: Vec::new(),
        found: Vec::new(),
        restore,
        patience: 0,
    };
    visitor.act(actions);
    pollster::block_on(run(Walk(&mut visitor)));
    visitor.found
}

/// What a lesson says and its runs do not.
fn wrong(id: &str, lesson: &Lesson, restore: bool) -> Vec<String> {
    let found = walk(id, lesson.clone(), restore);
    let answered: BTreeMap<&str, usize> = found.iter().fold(BTreeMap::new(), |mut all, (step, ..)| {
        *all.entry(step.as_str()).or_default() += 1;
        all
    });
    let mut wrong = Vec::new();
    for (step, name, number, value) in &found {
        let is_close = value.is_some_and(|value| (value - number.value).abs() <= number.close);
        if std::env::var_os("LESSONS_SAY").is_some() {
            println!("{id} {step} {name}: {value:?}, said to be {} ± {}", number.value, number.close);
        }
        if !is_close {
            wrong.push(format!("{id} {step} {name}: {value:?}, said to be {} ± {}", number.value, number.close));
        }
    }
    for step in lesson.steps.iter().filter(|step| step.ask.is_some() && !answered.contains_key(&*step.id)) {
        wrong.push(format!("{id} {}: never answered", step.id));
    }
    wrong
}

#[test]
fn every_number_is_what_a_run_gives() {
    let only = std::env::var("LESSON").ok();
    let wrong: Vec<String> = lessons()
        .iter()
        .filter(|(id, _)| only.as_ref().is_none_or(|only| only == id))
        .flat_map(|(id, lesson)| wrong(id, lesson, false))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_restored_step_gives_the_same_numbers() {
    // The one whose steps change the run they share.
    let (id, lesson) = lessons().into_iter().find(|(id, _)| id == "rank").unwrap_or_else(|| lessons().remove(0));
    assert_eq!(wrong(&id, &lesson, true), Vec::<String>::new());
}

/// Questions that a person ought to be able to answer, each with the step that answers it.
#[test]
fn every_question_is_answered_by_a_step_that_exists() {
    let path = format!("{}/docs/QUESTIONS.md", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let steps: BTreeSet<String> = lessons()
        .iter()
        .flat_map(|(id, lesson)| lesson.steps.iter().map(move |step| format!("{id}/{}", step.id)).collect::<Vec<_>>())
        .collect();
    let questions: Vec<&str> = text.split("\n## ").skip(1).collect();
    assert_eq!(questions.len(), 12);
    let mut answered = 0;
    for question in questions {
        let line = question.lines().find_map(|line| line.strip_prefix("Answered by: "));
        let line = line.unwrap_or_else(|| panic!("nothing answers {question}"));
        let named: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty() || line == "no lesson.", "{line}");
        for name in &named {
            assert!(steps.contains(*name), "there is no step {name}");
        }
        answered += usize::from(!named.is_empty());
    }
    assert!(answered >= 11, "{answered} questions are answered");
}
