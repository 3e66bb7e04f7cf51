//! The languages that texts come in: fifty that the small model has not met, and five of those that it has read most. Each
//! has a training text and a held-out one, of the same articles everywhere. Knows no texts.

use crate::lang::marked;

/// Code (as the file of its text is called) and name of the fifty.
pub const NEW: [(&str, &str); 50] = [
    ("deu_1996", marked!("German, Standard (1996)")),
    ("nld", marked!("Dutch")),
    ("swe", marked!("Swedish")),
    ("nob", marked!("Norwegian, Bokmål")),
    ("isl", marked!("Icelandic")),
    ("ell_monotonic", marked!("Greek (monotonic)")),
    ("rus", marked!("Russian")),
    ("ukr", marked!("Ukrainian")),
    ("bul", marked!("Bulgarian")),
    ("srp_cyrl", marked!("Serbian (Cyrillic)")),
    ("pol", marked!("Polish")),
    ("slk", marked!("Slovak")),
    ("slv", marked!("Slovenian")),
    ("hrv", marked!("Croatian")),
    ("lit", marked!("Lithuanian")),
    ("als", marked!("Albanian, Tosk")),
    ("hun", marked!("Hungarian")),
    ("fin", marked!("Finnish")),
    ("tur", marked!("Turkish")),
    ("azj_latn", marked!("Azerbaijani, North (Latin)")),
    ("kaz", marked!("Kazakh")),
    ("uzn_latn", marked!("Uzbek, Northern (Latin)")),
    ("arb", marked!("Arabic, Standard")),
    ("heb", marked!("Hebrew")),
    ("pes_1", marked!("Farsi, Western")),
    ("hin", marked!("Hindi")),
    ("ben", marked!("Bengali")),
    ("tam", marked!("Tamil")),
    ("tel", marked!("Telugu")),
    ("kat", marked!("Georgian")),
    ("hye", marked!("Armenian")),
    ("jpn", marked!("Japanese")),
    ("kor", marked!("Korean")),
    ("cmn_hans", marked!("Chinese, Mandarin (Simplified)")),
    ("vie", marked!("Vietnamese")),
    ("tha", marked!("Thai")),
    ("ind", marked!("Indonesian")),
    ("swh", marked!("Swahili")),
    ("yor", marked!("Yoruba")),
    ("hau_NG", marked!("Hausa (Nigeria)")),
    ("zul", marked!("Zulu")),
    ("amh", marked!("Amharic")),
    ("gle", marked!("Gaelic, Irish")),
    ("cym", marked!("Welsh")),
    ("eus", marked!("Basque")),
    ("cat", marked!("Catalan")),
    ("ron_2006", marked!("Romanian (2006)")),
    ("mlt", marked!("Maltese")),
    ("afr", marked!("Afrikaans")),
    ("mkd", marked!("Macedonian")),
];

/// The same of those that the small model read most: what an adapter may make it forget.
pub const OLD: [(&str, &str); 5] = [
    ("eng", marked!("English")),
    ("fra", marked!("French")),
    ("spa", marked!("Spanish")),
    ("por_PT", marked!("Portuguese")),
    ("ita", marked!("Italian")),
];

pub fn is_known(code: &str) -> bool {
    NEW.iter().chain(&OLD).any(|&(known, _)| known == code)
}

/// Whether the small model has read it most.
pub fn is_old(code: &str) -> bool {
    OLD.iter().any(|&(known, _)| known == code)
}

/// A language's name; an unknown code is its own.
pub fn name(code: &str) -> &str {
    NEW.iter().chain(&OLD).find(|&&(known, _)| known == code).map_or(code, |&(_, name)| name)
}

/// All codes, for a message.
pub fn codes() -> String {
    NEW.iter().chain(&OLD).map(|&(code, _)| code).collect::<Vec<_>>().join(", ")
}
