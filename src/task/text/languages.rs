//! The languages that texts come in: fifty that the small model has not met, and five of those that it has read most. Each
//! has a training text and a held-out one, of the same articles everywhere. Knows no texts.

/// Code (as the file of its text is called) and name of the fifty.
pub const NEW: [(&str, &str); 50] = [
    ("deu_1996", "German, Standard (1996)"),
    ("nld", "Dutch"),
    ("swe", "Swedish"),
    ("nob", "Norwegian, Bokmål"),
    ("isl", "Icelandic"),
    ("ell_monotonic", "Greek (monotonic)"),
    ("rus", "Russian"),
    ("ukr", "Ukrainian"),
    ("bul", "Bulgarian"),
    ("srp_cyrl", "Serbian (Cyrillic)"),
    ("pol", "Polish"),
    ("slk", "Slovak"),
    ("slv", "Slovenian"),
    ("hrv", "Croatian"),
    ("lit", "Lithuanian"),
    ("als", "Albanian, Tosk"),
    ("hun", "Hungarian"),
    ("fin", "Finnish"),
    ("tur", "Turkish"),
    ("azj_latn", "Azerbaijani, North (Latin)"),
    ("kaz", "Kazakh"),
    ("uzn_latn", "Uzbek, Northern (Latin)"),
    ("arb", "Arabic, Standard"),
    ("heb", "Hebrew"),
    ("pes_1", "Farsi, Western"),
    ("hin", "Hindi"),
    ("ben", "Bengali"),
    ("tam", "Tamil"),
    ("tel", "Telugu"),
    ("kat", "Georgian"),
    ("hye", "Armenian"),
    ("jpn", "Japanese"),
    ("kor", "Korean"),
    ("cmn_hans", "Chinese, Mandarin (Simplified)"),
    ("vie", "Vietnamese"),
    ("tha", "Thai"),
    ("ind", "Indonesian"),
    ("swh", "Swahili"),
    ("yor", "Yoruba"),
    ("hau_NG", "Hausa (Nigeria)"),
    ("zul", "Zulu"),
    ("amh", "Amharic"),
    ("gle", "Gaelic, Irish"),
    ("cym", "Welsh"),
    ("eus", "Basque"),
    ("cat", "Catalan"),
    ("ron_2006", "Romanian (2006)"),
    ("mlt", "Maltese"),
    ("afr", "Afrikaans"),
    ("mkd", "Macedonian"),
];

/// The same of those that the small model read most: what an adapter may make it forget.
pub const OLD: [(&str, &str); 5] =
    [("eng", "English"), ("fra", "French"), ("spa", "Spanish"), ("por_PT", "Portuguese"), ("ita", "Italian")];

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
