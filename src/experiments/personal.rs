//! A model of one's own from two kilobytes of text: what a method's file is worth, and what a teacher that has read more gives.

use super::runs::{config, lora, mor1e};
use super::{Expected, Experiment, Figure, Inputs, Measuring, Series, near, quantity, shown};
use crate::args::Text;
use crate::config::{Config, Lane, Optimizer, Schedule, Task};
use crate::error::Result;
use crate::files::Dtype;
use crate::lab::Lab;
use crate::lab::export::files;
use crate::lab::student::{Course, Reads, pool, student};
use crate::method::FULL;
use crate::task::Soft;
use crate::task::text::{Model, Passages, small, small_model};

/// German: a language that the model has not read, of a family that it has.
const LANGUAGE: &str = "deu_1996";
const SEQUENCE: usize = 64;
const BATCH: usize = 8;
/// The first step of a warmup from 0 trains nothing: these are the prototype's 200 and 100.
const TEACHER: usize = 201;
const STUDENT: usize = 101;
const WARMUP: usize = 20;
/// Of a person's text, what is trained on, and what chooses between the steps below.
const OWN: usize = 1536;
const CHOOSES: usize = 512;
const LOOKED_AT: [usize; 3] = [26, 51, 101];
/// Texts of a passage that the teacher writes.
const WRITTEN: usize = 128;
const HALF_AS_WIDE: usize = 4;

fn course(total: usize, rate: f64, seed: u32) -> Course {
    Course { batch: BATCH, sequence: SEQUENCE, batches: total, total, warmup: WARMUP, rate, seed }
}

/// Each at its own rate.
fn students() -> [(&'static str, Lane); 5] {
    let mixture = |experts: usize| Lane { lr: Some(0.01), ..mor1e(experts, "running") };
    let narrow = |experts: usize| mixture(experts).with("hidden", HALF_AS_WIDE);
    let lora = |rank: usize| Lane { lr: Some(0.02), ..lora(rank) };
    [
        ("LoRA r1", lora(1)),
        ("MoR1E 2, gate 4", narrow(2)),
        ("LoRA r8", lora(8)),
        ("MoR1E 8, gate 4", narrow(8)),
        ("MoR1E 8", mixture(8)),
    ]
}

/// How far another engine's draws may take a student from the prototype's.
const WITHIN: f64 = 0.15;

/// The prototype's bits of the first of them, with what its teacher wrote.
const FOUND: [f64; TRAINED] = [2.782, 2.783, 2.515, 2.728];
/// Of the students, those whose bits are measured; of the last only the file is.
const TRAINED: usize = 4;
const LORA1: usize = 0;
const LORA8: usize = 2;

pub fn all() -> Vec<Experiment> {
    vec![size(), distilled(), whole()]
}

/// The same run on the whole of the language's text, as a link has it.
fn setup(lanes: Vec<Lane>, total: usize, rate: f64) -> Config {
    let text = Text { languages: vec![LANGUAGE.into()], sequence: SEQUENCE, batch: BATCH, ..Text::default() };
    Config {
        optimizer: Optimizer { lr: rate, ..Optimizer::default() },
        ..config(Task::Text(text), lanes, Schedule { warmup: WARMUP, total })
    }
}

fn teacher() -> Config {
    setup(vec![Lane::from(&FULL)], TEACHER, 0.001)
}

fn size() -> Experiment {
    let students = students();
    let names = students.clone().map(|(name, _)| name);
    let sizes = names.map(|name| shown(format!("{name}: KB of its file, F16"))).to_vec();
    let trained = &names[..TRAINED];
    let bits = trained.iter().zip(FOUND).map(|(name, bits)| near(format!("{name}: bits per byte"), bits, WITHIN));
    Experiment {
        id: "personal-size",
        setups: vec![teacher(), setup(students.map(|(_, lane)| lane).to_vec(), STUDENT, 0.01)],
        quantities: [
            bits.collect(),
            sizes,
            vec![
                quantity("LoRA r1 − MoR1E 2, gate 4: bits", Expected::AtMost(0.1)),
                quantity("file of LoRA r1 / of MoR1E 2, gate 4", Expected::AtMost(0.3)),
                quantity("LoRA r8 − MoR1E 8, gate 4: bits", Expected::AtMost(0.0)),
                quantity("KB of MoR1E 8 beyond 200", Expected::AtLeast(0.0)),
            ],
        ]
        .concat(),
        measure: sized,
        figure: Some(Figure {
            x: "student",
            y: "bits per byte",
            columns: trained.iter().map(|&name| name.to_owned()).collect(),
            series: vec![Series { name: "held-out German", first: 0 }],
            log: false,
        }),
    }
}

fn sized(_: Vec<Config>, seed: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let mut class = Class::new(seed, inputs, STUDENT * TRAINED).await?;
        let (mut bits, mut sizes) = (Vec::new(), Vec::new());
        for (_, lane) in &students()[..TRAINED] {
            let (lab, reached) = class.train(lane, Way::Written).await?;
            bits.push(reached);
            sizes.push(kilobytes(&lab).await?);
        }
        // As long untrained as trained.
        for (_, lane) in &students()[TRAINED..] {
            sizes.push(kilobytes(&class.begin(lane)?).await?);
        }
        let claims = vec![bits[0] - bits[1], sizes[0] / sizes[1], bits[LORA8] - bits[3], sizes[4] - 200.0];
        Ok([bits, sizes, claims].concat())
    })
}

