//! Students and their teacher at work: what a plan asks for, trained, measured, written and read again. Runs on either backend, in the
//! browser's worker and natively; knows nothing of who asks, nor of what is shown.

use super::students;
use super::text::{All, PASSAGE, Parts};
use super::wire::{Bounds, Doing, Plan, Run, Sized, Unlabelled, Way};
use crate::clock;
use crate::error::{Error, Result};
use crate::exec::gpu::Device;
use crate::files::{Checkpoint, Dtype, Memory};
use crate::lab::Lab;
use crate::lab::export::files;
use crate::lab::python::loader;
use crate::lab::saved::reread;
use crate::lab::student::{Course, Pool, Reads, pool, student};
use crate::lang::{marked, tr};
use crate::method::Lane;
use crate::task::Soft;
use crate::task::text::{Model, Passages};

const BATCH: usize = 8;
const SEED: u32 = 1;
const WARMUP: usize = 20;
/// Batches before any comes again: a teacher's expectations of so many take 52 MB.
const BATCHES: usize = 100;
/// Texts of a passage that a teacher writes.
const WRITTEN: usize = 128;
/// Shares of the steps at which a student may be kept.
const LOOKED_AT: [f64; 4] = [0.25, 0.5, 0.75, 1.0];

/// Hears how far the work is, and ends it with an error.
pub trait Hears: AsyncFn(Doing, usize, usize) -> Result<()> {}
impl<T: AsyncFn(Doing, usize, usize) -> Result<()>> Hears for T {}

/// A lane's files, by name.
pub type Files = Vec<(String, Vec<u8>)>;

/// What all runs share.
pub struct Class {
    pub model: Model,
    /// The model's file.
    pub weights: Checkpoint<Memory>,
    pub texts: All,
    pub device: Option<Device>,
    students: Vec<Lane>,
}

/// A teacher that has read, with what it was given to read.
pub struct Teacher {
    lab: Lab,
    pub bounds: Bounds,
    read: Parts,
    steps: usize,
    written: Option<Vec<u32>>,
}

/// Passages of the parts that are measured.
struct Looked {
    chooses: Passages,
    held: Passages,
    english: Passages,
}

impl Looked {
    fn new(parts: &Parts) -> Self {
        let cut = |text: &[u32]| Passages::of(text, PASSAGE, 0);
        Self { chooses: cut(&parts.chooses), held: cut(&parts.held), english: cut(&parts.remembered) }
    }
}

fn dtype(half: bool) -> Dtype {
    if half { Dtype::F16 } else { Dtype::F32 }
}

fn bytes(files: &Files) -> usize {
    files.iter().map(|(_, bytes)| bytes.len()).sum()
}

/// One step more than was asked for: the first, at a rate of 0, trains nothing.
fn course(steps: usize, rate: f64) -> Course {
    let total = steps + 1;
    Course { batch: BATCH, sequence: PASSAGE, batches: total.min(BATCHES), total, warmup: WARMUP, rate, seed: SEED }
}

impl Class {
    pub fn new(model: Model, weights: Checkpoint<Memory>, texts: All, device: Option<Device>) -> Self {
        Self { model, weights, texts, device, students: students::all() }
    }

    fn begin(&self, pool: Pool, soft: Option<Soft>, lane: Lane, course: &Course, language: &str) -> Result<Lab> {
        student(self.model.clone(), (&[language.to_owned()], pool), soft, lane, course, self.device.clone())
    }

    /// Every student's files, written untrained: they are as long as trained ones'.
    pub async fn sizes(&self) -> Result<Vec<Sized>> {
        let course = Course { batch: 1, batches: 1, warmup: 0, ..course(1, 0.0) };
        let nothing = vec![0; PASSAGE + 1];
        let mut all = Vec::new();
        for lane in &self.students {
            let pool = pool(&[Reads { tokens: &nothing, labelled: true }], &course, 0)?;
            let languages = [super::text::REMEMBERED.to_owned()];
            let lab = student(self.model.clone(), (&languages, pool), None, lane.clone(), &course, None)?;
            let (half, full) = (files(&lab, 0, Dtype::F16).await?, files(&lab, 0, Dtype::F32).await?);
            all.push(Sized {
                name: students::name(lane),
                parameters: lab.parameter_count(0),
                half: bytes(&half),
                full: bytes(&full),
                peft: half.len() == 2,
            });
        }
        Ok(all)
    }

    pub fn parts(&self, plan: &Plan) -> Result<Parts> {
        Parts::of(&plan.text, &self.texts)
    }

    /// A teacher for a plan: the one before, where that has read the same as long.
    ///
    /// # Errors
    /// Those of `hear`, and of what the text lacks.
    pub async fn teacher(&self, before: Option<Teacher>, plan: &Plan, hear: &impl Hears) -> Result<Teacher> {
        let (read, steps) = (self.parts(plan)?, 2 * plan.steps);
        if let Some(before) = before.filter(|before| before.read == read && before.steps == steps) {
            return Ok(before);
        }
        let begun = clock::now();
        let lane = students::teacher().ok_or_else(|| Error::Missing {
            what: marked!("method"),
            name: tr!("of the teacher"),
            hint: tr!("reload the page"),
        })?;
        let course = course(steps, 0.001);
        let mut lab = self.begin(pool(&read.taught(), &course, 0)?, None, lane, &course, plan.text.language())?;
        train(&mut lab, course.total, &Doing::Teacher, course.total, hear).await?;
        let looked = Looked::new(&read);
        let bounds = Bounds {
            base: lab.bits(None, &looked.held).await?,
            base_english: lab.bits(None, &looked.english).await?,
            teacher: lab.bits(Some(0), &looked.held).await?,
            teacher_english: lab.bits(Some(0), &looked.english).await?,
            seconds: (clock::now() - begun) / 1000.0,
        };
        Ok(Teacher { lab, bounds, read, steps, written: None })
    }

