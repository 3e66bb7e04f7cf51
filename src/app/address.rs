//! What the page reads from its own address: the run's configuration and the page's own wishes. Pure.

use crate::config::{Config, Edit, Lane, Read, decode};
use crate::error::Error;
use crate::lang::tr;
use crate::method::{METHODS, description::Method};
use crate::view::edit::LANES;

/// Errors of one link that are said at length.
const SAID: usize = 3;

/// The parts of the page that an embedding page can ask for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Lanes,
    Loss,
    Gates,
    Weight,
    /// The lane's drawing.
    Method,
    Digits,
    /// A mixture's experts by themselves.
    Experts,
    /// Budgets over training, and what lanes lose when cut.
    Ranks,
    /// A passage as a language model reads it.
    Text,
    /// Bits per byte of held-out texts.
    Held,
    /// A language model's layers.
    Map,
    /// How base and lanes go on from a prompt.
    Writing,
}

impl Part {
    pub const ALL: [(&'static str, Self); 12] = [
        ("lanes", Self::Lanes),
        ("loss", Self::Loss),
        ("gates", Self::Gates),
        ("weight", Self::Weight),
        ("method", Self::Method),
        ("digits", Self::Digits),
        ("experts", Self::Experts),
        ("ranks", Self::Ranks),
        ("text", Self::Text),
        ("held", Self::Held),
        ("map", Self::Map),
        ("writing", Self::Writing),
    ];

    /// The kind of task that alone has this panel.
    pub fn task(self) -> Option<&'static str> {
        match self {
            Self::Digits => Some("digits"),
            Self::Text | Self::Held | Self::Map | Self::Writing => Some("text"),
            Self::Lanes | Self::Loss | Self::Gates | Self::Weight | Self::Method | Self::Experts | Self::Ranks => None,
        }
    }

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, part)| *part == self).map_or("", |(name, _)| name)
    }
}

/// The page's start, as its address asks for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Address {
    pub config: Config,
    /// What is to be changed on the run's way.
    pub then: Vec<Edit>,
    /// Start without training.
    pub paused: bool,
    /// Only these parts, without the header; `None` is the whole page.
    pub embed: Option<Vec<Part>>,
    /// Whether its colours are dark; `None` follows the system.
    pub dark: Option<bool>,
    /// The run is another page's, and its trainer answers already.
    pub joins: bool,
    /// What could not be read, in words; defaults stand in its place.
    pub problems: Vec<String>,
}

/// Reads a query such as "?seed=2&embed=loss,gates&theme=dark&paused".
pub fn read(query: &str) -> Address {
    let query = query.trim_start_matches('?');
    let mut problems = Vec::new();
    let pairs = || query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let value = |wanted: &str| pairs().find(|(key, _)| *key == wanted).map(|(_, value)| value);
    let embed = value("embed").and_then(|value| parts(value, &mut problems));
    let Read { mut config, mut errors, unknown } = Config::read_link(&with_task(query, embed.as_deref()));
    if let Some(text) = value("config") {
        match Config::from_json(&decode(text).unwrap_or_default()) {
            Ok(document) => config = document,
            Err(error) => errors.push(error),
        }
    } else if embed.as_ref().is_some_and(|parts| parts.contains(&Part::Ranks)) && value("lanes").is_none() {
        show_ranks(&mut config);
    }
    if config.lanes.len() > LANES {
        config.lanes.truncate(LANES);
        problems.push(tr!("The page has room for {LANES} lanes; the link's others are left out.", LANES));
    }
    let mut then = Vec::new();
    if let Some(value) = value("then") {
        let (edits, wrong) = config.read_then(value);
        then = edits;
        errors.extend(wrong);
    }
    let dark = match value("theme") {
        None | Some("auto" | "") => None,
        Some("dark") => Some(true),
        Some("light") => Some(false),
        Some(other) => {
            problems.push(tr!("theme: there is no \"{other}\"; there are light, dark and auto.", other));
            None
        }
    };
    let paused = value("paused").is_some_and(|value| !matches!(value, "false" | "0"));
    let said = unread(&errors).into_iter().chain(ignored(&unknown));
    problems.splice(0..0, said);
    Address { config, then, paused, embed, dark, joins: value("join").is_some(), problems }
}

/// A link that asks for a panel of another task than the usual one, and names no task, means that panel's.
fn with_task(query: &str, embed: Option<&[Part]>) -> String {
    let names_one = query.split('&').any(|pair| pair.starts_with("task="));
    let task = embed.unwrap_or_default().iter().find_map(|part| part.task()).filter(|_| !names_one);
    task.map_or_else(|| query.to_owned(), |task| format!("task={task}&{query}"))
}

/// A run whose ranks are not one fixed number, for who asks to see such ranks and names no lanes.
fn show_ranks(config: &mut Config) {
    let moves = |method: &&Method| method.extras.budget.is_some() || method.extras.cut.is_some_and(|cut| cut.trained);
    let lanes = METHODS.iter().copied().filter(moves).map(Lane::from).take(LANES).collect();
    let with = Config { lanes, ..config.clone() };
    if with.validate().is_ok() {
        *config = with;
    }
}

/// What of the link could not be read, in one message.
fn unread(errors: &[Error]) -> Option<String> {
    let said: Vec<String> = errors.iter().take(SAID).map(|error| format!("{error}.")).collect();
    let more = match errors.len().saturating_sub(SAID) {
        0 => String::new(),
        more => tr!(" And {more} more.", more),
    };
    let begin = tr!(
        "Not all of the link could be used; defaults stand in the place of what is named here, and the rest holds."
    );
    (!said.is_empty()).then(|| format!("{begin} {}{more}", said.join(" ")))
}