/// Thousands of bytes of the files that the only lane is saved as.
async fn kilobytes(lab: &Lab) -> Result<f64> {
    let files = files(lab, 0, Dtype::F16).await?;
    Ok(files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() as f64 / 1000.0)
}

const SHORT: [(&str, usize, Way); 3] = [
    ("plain, 1.5 KB", LORA8, Way::Plain),
    ("distilled, 1.5 KB", LORA8, Way::Distilled),
    ("distilled, with the teacher's writing", LORA8, Way::Written),
];

const WHOLE: [(&str, usize, Way); 4] = [
    ("LoRA r1, plain", LORA1, Way::All),
    ("LoRA r8, plain", LORA8, Way::All),
    ("LoRA r1, distilled", LORA1, Way::AllDistilled),
    ("LoRA r8, distilled", LORA8, Way::AllDistilled),
];

fn distilled() -> Experiment {
    let (_, lane) = students()[LORA8].clone();
    // The prototype's.
    let found = [3.786, 2.879, 2.515];
    let mut quantities: Vec<_> = SHORT.iter().zip(found).map(|((name, ..), bits)| near(*name, bits, WITHIN)).collect();
    quantities.extend([
        quantity("distilled − plain", Expected::AtMost(-0.3)),
        quantity("with the teacher's writing − without", Expected::AtMost(-0.2)),
        near("teacher", 2.591, WITHIN),
        near("base", 4.666, WITHIN),
        shown("base: English"),
        shown("teacher: English"),
        shown("plain: English"),
        shown("distilled: English"),
        shown("with the teacher's writing: English"),
    ]);
    Experiment {
        id: "personal-distilled",
        setups: vec![teacher(), setup(vec![lane], STUDENT, 0.02)],
        quantities,
        measure: short,
        figure: Some(Figure {
            x: "LoRA r8 trained",
            y: "bits per byte",
            columns: SHORT.map(|(name, ..)| name.to_owned()).to_vec(),
            series: vec![Series { name: "held-out German", first: 0 }],
            log: false,
        }),
    }
}

fn short(_: Vec<Config>, seed: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let mut class = Class::new(seed, inputs, STUDENT * SHORT.len()).await?;
        let (bits, english) = class.all(&SHORT).await?;
        let gains = vec![bits[1] - bits[0], bits[2] - bits[1]];
        Ok([bits, gains, class.bounds.to_vec(), english].concat())
    })
}

fn whole() -> Experiment {
    let lanes = [LORA1, LORA8].map(|at| students()[at].1.clone());
    // The prototype's; it did not distil on all of the text.
    let mut quantities: Vec<_> =
        WHOLE.iter().zip([2.738, 2.474]).map(|((name, ..), bits)| near(*name, bits, WITHIN)).collect();
    quantities.extend(WHOLE[2..].iter().map(|(name, ..)| shown(*name)));
    quantities.extend(
        ["LoRA r1", "LoRA r8"].map(|name| quantity(format!("{name}: distilled − plain"), Expected::AtMost(-0.05))),
    );
    quantities.push(shown("teacher"));
    Experiment {
        id: "personal-whole",
        setups: vec![teacher(), setup(lanes.to_vec(), STUDENT, 0.02)],
        quantities,
        measure: on_whole,
        figure: Some(Figure {
            x: "student",
            y: "bits per byte",
            columns: ["LoRA r1", "LoRA r8"].map(str::to_owned).to_vec(),
            series: vec![Series { name: "plain", first: 0 }, Series { name: "distilled", first: 2 }],
            log: false,
        }),
    }
}

fn on_whole(_: Vec<Config>, seed: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let mut class = Class::new(seed, inputs, STUDENT * WHOLE.len()).await?;
        let (bits, _) = class.all(&WHOLE).await?;
        let gains = vec![bits[2] - bits[0], bits[3] - bits[1], class.bounds[0]];
        Ok([bits, gains].concat())
    })
}

/// What a student reads, and what of it is to be learned.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Plain,
    Distilled,
    /// On the text that the teacher wrote, too.
    Written,
    All,
    AllDistilled,
}