    /// Trains one student in one way, keeps it where the part that chooses is read best, writes its files and reads them again.
    ///
    /// # Errors
    /// Those of `hear`, and of what the text lacks; `Error::DeviceLost`.
    pub async fn run(
        &self,
        teacher: &mut Teacher,
        plan: &Plan,
        (id, student, way): (usize, usize, Way),
        hear: &impl Hears,
    ) -> Result<(Run, Files)> {
        let parts = self.parts(plan)?;
        let looked = Looked::new(&parts);
        let lane = self.students.get(student).cloned().ok_or_else(|| Error::Missing {
            what: marked!("student"),
            name: student.to_string(),
            hint: tr!("they are numbered 0 to {}", self.students.len() - 1),
        })?;
        let name = students::name(&lane);
        let course = course(plan.steps, 0.01);
        let read = self.reads(teacher, plan, way, &course, hear).await?;
        let soft = match way.is_distilled() {
            false => None,
            true => {
                let tell = async |done, of| hear(Doing::Expecting, done, of).await;
                let logits = teacher.lab.taught(0, &read.0, tell).await?;
                Some(Soft { logits: logits.into(), temperature: plan.temperature, mix: plan.mix })
            }
        };
        let begun = clock::now();
        let mut lab = self.begin(read, soft, lane, &course, plan.text.language())?;
        let (mut best, mut kept) = (f64::INFINITY, None);
        for share in LOOKED_AT {
            let steps = ((course.total as f64 * share) as usize).max(1);
            train(&mut lab, steps, &Doing::Training { student, way }, course.total, hear).await?;
            let chooses = lab.bits(Some(0), &looked.chooses).await?;
            if chooses < best {
                best = chooses;
                kept = Some((lab.step() - 1, lab.parameters().await?.swap_remove(0)));
            }
        }
        let Some((kept, parameters)) = kept else {
            let (expected, got) = (tr!("a loss that is a number"), tr!("none; take fewer steps"));
            return Err(Error::Data { what: name, expected, got });
        };
        lab.put(0, &parameters)?;
        let seconds = (clock::now() - begun) / 1000.0;
        let mut files = files(&lab, 0, dtype(plan.half)).await?;
        let script = loader(&lab, 0);
        let (bits, english) = (lab.bits(Some(0), &looked.held).await?, lab.bits(Some(0), &looked.english).await?);
        let memory = lab.bytes();
        drop(lab);
        let own = (self.model.clone(), &self.weights);
        let mut reader = reread(&files, own, (BATCH, PASSAGE), self.device.clone()).await?;
        let run = Run {
            id,
            student,
            name,
            way,
            unlabelled: if way == Way::Distilled { plan.unlabelled } else { Unlabelled::None },
            temperature: plan.temperature,
            mix: plan.mix,
            kept,
            steps: plan.steps,
            bits,
            english,
            bounds: teacher.bounds,
            bytes: bytes(&files),
            files: files.iter().map(|(name, bytes)| (name.clone(), bytes.len())).collect(),
            reread: reader.bits(&looked.held).await?,
            seconds,
            memory,
            script: script.is_some(),
        };
        // The same for every file of its method, it is no part of the adapter's bytes.
        files.extend(script);
        Ok((run, files))
    }

    /// What a student reads.
    async fn reads(
        &self,
        teacher: &mut Teacher,
        plan: &Plan,
        way: Way,
        course: &Course,
        hear: &impl Hears,
    ) -> Result<Pool> {
        let parts = teacher.read.clone();
        let own = Reads { tokens: &parts.own, labelled: true };
        let unlabelled = match (way, plan.unlabelled) {
            (Way::Plain, _) | (Way::Distilled, Unlabelled::None) => None,
            (Way::All | Way::AllDistilled, _) => return pool(&parts.taught(), course, 0),
            (Way::Distilled, Unlabelled::Written) => {
                if teacher.written.is_none() {
                    let tell = async |done, of| hear(Doing::Writing, done, of).await;
                    teacher.written = Some(teacher.lab.written(0, WRITTEN, SEED, tell).await?);
                }
                teacher.written.as_deref()
            }
            (Way::Distilled, Unlabelled::Public) => Some(&parts.public[..]).filter(|public| !public.is_empty()),
        };
        let beside = unlabelled.map(|tokens| Reads { tokens, labelled: false });
        pool(&[own].into_iter().chain(beside).collect::<Vec<_>>(), course, 0)
    }
}

/// Trains up to this many steps, in slices between which `hear` is told of them, of so many.
async fn train(lab: &mut Lab, until: usize, doing: &Doing, of: usize, hear: &impl Hears) -> Result<()> {
    while lab.step() < until {
        hear(doing.clone(), lab.step(), of).await?;
        lab.train((until - lab.step()).min(lab.pace())).await?;
    }
    hear(doing.clone(), lab.step(), of).await
}
