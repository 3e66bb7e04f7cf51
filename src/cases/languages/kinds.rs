//! What the fifty languages are called for short, and their families and scripts: what a matrix of them is ordered by. Knows
//! nothing of what was measured.

use crate::task::text::languages::name;

/// A language's short name, family and script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind<'a> {
    pub name: &'a str,
    pub family: &'a str,
    pub script: &'a str,
}

const KINDS: [(&str, [&str; 3]); 50] = [
    ("deu_1996", ["German", "Germanic", "Latin"]),
    ("nld", ["Dutch", "Germanic", "Latin"]),
    ("swe", ["Swedish", "Germanic", "Latin"]),
    ("nob", ["Norwegian", "Germanic", "Latin"]),
    ("isl", ["Icelandic", "Germanic", "Latin"]),
    ("ell_monotonic", ["Greek", "Hellenic", "Greek"]),
    ("rus", ["Russian", "Slavic", "Cyrillic"]),
    ("ukr", ["Ukrainian", "Slavic", "Cyrillic"]),
    ("bul", ["Bulgarian", "Slavic", "Cyrillic"]),
    ("srp_cyrl", ["Serbian", "Slavic", "Cyrillic"]),
    ("pol", ["Polish", "Slavic", "Latin"]),
    ("slk", ["Slovak", "Slavic", "Latin"]),
    ("slv", ["Slovenian", "Slavic", "Latin"]),
    ("hrv", ["Croatian", "Slavic", "Latin"]),
    ("lit", ["Lithuanian", "Baltic", "Latin"]),
    ("als", ["Albanian", "Albanian", "Latin"]),
    ("hun", ["Hungarian", "Uralic", "Latin"]),
    ("fin", ["Finnish", "Uralic", "Latin"]),
    ("tur", ["Turkish", "Turkic", "Latin"]),
    ("azj_latn", ["Azerbaijani", "Turkic", "Latin"]),
    ("kaz", ["Kazakh", "Turkic", "Cyrillic"]),
    ("uzn_latn", ["Uzbek", "Turkic", "Latin"]),
    ("arb", ["Arabic", "Semitic", "Arabic"]),
    ("heb", ["Hebrew", "Semitic", "Hebrew"]),
    ("pes_1", ["Farsi", "Iranian", "Arabic"]),
    ("hin", ["Hindi", "Indo-Aryan", "Devanagari"]),
    ("ben", ["Bengali", "Indo-Aryan", "Bengali"]),
    ("tam", ["Tamil", "Dravidian", "Tamil"]),
    ("tel", ["Telugu", "Dravidian", "Telugu"]),
    ("kat", ["Georgian", "Kartvelian", "Georgian"]),
    ("hye", ["Armenian", "Armenian", "Armenian"]),
    ("jpn", ["Japanese", "Japonic", "Kana and Han"]),
    ("kor", ["Korean", "Koreanic", "Hangul"]),
    ("cmn_hans", ["Chinese", "Sinitic", "Han"]),
    ("vie", ["Vietnamese", "Austroasiatic", "Latin"]),
    ("tha", ["Thai", "Kra–Dai", "Thai"]),
    ("ind", ["Indonesian", "Austronesian", "Latin"]),
    ("swh", ["Swahili", "Bantu", "Latin"]),
    ("yor", ["Yoruba", "Volta–Niger", "Latin"]),
    ("hau_NG", ["Hausa", "Chadic", "Latin"]),
    ("zul", ["Zulu", "Bantu", "Latin"]),
    ("amh", ["Amharic", "Semitic", "Ethiopic"]),
    ("gle", ["Irish", "Celtic", "Latin"]),
    ("cym", ["Welsh", "Celtic", "Latin"]),
    ("eus", ["Basque", "Basque", "Latin"]),
    ("cat", ["Catalan", "Romance", "Latin"]),
    ("ron_2006", ["Romanian", "Romance", "Latin"]),
    ("mlt", ["Maltese", "Semitic", "Latin"]),
    ("afr", ["Afrikaans", "Germanic", "Latin"]),
    ("mkd", ["Macedonian", "Slavic", "Cyrillic"]),
];

/// A code that is not known here has a family and a script of its own.
pub fn kind(code: &str) -> Kind<'_> {
    let known = KINDS.iter().find(|(own, _)| *own == code);
    known.map_or(Kind { name: name(code), family: code, script: code }, |&(_, [name, family, script])| Kind {
        name,
        family,
        script,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::text::languages::NEW;

    #[test]
    fn every_language_is_known_by_a_name_of_its_own() {
        for (code, long) in NEW {
            let own = kind(code);
            assert!(long.contains(own.name), "{code} is {long}, not {}", own.name);
            assert_eq!(NEW.iter().filter(|(other, _)| kind(other).name == own.name).count(), 1, "{code}");
        }
    }
}
