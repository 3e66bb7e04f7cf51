//! Links as sites and people leave them: with keys that are nobody's and values that are wrong.

use super::*;

fn query_error(query: &str) -> String {
    Config::from_query(query).unwrap_err().to_string()
}

/// Where a link was posted is no part of the run.
#[test]
fn what_others_put_behind_links_is_passed_over() {
    let query = "seed=7&lanes=full~lora.r2";
    let plain = Config::from_query(query).unwrap();
    for extra in [
        "utm_source=newsletter&utm_medium=email&utm_campaign=a%20b",
        "fbclid=IwAR0&gclid=x&msclkid=y&mc_cid=1&mc_eid=2&igshid=3",
        "ref=hn&ref_src=twsrc%5Etfw",
        // Twice, or not even text: nobody reads it.
        "utm_source=a&utm_source=b&gclid=%ff",
    ] {
        for link in [format!("{extra}&{query}"), format!("?{query}&{extra}")] {
            assert_eq!(Config::from_query(&link).unwrap(), plain, "{link}");
        }
    }
    assert!(query_error("seed=7&utmost=1").starts_with("utmost: \"1\" is not allowed; there is no such key"));
    assert!(query_error("refs=1").starts_with("refs"));
}

/// One bad part of a link costs that part, and is named.
#[test]
fn the_rest_of_a_link_is_kept() {
    let of = |query: &str| Config::from_query(query).unwrap();
    // A link, what is left of it, and the keys that are named.
    for (link, rest, keys) in [
        ("seed=x&lr=fast&dim=32", "dim=32", &["seed", "lr"][..]),
        ("seed=7&seed=8&%zz=1&beta1=%", "seed=7", &["seed", "the link", "the link"]),
        ("task=digits&pretrain=100&dim=32", "task=digits&pretrain=100", &["dim"]),
        ("task=magic&seed=7&pretrain=100", "seed=7", &["task", "pretrain"]),
        ("task=digits&domains=inverted~odd&batch=8", "task=digits&batch=8", &["domains[1]"]),
        ("warmup=60&total=50&seed=7", "total=50&seed=7", &["warmup"]),
        // The default rank does not fit into this width: the width goes.
        ("seed=7&dim=4&lanes=full", "seed=7&lanes=full", &["true_rank"]),
        // Of a lane its wrong part alone goes; a lane without a method goes as a whole.
        (
            "seed=7&lanes=magic~lora.r2~lora.r0.a32~full.q1~lora.r4.r5~molora.k9",
            "seed=7&lanes=lora.r2~lora.a32~full~lora.r4~molora",
            &["lanes[3]", "lanes[4].rank", "lanes[0].method", "lanes[2].rank", "lanes[5].top_k"],
        ),
        ("lanes=molora.n4.k6.r2~full", "lanes=molora.n4.r2~full", &["lanes[0].top_k"]),
        ("seed=7&lanes=magic", "seed=7", &["lanes[0].method"]),
        ("seed=7&lanes=full~full~full~full~full~full~full~full~full", "seed=7", &["lanes"]),
        ("seed=7&lanes=lora.l2~full", "seed=7&lanes=lora~full", &["lanes[0].layers[0]"]),
    ] {
        let Read { config, errors, unknown } = Config::read_link(link);
        assert!(unknown.is_empty(), "{unknown:?}");
        let named: Vec<String> = errors.iter().map(|e| e.to_string().split(": ").next().unwrap().to_owned()).collect();
        assert_eq!(named, keys, "{link}: {errors:?}");
        assert_eq!(config, of(rest), "{link}");
        assert_eq!(Config::from_query(link).unwrap_err(), errors[0]);
    }
}

/// Keys that nobody knows cost nothing else of a link, wherever they stand, and are named as they were written.
#[test]
fn unknown_keys_are_told_apart_from_wrong_values() {
    let Read { config, errors, unknown } = Config::read_link("?colour=dark%20red&seed=x&dim=32&foo&trk=1&trk=2");
    assert_eq!(config, Config::from_query("dim=32").unwrap());
    assert_eq!(errors.len(), 1);
    assert_eq!(unknown, ["colour=dark red", "foo=", "trk=1", "trk=2"]);
}
