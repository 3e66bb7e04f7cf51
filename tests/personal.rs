//! Personal models against the prototype's numbers: a teacher and a student trained here as the page trains them, cancelled, written and
//! read again.
#![cfg(not(target_arch = "wasm32"))]

use std::cell::Cell;

use lora_playground::cases::personal::class::Class;
use lora_playground::cases::personal::text::{self, Chosen};
use lora_playground::cases::personal::wire::{Doing, Plan, Unlabelled, Way};
use lora_playground::error::{Error, Result};
use lora_playground::files::{Checkpoint, Dtype, Memory};
use lora_playground::lab::export::files;
use lora_playground::lab::saved::reread;
use lora_playground::lab::student::{Course, Reads, pool, student};
use lora_playground::method::Lane;
use lora_playground::task::text::{Passages, small_model};
use pollster::block_on;

/// How far from the prototype's a student's bits may be.
const WITHIN: f64 = 0.15;

fn data(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/www/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn class() -> Class {
    let weights = Memory::new("model.safetensors", data("lm/model.safetensors"));
    let weights = block_on(Checkpoint::open(vec![weights])).unwrap();
    let model = block_on(small_model(async |name: &str| Ok(data(name)))).unwrap();
    Class::new(model, weights, text::read(&data(text::FILE)).unwrap(), None)
}

fn plan(steps: usize) -> Plan {
    Plan {
        text: Chosen::Prepared { language: "deu_1996".into(), bytes: 2048 },
        students: vec![0],
        ways: vec![Way::Distilled],
        unlabelled: Unlabelled::None,
        temperature: 1.0,
        mix: 1.0,
        steps,
        half: true,
    }
}

async fn listens(_: Doing, _: usize, _: usize) -> Result<()> {
    Ok(())
}

#[test]
fn a_student_is_the_prototypes_and_its_file_says_so() {
    let (class, plan) = (class(), plan(100));
    let mut teacher = block_on(class.teacher(None, &plan, &listens)).unwrap();
    let bounds = teacher.bounds;
    assert!((bounds.base - 4.666).abs() < 0.005 && (bounds.base_english - 2.665).abs() < 0.005, "{bounds:?}");
    assert!((bounds.teacher - 2.591).abs() < WITHIN, "{bounds:?}");
    let (run, files) = block_on(class.run(&mut teacher, &plan, (0, 0, Way::Distilled), &listens)).unwrap();
    assert!((run.bits - 3.221).abs() < WITHIN, "{}, and the prototype's 3.221", run.bits);
    assert!(run.english > bounds.base_english + 0.5, "the base forgets: {}", run.english);
    // The file is as large as it was said to be before it was trained, but for digits of the step.
    let sizes = block_on(class.sizes()).unwrap();
    assert_eq!(run.bytes, files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>());
    assert!(run.bytes.abs_diff(sizes[0].half) < 64, "{} and {}", run.bytes, sizes[0].half);
    assert!((run.reread - run.bits).abs() < 0.005, "{} and {}", run.reread, run.bits);
    assert!(run.memory > 4 * 467_808);
}

/// What fits 200 KB and what does not, as files; and a file in F32 is about twice as long.
#[test]
fn sizes_are_those_of_files() {
    let sizes = block_on(class().sizes()).unwrap();
    let find = |name: &str| sizes.iter().find(|one| one.name == name).unwrap_or_else(|| panic!("{name} in {sizes:?}"));
    let (small, large) = (find("LoRA r1"), find("LoRA r8"));
    assert_eq!((small.parameters, large.parameters), (7_296, 58_368));
    assert!(large.half > 2 * large.parameters && large.half < 2 * large.parameters + 12_000 && large.peft);
    // Offsets in the header have more digits.
    assert!((large.full - large.half).abs_diff(2 * large.parameters) < 200);
    assert!(find("binary LoRA r8").half < 25_000 && !find("binary LoRA r8").peft);
    assert!(sizes.iter().any(|one| one.parameters == 131_552 && one.half > 200_000), "{sizes:?}");
    assert!(sizes.iter().any(|one| one.parameters == 73_696 && one.half < 200_000), "{sizes:?}");
}

#[test]
fn work_that_is_given_up_leaves_nothing() {
    let (class, plan) = (class(), plan(20));
    let heard = Cell::new(0);
    let stops = async |_: Doing, _: usize, _: usize| {
        heard.set(heard.get() + 1);
        let gone = Error::Missing { what: "wish", name: "to go on".into(), hint: String::new() };
        if heard.get() < 3 { Ok(()) } else { Err(gone) }
    };
    assert!(block_on(class.teacher(None, &plan, &stops)).is_err());
    assert_eq!(heard.get(), 3);
    let mut teacher = block_on(class.teacher(None, &plan, &listens)).unwrap();
    heard.set(0);
    assert!(block_on(class.run(&mut teacher, &plan, (0, 0, Way::Plain), &stops)).is_err());
    // The teacher is whole, and is not taught again for the same plan.
    let bounds = teacher.bounds;
    let again = block_on(class.teacher(Some(teacher), &plan, &stops)).unwrap();
    assert_eq!((again.bounds, heard.get()), (bounds, 3));
}

/// What each lane's files make of a text is what the lane does, within what F16 rounds: PEFT's, parameters, packed ones.
#[test]
fn a_file_is_read_as_it_was_trained() {
    const PEFT: &str = "adapter_config.json";
    let Class { model, weights, .. } = class();
    let text = "Alle Menschen sind frei und gleich an Würde und Rechten geboren. ";
    let text: Vec<u32> = text.bytes().map(u32::from).collect();
    let course = Course { batch: 2, sequence: 16, batches: 2, total: 6, warmup: 1, rate: 0.02, seed: 1 };
    let passages = Passages::of(&text, 16, 0);
    for (lane, form, bytes) in [
        ("lora.r2", PEFT, 40_000),
        ("vera.r8.q_proj-k_proj-v_proj-o_proj-gate_proj-up_proj.lr0.2", PEFT, 40_000),
        ("dora.r1", "dora.safetensors", 50_000),
        ("mor1e.n2.h4.running", "mor1e.safetensors", 100_000),
        ("lora.r8.binary", "lora.safetensors", 25_000),
        ("lora.r8.ternary", "lora.safetensors", 30_000),
    ] {
        let lane = Lane::from_text(lane).unwrap();
        let pool = pool(&[Reads { tokens: &text, labelled: true }], &course, 0).unwrap();
        let languages = ["deu_1996".to_owned()];
        let mut lab = student(model.clone(), (&languages, pool), None, lane.clone(), &course, None).unwrap();
        block_on(lab.train(6)).unwrap();
        let files = block_on(files(&lab, 0, Dtype::F16)).unwrap();
        assert!(files.iter().any(|(name, _)| name == form), "{lane:?}");
        let size: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(size < bytes, "{lane:?}: {size}");
        let wanted = block_on(lab.bits(Some(0), &passages)).unwrap();
        let base = block_on(lab.bits(None, &passages)).unwrap();
        let mut reader = block_on(reread(&files, (model.clone(), &weights), (2, 16), None)).unwrap();
        let got = block_on(reader.bits(&passages)).unwrap();
        assert!((wanted - base).abs() > 0.05, "{lane:?} learned nothing: {wanted} and {base}");
        assert!((got - wanted).abs() < 0.005, "{lane:?}: {got} instead of {wanted}");
    }
    let none = block_on(reread(&[], (model, &weights), (2, 16), None));
    assert!(none.is_err_and(|error| error.to_string().contains("has no file")));
}
