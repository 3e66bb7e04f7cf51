//! How numbers, lists and lanes are written, the same everywhere on the page. Knows no markup.

use crate::args::{Named, Setting, Value};
use crate::config::Lane;
use crate::decimal::plain;
use crate::lang::{said, tr};

/// Three significant digits: "0.750", "12,300", "2.40e-7"; "0" is exactly zero.
pub fn three(value: f64) -> String {
    if value.is_nan() {
        return tr!("not a number");
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "−∞" }.into();
    }
    if value == 0.0 {
        return "0".into();
    }
    let sign = if value < 0.0 { "−" } else { "" };
    // Rounding first: 0.9996 has the magnitude of 1.00, not of 0.100.
    let rounded = format!("{:.2e}", value.abs());
    let (digits, exponent) = rounded.split_once('e').unwrap_or((&rounded, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let magnitude = match exponent {
        -3..=2 => format!("{:.*}", (2 - exponent) as usize, value.abs()),
        3..=8 => {
            let leading: usize = digits.replace('.', "").parse().unwrap_or(0);
            count(leading * 10usize.pow(exponent as u32 - 2))
        }
        _ => rounded,
    };
    format!("{sign}{magnitude}")
}

/// Numbers from here on are too long for an axis in full.
const LONG: f64 = 10_000.0;

/// A round number on an axis or at the end of a scale, without the zeros that say nothing there: "0.003", "−0.16", "1e-5", "1e5".
pub fn tick(value: f64) -> String {
    let text = if value.abs() >= LONG { format!("{value:.2e}").replace('-', "−") } else { three(value) };
    let (digits, exponent) = text.split_at(text.find('e').unwrap_or(text.len()));
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    format!("{digits}{exponent}")
}

/// What theory predicts: three digits, and of nothing at all that it is exactly that.
pub fn predicted(value: f64) -> String {
    if value == 0.0 { tr!("exactly 0") } else { three(value) }
}

/// A whole number in full, thousands separated: "2,363,396".
pub fn count(value: usize) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// "1 module", "1,024 modules".
pub fn modules(number: usize) -> String {
    tr!("{count} module" | "{count} modules" % number, count = count(number))
}

/// A share as a percentage of three significant digits: "25.0 %".
pub fn percent(share: f64) -> String {
    format!("{} %", three(100.0 * share))
}

/// "a", "a and b", "a, b and c".
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => tr!("{} and {last}", most.join(&tr!(", ")), last),
    }
}

/// "12.4 MB".
pub fn size(bytes: f64) -> String {
    let units = ["bytes", "KB", "MB", "GB", "TB"];
    let at = (0..4).find(|&at| bytes < 1000f64.powi(at + 1)).unwrap_or(4);
    match at {
        0 => tr!("{bytes} bytes", bytes),
        at => format!("{} {}", three(bytes / 1000f64.powi(at)), units[at as usize]),
    }
}

/// What a lane is called among its neighbours: its method; where a neighbour has the same method, with what sets the two
/// apart: size, or another setting, the learning rate, where it acts, what it trains whole; with its place where nothing does.
/// A setting that is as the method has it by itself is not named.
pub fn lane_name(lanes: &[&Lane], index: usize) -> String {
    let Some(lane) = lanes.get(index) else {
        return tr!("lane {}", index + 1);
    };
    let alike = |name: &dyn Fn(&Lane) -> String| -> Vec<&Lane> {
        let ours = name(lane);
        lanes.iter().copied().filter(|other| name(other) == ours).collect()
    };
    let same_method = alike(&Lane::title);
    if same_method.len() == 1 {
        return lane.title();
    }
    let alike = alike(&Lane::sized_title);
    let title = if alike.len() < same_method.len() { lane.sized_title() } else { lane.title() };
    let tells = |setting: &&Setting| {
        let own = lane.settings.get(setting.key);
        own != Some(&setting.default) && alike.iter().any(|other| other.settings.get(setting.key) != own)
    };
    let apart = lane.described().into_iter().filter(tells).map(|setting| match lane.settings.get(setting.key) {
        // "rank-stabilised" of "rank-stabilised: α/√r".
        Some(Value::Flag(true)) => setting_name(setting).split([':', '：']).next().unwrap_or_default().to_owned(),
        _ => format!("{} {}", setting_name(setting), setting_text(lane, setting)),
    });
    let rate = lane.lr.filter(|_| alike.iter().any(|other| other.lr != lane.lr)).map(|lr| tr!("lr {lr}", lr));
    let name = apart.chain(rate).chain(placed(lane, &alike)).fold(title, |name, part| format!("{name} {part}"));
    match alike.iter().filter(|other| **other == *lane).count() {
        1 => name,
        _ => tr!("{name} (lane {})", index + 1, name),
    }
}

/// Where a lane acts and what it trains whole, as far as `others` differ in that; a lane that acts everywhere says nothing of it.
fn placed(lane: &Lane, others: &[&Lane]) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(layers) = lane.layers.as_ref().filter(|_| others.iter().any(|other| other.layers != lane.layers)) {
        let numbers: Vec<_> = layers.iter().map(usize::to_string).collect();
        said.push(tr!("layers {}", numbers.join(", ")));
    }
    if let Some(targets) = lane.targets.as_ref().filter(|_| others.iter().any(|other| other.targets != lane.targets)) {
        said.push(targets.iter().map(|one| one.name()).collect::<Vec<_>>().join(", "));
    }
    let saved: Vec<_> = lane.modules_to_save.iter().map(|one| one.name()).collect();
    if !saved.is_empty() && others.iter().any(|other| other.modules_to_save != lane.modules_to_save) {
        said.push(format!("+ {}", saved.join(", ")));
    }
    if let Some(begin) = lane.begin.as_ref().filter(|_| others.iter().any(|other| other.begin != lane.begin)) {
        said.push(tr!("from {begin}", begin));
    }
    said
}