/// A model, a language's text, and a teacher that has read it.
struct Class<'a> {
    inputs: &'a Inputs,
    model: Model,
    seed: u32,
    own: Vec<u32>,
    all: Vec<u32>,
    chooses: Passages,
    held: Passages,
    english: Passages,
    /// The teacher's bits, the base's, and both of English, the base's first.
    bounds: [f64; 4],
    teacher: Lab,
}

impl<'a> Class<'a> {
    async fn new(seed: u32, inputs: &'a Inputs, steps: usize) -> Result<Self> {
        inputs.expects(TEACHER + steps);
        let model = small_model(async |name: &str| inputs.file(name)).await?;
        let text = Text { languages: vec![LANGUAGE.into(), "eng".into()], sequence: SEQUENCE, ..Text::default() };
        let (_, texts) = small(&text, 1, async |name: &str| inputs.file(name)).await?;
        let find = |of: &[(String, Vec<u32>)], code: &str| {
            of.iter().find(|(own, _)| own == code).map_or(Vec::new(), |(_, text)| text.clone())
        };
        let all = find(&texts.train, LANGUAGE);
        let cut = |text: &[u32]| Passages::of(text, SEQUENCE, texts.begin);
        let (held, english) = (cut(&find(&texts.held, LANGUAGE)), cut(&find(&texts.held, "eng")));
        let course = course(TEACHER, 0.001, seed);
        let read = pool(&[Reads { tokens: &all, labelled: true }], &course, 0)?;
        let full = Lane::from(&FULL);
        let mut teacher = student(model.clone(), (&text.languages, read), None, full, &course, inputs.device())?;
        super::runs::train(&mut teacher, TEACHER, inputs).await?;
        let bounds = [
            teacher.bits(Some(0), &held).await?,
            teacher.bits(None, &held).await?,
            teacher.bits(None, &english).await?,
            teacher.bits(Some(0), &english).await?,
        ];
        Ok(Self {
            inputs,
            model,
            seed,
            own: all[..OWN].to_vec(),
            chooses: cut(&all[OWN..OWN + CHOOSES]),
            all,
            held,
            english,
            bounds,
            teacher,
        })
    }

    /// Bits of the language's held-out text and of English, by student and way.
    async fn all(&mut self, runs: &[(&str, usize, Way)]) -> Result<(Vec<f64>, Vec<f64>)> {
        let (mut all, mut english) = (Vec::new(), Vec::new());
        for &(_, student, way) in runs {
            let (mut lab, bits) = self.train(&students()[student].1, way).await?;
            all.push(bits);
            english.push(lab.bits(Some(0), &self.english).await?);
        }
        Ok((all, english))
    }

    /// A student before its first step.
    fn begin(&self, lane: &Lane) -> Result<Lab> {
        let course = Course { batch: 1, batches: 1, warmup: 0, ..course(1, 0.01, self.seed) };
        let read = pool(&[Reads { tokens: &self.own, labelled: true }], &course, 0)?;
        student(self.model.clone(), (&[LANGUAGE.to_owned()], read), None, lane.clone(), &course, self.inputs.device())
    }

    /// A trained student, and its bits at that of the steps looked at which the person's own text chooses.
    async fn train(&mut self, lane: &Lane, way: Way) -> Result<(Lab, f64)> {
        let course = course(STUDENT, 0.01, self.seed);
        // The same every time.
        let made = match way {
            Way::Written => self.teacher.written(0, WRITTEN, self.seed, async |_, _| Ok(())).await?,
            _ => Vec::new(),
        };
        let read = |tokens| Reads { tokens, labelled: true };
        let reads = match way {
            Way::Plain | Way::Distilled => vec![read(&self.own)],
            Way::Written => vec![read(&self.own), read(&made)],
            Way::All | Way::AllDistilled => vec![read(&self.all)],
        };
        let read = pool(&reads, &course, 0)?;
        let soft = match way {
            Way::Plain | Way::All => None,
            _ => {
                let logits = self.teacher.taught(0, &read.0, async |_, _| Ok(())).await?;
                Some(Soft { logits: logits.into(), temperature: 1.0, mix: 1.0 })
            }
        };
        let languages = [LANGUAGE.to_owned()];
        let mut lab =
            student(self.model.clone(), (&languages, read), soft, lane.clone(), &course, self.inputs.device())?;
        let mut best = (f64::INFINITY, f64::NAN);
        for steps in LOOKED_AT {
            let more = steps - lab.step();
            super::runs::train(&mut lab, more, self.inputs).await?;
            let chooses = lab.bits(Some(0), &self.chooses).await?;
            if chooses < best.0 {
                best = (chooses, lab.bits(Some(0), &self.held).await?);
            }
        }
        Ok((lab, best.1))
    }
}
