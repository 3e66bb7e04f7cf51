//! Tokenizers against Hugging Face's `tokenizers`, alike natively and in a browser, which bring patterns of their own.

use lora_playground::task::text::Tokenizer;
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test_configure!(run_in_browser);

/// By tests/fixtures/make_tokenizers.py.
const CASES: [(&str, &str); 9] = [
    ("digits_prefix_space", include_str!("fixtures/tokenizers/digits_prefix_space.json")),
    ("gpt2", include_str!("fixtures/tokenizers/gpt2.json")),
    ("llama2", include_str!("fixtures/tokenizers/llama2.json")),
    ("llama3", include_str!("fixtures/tokenizers/llama3.json")),
    ("lowercase", include_str!("fixtures/tokenizers/lowercase.json")),
    ("metaspace", include_str!("fixtures/tokenizers/metaspace.json")),
    ("metaspace_first_whole", include_str!("fixtures/tokenizers/metaspace_first_whole.json")),
    ("qwen2", include_str!("fixtures/tokenizers/qwen2.json")),
    ("unknown_fused", include_str!("fixtures/tokenizers/unknown_fused.json")),
];

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn tokens_are_those_of_hugging_face() {
    let mut seen = 0;
    for (name, case) in CASES {
        let case: Value = serde_json::from_str(case).unwrap();
        let tokenizer = Tokenizer::from_value(&case["tokenizer"]).unwrap();
        assert_eq!(u64::from(tokenizer.begin()), case["begin"], "{name}");
        for text in case["texts"].as_array().unwrap() {
            let ids = tokenizer.encode(text["text"].as_str().unwrap());
            assert_eq!(json!(ids), text["ids"], "{name} {text}");
            let bytes: Vec<u8> = ids.iter().flat_map(|&id| tokenizer.bytes_of(id)).collect();
            let decoded = String::from_utf8_lossy(&bytes);
            // Decoders drop the space that was put before the text; a token by itself keeps its own.
            let plain = |text: &str| text.trim_start_matches(' ').to_owned();
            assert_eq!(plain(&decoded), plain(text["decoded"].as_str().unwrap()), "{name} {text}");
            seen += 1;
        }
    }
    assert_eq!(seen, 91);
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn what_is_not_read_is_named() {
    let case: Value = serde_json::from_str(CASES[1].1).unwrap();
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