/// What a setting is called.
pub fn setting_name(setting: &Setting) -> String {
    said(if setting.label.is_empty() { setting.key } else { setting.label })
}

/// A lane's value of a setting.
pub fn setting_text(lane: &Lane, setting: &Setting) -> String {
    match lane.settings.get(setting.key) {
        Some(Value::Whole(value)) => value.to_string(),
        Some(Value::Real(value)) => plain(*value),
        Some(Value::Flag(on)) => {
            if *on {
                tr!("on")
            } else {
                tr!("off")
            }
        }
        Some(Value::Choice(choice)) => (*choice).into(),
        Some(Value::Sizes(sizes)) => sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("-"),
        Some(Value::Unset) | None => tr!("not set"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Projection, SavedModule};
    use crate::method::{FULL, LORA, MOLORA, MOR1E};

    #[test]
    fn three_significant_digits() {
        for (value, text) in [
            (0.75, "0.750"),
            (0.7495, "0.750"),
            (0.9996, "1.00"),
            (1.0, "1.00"),
            (9.996, "10.0"),
            (99.96, "100"),
            (310.2, "310"),
            (999.6, "1,000"),
            (12_345.6, "12,300"),
            (999_600.0, "1,000,000"),
            (0.0065, "0.00650"),
            (0.00123456, "0.00123"),
            (2.4e-7, "2.40e-7"),
            (3e12, "3.00e12"),
            (-0.031, "−0.0310"),
            (0.0, "0"),
            (f64::NAN, "not a number"),
            (f64::NEG_INFINITY, "−∞"),
        ] {
            assert_eq!(three(value), text, "{value}");
        }
        assert_eq!(percent(0.25), "25.0 %");
    }

    #[test]
    fn ticks_are_short_and_nothing_is_said_to_be_that() {
        for (value, text) in [
            (0.003, "0.003"),
            (-0.16, "−0.16"),
            (1.0, "1"),
            (20.0, "20"),
            (500.0, "500"),
            (5000.0, "5,000"),
            (-20_000.0, "−2e4"),
            (100_000.0, "1e5"),
            (1e-5, "1e-5"),
            (0.0, "0"),
        ] {
            assert_eq!(tick(value), text);
        }
        assert_eq!([predicted(0.0), predicted(0.75)], ["exactly 0", "0.750"]);
    }

    #[test]
    fn thousands() {
        for (value, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (32_768, "32,768"), (2_363_396, "2,363,396")] {
            assert_eq!(count(value), text);
        }
        assert_eq!([0, 1, 1024].map(modules), ["0 modules", "1 module", "1,024 modules"]);
    }

    #[test]
    fn lists() {
        let items: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        assert_eq!(list(&items), "a, b and c");
        assert_eq!(list(&items[..2]), "a and b");
        assert_eq!(list(&items[..1]), "a");
    }

    #[test]
    fn lanes_are_told_apart() {
        let small = Lane::from(&LORA).with("rank", 2);
        let lanes: Vec<Lane> = vec![(&FULL).into(), (&LORA).into(), small, (&MOR1E).into(), (&FULL).into()];
        let lanes: Vec<&Lane> = lanes.iter().collect();
        let names: Vec<String> = (0..5).map(|i| lane_name(&lanes, i)).collect();
        assert_eq!(names, ["full fine-tuning (lane 1)", "LoRA r8", "LoRA r2", "MoR1E", "full fine-tuning (lane 5)"]);
        let top = |k| Lane::from(&MOLORA).with("top_k", k);
        let lanes = [top(1), top(2), Lane { lr: Some(0.02), ..top(2) }];
        let lanes: Vec<&Lane> = lanes.iter().collect();
        let names: Vec<String> = (0..3).map(|i| lane_name(&lanes, i)).collect();
        assert_eq!(names, ["MoLoRA top-k 1", "MoLoRA top-k 2", "MoLoRA top-k 2 lr 0.02"]);
        let plain = Lane::from(&LORA);
        let stable = |rank| plain.clone().with("rank", rank).with("alpha", 4.0).with("rslora", true);
        let lanes = [plain.clone(), plain.clone().with("rank", 128), stable(8), stable(128)];
        let lanes: Vec<&Lane> = lanes.iter().collect();
        let names: Vec<String> = (0..4).map(|i| lane_name(&lanes, i)).collect();
        let expected = ["LoRA r8", "LoRA r128", "LoRA r8 alpha 4 rank-stabilised", "LoRA r128 alpha 4 rank-stabilised"];
        assert_eq!(names, expected);
        // What only differs in where it acts is told by that.
        let lora = Lane::from(&LORA);
        let two = vec![Projection::Query, Projection::Value];
        let lanes = [
            Lane { modules_to_save: vec![SavedModule::Embedding, SavedModule::Head], ..lora.clone() },
            Lane { layers: Some(vec![0, 1]), targets: Some(two), ..lora.clone() },
            lora,
        ];
        let lanes: Vec<&Lane> = lanes.iter().collect();
        let names: Vec<String> = (0..3).map(|i| lane_name(&lanes, i)).collect();
        let expected = ["LoRA + embed_tokens, lm_head", "LoRA layers 0, 1 q_proj, v_proj", "LoRA"];
        assert_eq!(names, expected);
    }
}