/// What of the link means nothing here, in one line.
fn ignored(unknown: &[String]) -> Option<String> {
    let (said, more) = unknown.split_at(unknown.len().min(SAID));
    let more = if more.is_empty() { String::new() } else { tr!(" and {} more", more.len()) };
    (!said.is_empty()).then(|| {
        tr!("Ignored, because it means nothing here: {}{more}. The rest of the link holds.", said.join(", "), more)
    })
}

fn parts(value: &str, problems: &mut Vec<String>) -> Option<Vec<Part>> {
    let value = value.replace("%2C", ",").replace("%2c", ",");
    let mut parts = Vec::new();
    for name in value.split(',').filter(|name| !name.is_empty()) {
        match Part::ALL.iter().find(|(known, _)| *known == name) {
            Some((_, part)) => parts.push(*part),
            None => {
                let known = Part::ALL.map(|(known, _)| known).join(", ");
                problems.push(tr!("embed: there is no panel \"{name}\"; there are {known}.", name, known));
            }
        }
    }
    (!parts.is_empty()).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_asks_for_the_whole_page_running() {
        let address = read("");
        assert_eq!(address.config, Config::default());
        assert!(!address.paused && address.embed.is_none() && address.problems.is_empty());
    }

    #[test]
    fn panels_pause_and_configuration_are_read_together() {
        let address = read("?seed=7&embed=loss,gates&paused");
        assert_eq!(address.config.seed, 7);
        assert!(address.paused);
        assert_eq!(address.embed, Some(vec![Part::Loss, Part::Gates]));
        assert_eq!(read("embed=loss%2Cdigits").embed, Some(vec![Part::Loss, Part::Digits]));
    }

    #[test]
    fn a_panel_brings_the_task_that_has_it() {
        use crate::config::Task;
        assert!(matches!(read("?embed=digits").config.task, Task::Digits(_)));
        assert!(matches!(read("?embed=loss,map&seed=2").config.task, Task::Text(_)));
        assert!(matches!(read("?embed=digits&task=domains").config.task, Task::Domains(_)));
        let ranks = read("?embed=ranks");
        assert!(ranks.problems.is_empty() && ranks.config.lanes.len() > 1, "{ranks:?}");
        assert!(ranks.config.lanes.iter().any(|lane| lane.method.extras.budget.is_some()));
        assert_eq!(read("?embed=ranks&lanes=full").config.lanes.len(), 1);
    }

    #[test]
    fn theme_and_language_are_the_pages_own() {
        assert_eq!(
            ["dark", "light", "auto"].map(|theme| read(&format!("?theme={theme}")).dark),
            [Some(true), Some(false), None]
        );
        assert!(read("?theme=dark&lang=zh&height=auto&host=http%3A%2F%2Fx&join").problems.is_empty());
        let wrong = read("?theme=sepia").problems;
        assert!(wrong.len() == 1 && wrong[0].contains("sepia") && wrong[0].contains("auto"), "{wrong:?}");
    }

    #[test]
    fn a_document_can_stand_in_the_link() {
        let document = r#"{"version":1,"seed":5,"lanes":[{"method":"full"}]}"#.replace('"', "%22");
        let address = read(&format!("?embed=loss&config={document}"));
        assert_eq!((address.config.seed, address.config.lanes.len(), address.problems.len()), (5, 1, 0));
        let wrong = read("?config=%7B%22version%22:1,%22lanez%22:[]%7D").problems;
        assert!(wrong.len() == 1 && wrong[0].contains("lanez"), "{wrong:?}");
    }

    #[test]
    fn lanes_beyond_the_page_are_left_out_and_said() {
        let address = read("?lanes=full~full~full~full~full");
        assert_eq!(address.config.lanes.len(), LANES);
        assert_eq!(address.problems.len(), 1);
    }

    #[test]
    fn a_bad_part_of_a_link_is_said_and_the_rest_runs() {
        let address = read("?seed=7&colour=red&lanes=full~lora.r2&utm_source=x&paused");
        assert_eq!(address.config, Config::from_query("seed=7&lanes=full~lora.r2").unwrap());
        assert!(address.paused);
        assert_eq!(address.problems.len(), 1);
        assert!(address.problems[0].contains("colour") && !address.problems[0].contains("utm"));
        assert!(read("?seed=7&fbclid=x&gclid=y").problems.is_empty());
        let many = &read("a=1&b=2&c=3&d=4&e=5").problems;
        assert!(many.len() == 1 && many[0].contains("a=1, b=2, c=3 and 2 more."), "{many:?}");
        let wrong = &read("seed=x&dim=y&batch=z&lr=q&a=1").problems;
        assert!(wrong.len() == 2 && wrong[0].ends_with("And 1 more.") && wrong[1].contains("a=1."), "{wrong:?}");
    }

    #[test]
    fn changes_on_the_way_are_read_with_the_run() {
        let address = read("?lanes=full~lora.r4&then=40.1.lora.r2~50.1.lora.r999~60.1.lora.r1");
        assert_eq!(crate::config::then_text(&address.then), "40.1.lora.r2~60.1.lora.r1");
        let [problem] = &address.problems[..] else { panic!("{:?}", address.problems) };
        assert!(problem.contains("then[1]") && problem.contains("999"), "{problem}");
    }

    #[test]
    fn a_bad_link_is_said_and_defaults_used() {
        let address = read("?seed=x&embed=plot");
        assert_eq!(address.config, Config::default());
        assert_eq!(address.embed, None);
        assert_eq!(address.problems.len(), 2, "{:?}", address.problems);
        assert!(address.problems[0].contains("seed") && address.problems[0].contains('x'));
        assert!(address.problems[1].contains("plot") && address.problems[1].contains("weight"));
    }
}
