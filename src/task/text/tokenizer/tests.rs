use serde_json::{Value, json};

use super::Tokenizer;

/// Tokenizers of tests/fixtures/make_tokenizers.py, with what Hugging Face's `tokenizers` makes of texts.
#[test]
fn tokens_are_those_of_hugging_face() {
    let mut seen = 0;
    for entry in std::fs::read_dir("tests/fixtures/tokenizers").unwrap() {
        let path = entry.unwrap().path();
        let case: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let tokenizer = Tokenizer::from_value(&case["tokenizer"]).unwrap();
        assert_eq!(u64::from(tokenizer.begin()), case["begin"], "{path:?}");
        for text in case["texts"].as_array().unwrap() {
            let ids = tokenizer.encode(text["text"].as_str().unwrap());
            assert_eq!(json!(ids), text["ids"], "{path:?} {text}");
            let bytes: Vec<u8> = ids.iter().flat_map(|&id| tokenizer.bytes_of(id)).collect();
            let decoded = String::from_utf8_lossy(&bytes);
            // Decoders drop the space that was put before the text; a token by itself keeps its own.
            let plain = |text: &str| text.trim_start_matches(' ').to_owned();
            assert_eq!(plain(&decoded), plain(text["decoded"].as_str().unwrap()), "{path:?} {text}");
            seen += 1;
        }
    }
    assert_eq!(seen, 80);
}

#[test]
fn what_is_not_read_is_named() {
    let case: Value = serde_json::from_slice(&std::fs::read("tests/fixtures/tokenizers/gpt2.json").unwrap()).unwrap();
    let refused = |key: &str, value: Value| {
        let mut file = case["tokenizer"].clone();
        *file.pointer_mut(key).unwrap() = value;
        Tokenizer::from_value(&file).unwrap_err().to_string()
    };
    for (key, value, named) in [
        ("/model/type", json!("Unigram"), "\"Unigram\""),
        ("/model/vocab", json!(null), "model.vocab"),
        ("/model/vocab", json!({"a": -1}), "\"a\" has the id -1"),
        ("/model/merges/0", json!("ab"), "model.merges[0]"),
        ("/model/merges/0", json!(["a", "никто"]), "\"никто\""),
        ("/model/end_of_word_suffix", json!("</w>"), "</w>"),
        ("/model/unk_token", json!("<nobody>"), "<nobody>"),
        ("/pre_tokenizer", json!({"type": "Whitespace"}), "\"Whitespace\""),
        ("/pre_tokenizer", json!({"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated"}), "\"(\""),
        ("/normalizer", json!({"type": "BertNormalizer"}), "\"BertNormalizer\""),
        ("/decoder", json!({"type": "WordPiece"}), "\"WordPiece\""),
        ("/post_processor", json!({"type": "RobertaProcessing"}), "\"RobertaProcessing\""),
        ("/added_tokens/0/lstrip", json!(true), "lstrip"),
    ] {
        let message = refused(key, value);
        assert!(message.contains("tokenizer.json") && message.contains(named), "{key}: {message}");
    }
    assert!(Tokenizer::from_value(&json!({})).unwrap_err().to_string().contains("\"model\""));
}
