//! Patterns, normal forms and small letters of Unicode: the browser's own on the page, libraries' natively, so that a page carries no tables.
//! Knows no tokens.

pub use own::{Pattern, normalized};

#[cfg(target_arch = "wasm32")]
mod own {
    use js_sys::{JsString, Reflect, RegExp};
    use wasm_bindgen::prelude::*;

    #[wasm_bindgen]
    extern "C" {
        /// `RegExp`, whose constructor throws on what it does not understand.
        #[wasm_bindgen(js_name = RegExp)]
        #[derive(Debug)]
        type Checked;
        #[wasm_bindgen(constructor, catch, js_class = "RegExp")]
        fn new(pattern: &str, flags: &str) -> Result<Checked, JsValue>;
    }

    /// A regular expression.
    #[derive(Debug)]
    pub struct Pattern(RegExp);

    impl Pattern {
        /// `None` where the browser does not understand it.
        pub fn new(pattern: &str) -> Option<Self> {
            // Spaces are Unicode's White_Space for tokenizers; JavaScript's differ by U+0085 and U+FEFF.
            Checked::new(&super::translated(pattern), "gu").ok().map(|made| Self(made.unchecked_into()))
        }

        /// Matches, and what lies between them, in their order.
        pub fn cut(&self, text: &str) -> Vec<String> {
            let (text, mut at, mut out) = (JsString::from(text), 0, Vec::new());
            let mut push = |from: u32, to: u32| {
                if from < to {
                    out.push(String::from(text.slice(from, to)));
                }
            };
            for found in text.match_all(&self.0).into_iter().flatten() {
                let index = Reflect::get(&found, &"index".into()).ok().and_then(|index| index.as_f64());
                let whole = Reflect::get_u32(&found, 0).ok().and_then(|whole| whole.dyn_into::<JsString>().ok());
                if let (Some(index), Some(whole)) = (index, whole) {
                    let from = index as u32;
                    push(at, from);
                    push(from, from + whole.length());
                    at = from + whole.length();
                }
            }
            push(at, text.length());
            out
        }
    }

    pub fn lowercase(text: &str) -> String {
        JsString::from(text).to_lower_case().into()
    }

    pub fn normalized(text: &str, form: &str) -> String {
        JsString::from(text).normalize(form).into()
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod own {
    use unicode_normalization::UnicodeNormalization;

    /// A regular expression.
    #[derive(Debug)]
    pub struct Pattern(fancy_regex::Regex);

    impl Pattern {
        /// `None` where it is not understood.
        pub fn new(pattern: &str) -> Option<Self> {
            fancy_regex::Regex::new(&super::translated(pattern)).ok().map(Self)
        }

        /// Matches, and what lies between them, in their order.
        pub fn cut(&self, text: &str) -> Vec<String> {
            let (mut at, mut out) = (0, Vec::new());
            let mut push = |from: usize, to: usize| {
                if from < to {
                    out.push(text[from..to].to_owned());
                }
            };
            for found in self.0.find_iter(text).flatten() {
                push(at, found.start());
                push(found.start(), found.end());
                at = found.end();
            }
            push(at, text.len());
            out
        }
    }

    pub fn lowercase(text: &str) -> String {
        text.to_lowercase()
    }

    pub fn normalized(text: &str, form: &str) -> String {
        match form {
            "NFC" => text.nfc().collect(),
            "NFD" => text.nfd().collect(),
            "NFKC" => text.nfkc().collect(),
            _ => text.nfkd().collect(),
        }
    }
}

/// In small letters, each by itself as tokenizers have it: Σ becomes σ at the end of a word too.
pub fn lowercase(text: &str) -> String {
    let parts: Vec<String> = text.split('Σ').map(own::lowercase).collect();
    parts.join("σ")
}

/// With `\s` and `\S` by Unicode's property, and English contractions in either case without a modifier that older browsers
/// lack.
fn translated(pattern: &str) -> String {
    let either = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
    let pattern = pattern.replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)", either);
    let mut out = String::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some('s') => out.push_str(r"\p{White_Space}"),
            Some('S') => out.push_str(r"\P{White_Space}"),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}
