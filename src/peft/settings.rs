//! Where an adapter's scalings are stored: in its configuration, in the header of its tensors' file as diffusers or kohya's
//! scripts write it, or nowhere. Knows nothing of tensors.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::config::{AdapterConfig, Init, scaling};
use super::module::{Kind, Module};
use crate::decimal::parse;
use crate::lang::tr;

/// The header's key under which diffusers keeps the configurations of a pipeline's parts.
pub const METADATA: &str = "lora_adapter_metadata";
/// Keys of the header under which one alpha stands for all modules; kohya's first.
const ALPHAS: &[&str] = &["ss_network_alpha", "network_alpha", "lora_alpha", "alpha"];

/// Settings of a file's modules, from wherever they are stored.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Of the pipeline's parts, by what their names begin with; "" where there is but one.
    pub parts: Vec<(String, AdapterConfig)>,
    alpha: Option<f64>,
    conv_alpha: Option<f64>,
    /// What of the header is not understood.
    pub not_understood: Vec<String>,
}

impl Settings {
    pub fn read(metadata: &BTreeMap<String, String>) -> Self {
        let mut found = Self::default();
        if let Some(text) = metadata.get(METADATA) {
            match serde_json::from_slice::<Map<String, Value>>(text.as_bytes()) {
                Ok(all) => found.of_parts(all),
                Err(error) => found.not_understood.push(tr!(
                    "{METADATA} in the header: is not valid JSON: {error}",
                    METADATA,
                    error
                )),
            }
        }
        found.alpha = ALPHAS.iter().find_map(|key| metadata.get(*key).and_then(|text| parse(text.trim())));
        // Further settings of kohya's, JSON in a text whose numbers are texts too.
        let further = metadata.get("ss_network_args").map(|text| serde_json::from_slice::<Value>(text.as_bytes()));
        if let Some(Ok(further)) = further {
            let value = further.get("conv_alpha");
            found.conv_alpha = value.and_then(|v| v.as_f64().or_else(|| parse(v.as_str()?.trim())));
        }
        found
    }

    /// "transformer.r": 4 and so on, together for each part.
    fn of_parts(&mut self, all: Map<String, Value>) {
        let mut parts: Vec<(String, Map<String, Value>)> = Vec::new();
        for (key, value) in all {
            let (part, own) = key.rsplit_once('.').map_or(("", &*key), |(part, own)| (part, own));
            let at = parts.iter().position(|(name, _)| name == part).unwrap_or_else(|| {
                parts.push((part.to_owned(), Map::new()));
                parts.len() - 1
            });
            parts[at].1.insert(own.to_owned(), value);
        }
        for (part, mut own) in parts {
            own.entry("peft_type").or_insert_with(|| json!("LORA"));
            match AdapterConfig::parse(Value::Object(own).to_string().as_bytes()) {
                Ok(config) => {
                    self.not_understood.extend(config.not_understood.iter().map(|what| format!("{part}.{what}")));
                    self.parts.push((part, config));
                }
                Err(error) => self.not_understood.push(tr!("{METADATA} in the header: {error}", METADATA, error)),
            }
        }
    }

    /// The configuration of the part that a module is of, and the module's name within it.
    pub fn part<'a, 'b>(&'a self, module: &'b str) -> Option<(usize, &'a AdapterConfig, &'b str)> {
        self.parts.iter().enumerate().find_map(|(at, (part, config))| {
            let rest =
                if part.is_empty() { Some(module) } else { module.strip_prefix(part.as_str())?.strip_prefix('.') };
            rest.map(|rest| (at, config, rest))
        })
    }

    /// The configuration that says a module's rank and scaling, and the module's name within it.
    pub fn of<'a, 'b>(
        &'a self,
        config: Option<&'a AdapterConfig>,
        module: &'b str,
    ) -> Option<(&'a AdapterConfig, &'b str)> {
        config.map(|config| (config, module)).or_else(|| self.part(module).map(|(_, config, rest)| (config, rest)))
    }

    /// The scaling of a module without an alpha of its own; `None` where nothing says it.
    pub fn scaling(&self, config: Option<&AdapterConfig>, module: &Module) -> Option<f64> {
        if let Some((config, name)) = self.of(config, &module.name) {
            return Some(config.scaling(name, module.rank));
        }
        let wide = module.kind == Kind::Conv && module.a_shape.iter().skip(2).any(|&n| n > 1);
        let alpha = self.conv_alpha.filter(|_| wide).or(self.alpha);
        alpha.map(|alpha| scaling(alpha, module.rank, false))
    }

    /// What the module's factors began as.
    pub fn init<'a>(&'a self, config: Option<&'a AdapterConfig>, module: &str) -> &'a Init {
        self.of(config, module).map_or(&Init::Base, |(config, _)| &config.init)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_say_scalings() {
        let header = |pairs: &[(&str, &str)]| {
            Settings::read(&pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
        };
        let text = r#"{"unet.r": 4, "unet.lora_alpha": 16, "unet.use_rslora": true, "text_encoder.r": 2, "text_encoder.lora_alpha": 2}"#;
        let found = header(&[(METADATA, text)]);
        let scaling = |name: &str, rank| found.part(name).map(|(_, config, rest)| config.scaling(rest, rank));
        assert_eq!(
            (scaling("unet.a.q", 4), scaling("text_encoder.q", 2), scaling("vae.q", 2)),
            (Some(8.0), Some(1.0), None)
        );
        assert!(found.not_understood.is_empty());
        let kohya = header(&[("ss_network_alpha", "8.0"), ("ss_network_args", r#"{"conv_alpha": "2"}"#)]);
        assert_eq!((kohya.alpha, kohya.conv_alpha), (Some(8.0), Some(2.0)));
        assert_eq!(header(&[("ss_network_alpha", "None")]).alpha, None);
        assert!(header(&[(METADATA, "{")]).not_understood[0].contains("not valid JSON"));
    }
}
