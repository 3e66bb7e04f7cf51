//! What the configuration says, held against what the file has: what has to be known of the numbers. Knows nothing of values.

use super::config::{AdapterConfig, Init, PeftType};
use super::keys::Held;
use super::module::{Module, Whole};
use super::settings::Settings;
use crate::lang::tr;

/// Sentences, each beginning with what it is about.
pub fn of(config: Option<&AdapterConfig>, settings: &Settings, modules: &[Module], whole: &[Whole]) -> Vec<String> {
    let mut said = Vec::new();
    let lora = || modules.iter().filter(|module| module.described.is_none());
    let counted = |names: &[&str]| match names {
        [] => None,
        [one] => Some((*one).to_owned()),
        [first, rest @ ..] => Some(tr!("{} and {} more", first, rest.len())),
    };
    let which = |wanted: &dyn Fn(&Module) -> bool| {
        let names: Vec<&str> = lora().filter(|module| wanted(module)).map(|module| module.name.as_str()).collect();
        counted(&names)
    };
    let dora = |module: &Module| settings.of(config, &module.name).map(|(config, _)| config.dora);
    if let Some(names) = which(&|module| dora(module) == Some(true) && module.magnitudes.is_none()) {
        said.push(tr!(
            "use_dora: is true, but the file holds no magnitudes for {names}; the numbers are those of plain LoRA, which is not what was trained",
            names
        ));
    }
    if let Some(names) = which(&|module| dora(module) == Some(false) && module.magnitudes.is_some()) {
        said.push(tr!("use_dora: is not set, but the file holds magnitudes for {names}; taken as DoRA", names));
    }
    for init in [Init::Quantised].iter().chain(inits(config, settings)).filter(|init| **init != Init::Base) {
        if let Some(names) = which(&|module| settings.init(config, &module.name) == init) {
            said.extend(begun(init).map(|what| tr!("{what} ({names})", what, names)));
        }
    }
    let adala = config.is_some_and(|config| matches!(config.peft_type, PeftType::AdaLora));
    let asked = config.filter(|_| !adala).map_or_else(Vec::new, |config| config.names("modules_to_save"));
    let lacking: Vec<&str> = asked.iter().map(String::as_str).filter(|name| !holds(whole, modules, name)).collect();
    if let Some(names) = counted(&lacking) {
        said.push(tr!("modules_to_save: names {names}, but the file holds no such weights", names));
    }
    if config.is_some_and(AdapterConfig::has_tokens) && !whole.iter().any(|whole| whole.held == Held::Rows) {
        said.push(tr!("trainable_token_indices: is set, but the file holds no trained tokens"));
    }
    said
}

fn holds(whole: &[Whole], modules: &[Module], name: &str) -> bool {
    let of = |own: &str| own.split('.').any(|part| part == name) || own.contains(name);
    whole.iter().any(|whole| of(&whole.name)) || modules.iter().any(|module| of(&module.name))
}

/// What the parts' and the whole adapter's factors began as, beside what is always asked after.
fn inits<'a>(config: Option<&'a AdapterConfig>, settings: &'a Settings) -> impl Iterator<Item = &'a Init> {
    let parts = settings.parts.iter().map(|(_, config)| &config.init);
    let mut seen: Vec<&Init> = vec![&Init::Quantised];
    config.map(|config| &config.init).into_iter().chain(parts).filter(move |init| {
        let new = !seen.contains(init);
        seen.push(init);
        new
    })
}

/// What is to be said of such a beginning; nothing where its base is found again.
fn begun(init: &Init) -> Option<String> {
    match init {
        Init::Base | Init::Leading | Init::FirstColumns => None,
        Init::Quantised => Some(tr!(
            "init_lora_weights: \"loftq\", so the adapter belongs to the quantised base that it began with, and not to the one that was quantised; it is shown as it is, and not merged"
        )),
        Init::Lost(setting) => Some(tr!(
            "init_lora_weights: \"{setting}\", which changed the base in a way that cannot be found again here; it is not merged. PEFT converts it, with path_initial_model_for_weight_conversion",
            setting
        )),
    }
}
