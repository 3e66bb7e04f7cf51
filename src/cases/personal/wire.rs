//! What the page and the personal model's worker say to each other, as plain data.

use serde::{Deserialize, Serialize};

use super::text::Chosen;

/// From the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// Fetch base and texts, and write every student's file untrained, to measure it; `None`: train on the GPU unless it is one in
    /// software.
    Load { webgpu: Option<bool> },
    /// Train these students, one after the other; what is being trained is given up for it.
    Train { number: u32, plan: Plan },
    /// Give up what is being trained.
    Stop,
    /// Give a run's files.
    Save { run: usize },
}

/// How a student is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// On the own text.
    Plain,
    /// Against the teacher's expectations of what is read.
    Distilled,
    /// On the own text and all of the public one.
    All,
    /// Against the teacher's expectations of all of it.
    AllDistilled,
}

impl Way {
    pub const ALL: [Self; 4] = [Self::Plain, Self::Distilled, Self::All, Self::AllDistilled];

    pub fn is_distilled(self) -> bool {
        matches!(self, Self::Distilled | Self::AllDistilled)
    }
}

/// What a distilled student reads beside the own text, for nothing but what the teacher expects there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unlabelled {
    None,
    /// What the teacher wrote.
    Written,
    /// The public text.
    Public,
}

/// What is to be trained, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub text: Chosen,
    /// By their numbers.
    pub students: Vec<usize>,
    pub ways: Vec<Way>,
    pub unlabelled: Unlabelled,
    /// T and λ.
    pub temperature: f64,
    pub mix: f64,
    /// Of a student; the teacher takes twice as many.
    pub steps: usize,
    /// Files are in F16, or else in F32.
    pub half: bool,
}

/// From the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// The worker listens.
    Listening,
    /// What is being fetched or made.
    Preparing(String),
    /// All is there.
    Ready {
        webgpu: bool,
        /// The GPU's name, or why there is none.
        name: String,
        /// Of each student, in their order.
        students: Vec<Sized>,
        milliseconds: f64,
    },
    /// How far the work of that number is.
    At {
        number: u32,
        doing: Doing,
        done: usize,
        of: usize,
    },
    Taught {
        number: u32,
        teacher: Bounds,
    },
    Ran {
        number: u32,
        run: Box<Run>,
    },
    /// All of a number's students are trained, or it was given up.
    Done {
        number: u32,
    },
    /// Files lie beside this: pairs of a name and what it holds.
    Given,
    /// Why an order could not be carried out, in words; the worker takes others.
    Failed {
        number: Option<u32>,
        problem: String,
    },
    /// Why the worker itself is of no more use.
    Crashed(String),
}

/// A student and its files' sizes, from files that were written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sized {
    pub name: String,
    pub parameters: usize,
    /// In F16, and in F32.
    pub half: usize,
    pub full: usize,
    /// PEFT opens them.
    pub peft: bool,
}

impl Sized {
    pub fn bytes(&self, half: bool) -> usize {
        if half { self.half } else { self.full }
    }
}

/// What is being done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Doing {
    /// The teacher reads.
    Teacher,
    /// The teacher writes a text.
    Writing,
    /// What it expects of a text is computed.
    Expecting,
    Training {
        student: usize,
        way: Way,
    },
}

/// Bits per byte of what a run is measured on, before and with a teacher.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Of the held-out text, and of English: the base's.
    pub base: f64,
    pub base_english: f64,
    /// The teacher's, of a model's whole size.
    pub teacher: f64,
    pub teacher_english: f64,
    pub seconds: f64,
}

/// A student trained in one way, as its file came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// By which it is saved.
    pub id: usize,
    pub student: usize,
    pub name: String,
    pub way: Way,
    pub unlabelled: Unlabelled,
    pub temperature: f64,
    pub mix: f64,
    /// Steps at which it is kept, of so many.
    pub kept: usize,
    pub steps: usize,
    /// Bits per byte of the held-out text and of English; the base's of the same are the bounds'.
    pub bits: f64,
    pub english: f64,
    pub bounds: Bounds,
    /// Bytes of the files, by name, and in all.
    pub files: Vec<(String, usize)>,
    pub bytes: usize,
    /// Bits of the held-out text by the files, read again.
    pub reread: f64,
    pub seconds: f64,
    /// Bytes of all buffers while training.
    pub memory: usize,
    /// `load.py` is saved beside the files.
    pub script: bool,
}
