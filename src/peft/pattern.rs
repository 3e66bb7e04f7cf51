//! Keys of `rank_pattern` and `alpha_pattern`: a key applies to a module whose name it matches as
//! `^(.*\.)?(key)$`, so "q_proj" is every q_proj and "layers\.[0-3]\.mlp" what it says. Knows nothing of what the
//! values are for.

use regex_lite::{Regex, RegexBuilder};

/// Bytes that one compiled expression may take.
const SIZE_LIMIT: usize = 1 << 18;

/// A key that modules are matched against.
#[derive(Clone, Debug)]
pub struct Pattern {
    key: String,
    /// `None` for a plain name, which is compared directly: adapters may have a key for every module.
    regex: Option<Regex>,
}

impl Pattern {
    /// `None` where Python's `re` would read what is not read here, as look-around.
    pub fn new(key: &str) -> Option<Self> {
        let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        let regex = if plain {
            None
        } else {
            let whole = format!(r"^(?:.*\.)?(?:{key})$");
            Some(RegexBuilder::new(&whole).size_limit(SIZE_LIMIT).build().ok()?)
        };
        Some(Self { key: key.to_owned(), regex })
    }

    pub fn is_plain(&self) -> bool {
        self.regex.is_none()
    }

    pub fn matches(&self, module: &str) -> bool {
        match &self.regex {
            Some(regex) => regex.is_match(module),
            None => {
                let mut name = module.chars().rev();
                // In an expression a dot is any character.
                let same = self.key.chars().rev().all(|k| name.next().is_some_and(|n| n == k || k == '.'));
                same && name.next().is_none_or(|before| before == '.')
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_match_as_in_peft() {
        // Checked against re.match(rf"(.*\.)?({key})$", name).
        for (key, name, expected) in [
            ("q_proj", "model.layers.0.self_attn.q_proj", true),
            ("q_proj", "q_proj", true),
            ("q_proj", "model.layers.0.self_attn.xq_proj", false),
            ("q_proj", "model.layers.0.self_attn.q_proj.x", false),
            ("layers.1.self_attn.q_proj", "model.layers.1.self_attn.q_proj", true),
            ("layers.1.self_attn.q_proj", "model.layers.11.self_attn.q_proj", false),
            ("a.b", "x.a_b", true),
            ("", "model.", true),
            ("", "model", false),
            (r"layers\.[0-3]\.mlp\..*", "model.layers.2.mlp.up_proj", true),
            (r"layers\.[0-3]\.mlp\..*", "model.layers.4.mlp.up_proj", false),
            ("q_proj|v_proj", "model.v_proj", true),
            ("q_proj|v_proj", "model.k_proj", false),
            ("^model.layers.0.q", "model.layers.0.q", true),
            (".*q_proj", "model.layers.0.xq_proj", true),
            (r"(up|down)_proj$", "h.up_proj", true),
        ] {
            assert_eq!(Pattern::new(key).unwrap().matches(name), expected, "{key} on {name}");
        }
        assert!(Pattern::new("(?!x)y").is_none() && Pattern::new("(((").is_none());
        assert!(Pattern::new("(((a{1000}){1000}){1000})").is_none(), "a small text must not compile to gigabytes");
    }
}
