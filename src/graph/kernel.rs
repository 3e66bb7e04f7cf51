//! A kernel as data: one row for each entry point of a shader, in the file that holds its CPU twin. No list of kernels is
//! kept anywhere: a pass points at its kernel's row, and whoever runs the pass needs nothing else.

use std::borrow::Cow;
use std::cell::{Ref, RefCell, RefMut};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use super::{Buffer, Pass, Step, Update};
use crate::fixed::{Fixed, Stored};

/// Name and text of a shader file, as `build.rs` left it.
macro_rules! wgsl {
    ($file:literal) => {
        ($file, include_str!(concat!(env!("OUT_DIR"), "/", $file, ".wgsl")))
    };
}
pub(crate) use wgsl;

/// What a shader has in place of the functions that read its frozen weight.
const FROZEN: &str = "#import frozen";

/// What a kernel is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Workgroups that fill a GPU's 32 lanes.
    Gpu,
    /// Software, where a workgroup runs on one core: small ones spread over the cores, and need no barrier.
    Software,
    /// Software with subgroups, where the kernels that read most swap what they read among four invocations.
    Quads,
}

impl Target {
    pub const ALL: [Self; 3] = [Self::Gpu, Self::Software, Self::Quads];

    /// Invocations of a workgroup, where a shader leaves that to the device.
    pub fn workgroup(self) -> u32 {
        if self == Self::Gpu { 32 } else { 8 }
    }

    /// The one whose kernels read a frozen weight that is stored so. Forms for quads read 32-bit numbers alone: of any others
    /// LLVM 15, as lavapipe has it, did not come to an end of compiling them.
    pub fn reading(self, stored: Stored) -> Self {
        if self == Self::Quads && stored != Stored::F32 { Self::Software } else { self }
    }

    /// The constant that tells such a shader.
    pub(crate) fn size(self) -> (&'static str, f64) {
        ("SIZE", self.workgroup().into())
    }
}

/// How a kernel binds a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// Dims as the GPU's uniform holds them: one word a field.
pub trait Uniform: Copy + 'static {
    const FIELDS: &'static [&'static str];
    fn words(&self) -> Vec<u32>;
    fn from_words(words: &[u32]) -> Self;
}

/// A value as the GPU's uniform holds it.
pub trait Word {
    fn word(self) -> u32;
    fn from_word(word: u32) -> Self;
}
impl Word for u32 {
    fn word(self) -> u32 {
        self
    }
    fn from_word(word: u32) -> Self {
        word
    }
}
impl Word for f32 {
    fn word(self) -> u32 {
        self.to_bits()
    }
    fn from_word(word: u32) -> Self {
        Self::from_bits(word)
    }
}

/// What is fixed when a pipeline is made: `SIZE`, where workgroups have as many invocations as the device wants, and what
/// decides inside a product's loop.
pub type Constants = Vec<(&'static str, f64)>;

/// One entry point of a shader, with its CPU twin. Made by `kernel!`; what takes dims takes them as words, as the GPU's
/// uniform holds them.
pub struct Kernel {
    /// `<file>.<entry>`.
    pub name: &'static str,
    /// Of the shader, `shaders/<file>.wgsl`, and its text as `build.rs` left it.
    pub file: &'static str,
    pub source: &'static str,
    pub entry: &'static str,
    /// Storage bindings of group 1, from binding 1 on (binding 0 is the dims).
    pub bindings: &'static [(&'static str, Access)],
    /// Fields of the dims, in order.
    pub dims: &'static [&'static str],
    /// Workgroups to dispatch.
    pub workgroups: fn(&[u32], Target) -> u32,
    pub constants: fn(&[u32], Target) -> Constants,
    /// What is run in place of all this, where the kernel has another form for a target.
    pub form: fn(&[u32], Target) -> Option<Form>,
    /// The dims where nothing is trained.
    pub at_rest: fn(&[u32]) -> Vec<u32>,
    /// For a kernel that computes gradients of weights: the one that also applies them.
    pub update: Option<Updating>,
    /// The twin, to train with.
    pub run: fn(&Step, &[u32], &Bound<f32>),
    /// The twin, to check with; browsers have no use for it.
    #[cfg(not(target_arch = "wasm32"))]
    pub check: fn(&Step, &[u32], &Bound<f64>),
}

/// How a pass is dispatched on a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    pub entry: &'static str,
    /// File and text of the shader in place of the kernel's own, of a form that needs subgroups.
    pub quads: Option<(&'static str, &'static str)>,
    pub workgroups: u32,
    pub constants: Constants,
}

/// A kernel that does what another does, and AdamW behind it. It has the other's bindings, by the same names, and `params`
/// and `moments`; `losses` too, if it can gather the step's.
pub struct Updating {
    pub kernel: &'static Kernel,
    pub words: fn(&[u32], &Update) -> Vec<u32>,
    /// How many weights it updates.
    pub elements: fn(&[u32]) -> u32,
}

impl Kernel {
    /// A kernel's row without what most kernels lack.
    pub const fn plain(name: &'static str, file: &'static str, source: &'static str, entry: &'static str) -> Self {
        Self {
            name,
            file,
            source,
            entry,
            bindings: &[],
            dims: &[],
            workgroups: |_, _| 0,
            constants: |_, _| Vec::new(),
            form: |_, _| None,
            at_rest: |words| words.to_vec(),
            update: None,
            run: |_, _, _| {},
            #[cfg(not(target_arch = "wasm32"))]
            check: |_, _, _| {},
        }
    }

    pub fn binds(&self, name: &str) -> bool {
        self.bindings.iter().any(|&(binding, _)| binding == name)
    }

    /// Buffers by name, in the order of the bindings.
    ///
    /// # Panics
    /// If the names are not those of the bindings: a mistake in what is written, found by whatever test runs it first.
    pub fn bind(&self, buffers: &[(&str, Buffer)]) -> Vec<Buffer> {
        let named = |&(binding, _): &(&str, Access)| buffers.iter().find(|&&(name, _)| name == binding);
        let found: Vec<Buffer> = self.bindings.iter().filter_map(named).map(|&(_, buffer)| buffer).collect();
        let complete = found.len() == self.bindings.len() && found.len() == buffers.len();
        assert!(complete, "{} binds {:?}, not {buffers:?}", self.name, self.bindings);
        found
    }

    /// The form for a target.
    pub fn on(&self, words: &[u32], target: Target) -> Form {
        (self.form)(words, target).unwrap_or_else(|| Form {
            entry: self.entry,
            quads: None,
            workgroups: (self.workgroups)(words, target),
            constants: (self.constants)(words, target),
        })
    }

    /// The shader's text for a form, on a frozen weight that is stored so, if it reads one.
    pub fn text(&self, form: &Form, stored: Stored) -> Cow<'static, str> {
        let text = form.quads.map_or(self.source, |(_, quads)| quads);
        let text: Cow<_> = match text.split_once(FROZEN) {
            None => text.into(),
            Some((before, after)) => [before, after, frozen(stored)].concat().into(),
        };
        // Browsers want to be told, and naga does not know the line yet.
        let untold = form.quads.is_some() && cfg!(target_arch = "wasm32");
        if untold { ["enable subgroups;", &text].concat().into() } else { text }
    }

    /// Which of a pass's buffers is a frozen weight, which may be stored in fewer than 32 bits.
    pub fn frozen(&self) -> Option<usize> {
        self.bindings.iter().position(|&(name, _)| name == "w0")
    }
}

/// What reads a frozen weight that is stored so, behind a shader that asks for it.
fn frozen(stored: Stored) -> &'static str {
    match stored {
        Stored::F32 => wgsl!("frozen/f32").1,
        Stored::Bf16 => wgsl!("frozen/bf16").1,
        Stored::F16 => wgsl!("frozen/f16").1,
    }
}

/// The same row: there is one for each kernel.
impl PartialEq for Kernel {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A kernel that knows the type of its dims.
pub struct Typed<D> {
    row: Kernel,
    dims: PhantomData<fn() -> D>,
}

impl<D: Uniform> Typed<D> {
    pub const fn new(row: Kernel) -> Self {
        Self { row, dims: PhantomData }
    }

    /// For other rows to point at.
    pub const fn row(&self) -> &Kernel {
        &self.row
    }

    /// A pass of this kernel, with a buffer for each of its bindings: see [`Kernel::bind`].
    pub fn pass(&'static self, dims: D, buffers: &[(&str, Buffer)]) -> Pass {
        Pass { kernel: &self.row, dims: dims.words(), buffers: self.bind(buffers) }
    }

    /// The dims of a pass, if it is one of this kernel.
    pub fn dims(&self, pass: &Pass) -> Option<D> {
        (*pass.kernel == self.row).then(|| D::from_words(&pass.dims))
    }
}

impl<D> Deref for Typed<D> {
    type Target = Kernel;
    fn deref(&self) -> &Kernel {
        &self.row
    }
}

/// Where a buffer lies on the CPU.
#[derive(Debug)]
pub enum Place<'a, F> {
    Own(&'a RefCell<Vec<F>>),
    /// With others that read it.
    Fixed(&'a Fixed<F>),
}

/// A buffer that is being read.
pub enum Values<'a, F> {
    Own(Ref<'a, Vec<F>>),
    Fixed(&'a [F]),
}

impl<F> Deref for Values<'_, F> {
    type Target = [F];
    fn deref(&self) -> &[F] {
        match self {
            Self::Own(values) => values,
            Self::Fixed(values) => values,
        }
    }
}

/// The buffers of one pass on the CPU, by the names of its kernel's bindings.
pub struct Bound<'a, F> {
    pub kernel: &'static Kernel,
    /// In the order of the bindings.
    pub buffers: &'a [Place<'a, F>],
}

impl<F> Bound<'_, F> {
    /// # Panics
    /// If there is no such binding, or it is being written.
    pub fn read(&self, name: &str) -> Values<'_, F> {
        match self.find(name).0 {
            Place::Own(buffer) => Values::Own(buffer.borrow()),
            Place::Fixed(values) => Values::Fixed(values),
        }
    }

    /// # Panics
    /// If there is no such binding, or it is not for writing, or in use.
    pub fn write(&self, name: &str) -> RefMut<'_, Vec<F>> {
        match self.find(name) {
            (Place::Own(buffer), Access::Write) => buffer.borrow_mut(),
            _ => panic!("{}: {name} is bound to be read", self.kernel.name),
        }
    }

    fn find(&self, name: &str) -> (&Place<'_, F>, Access) {
        match self.kernel.bindings.iter().zip(self.buffers).find(|((binding, _), _)| *binding == name) {
            Some((&(_, access), buffer)) => (buffer, access),
            None => panic!("{}: no {name} in {:?}", self.kernel.name, self.kernel.bindings),
        }
    }
}

/// Declares a kernel's dims once: the Rust struct, and its words and field names for the GPU's uniform, which a test
/// compares with the shader's own struct.
macro_rules! dims {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident : $ty:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct $name { $($(#[$fdoc])* pub $field: $ty),* }
        impl $crate::graph::Uniform for $name {
            const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];
            fn words(&self) -> Vec<u32> {
                vec![$($crate::graph::Word::word(self.$field)),*]
            }
            fn from_words(words: &[u32]) -> Self {
                let mut words = words.iter().copied();
                Self { $($field: $crate::graph::Word::from_word(words.next().unwrap_or_default())),* }
            }
        }
    };
}
pub(crate) use dims;

/// Declares a kernel: its row as a static, named in capitals.
///
/// ```ignore
/// kernel!(
///     /// What it computes.
///     pub static HALVE: Dims = "halve", "forward";   // the entry point `forward` of shaders/halve.wgsl
///     bindings: [x: Read, out: Write],               // group 1, from binding 1 on
///     workgroups: |d, _target| d.elements.div_ceil(64),
///     twin: forward,                                 // fn forward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>)
/// );
/// ```
///
/// Between `workgroups` and `twin` may stand, in this order, `constants`, `form`, `at_rest` and `update`: see [`Kernel`].
macro_rules! kernel {
    (
        $(#[$doc:meta])*
        $vis:vis static $name:ident: $dims:ty = $file:literal, $entry:literal;
        bindings: [$($binding:ident: $access:ident),* $(,)?],
        workgroups: $workgroups:expr,
        $(constants: $constants:expr,)?
        $(form: $form:expr,)?
        $(at_rest: $at_rest:expr,)?
        $(update: $updated:ident of $elements:expr,)?
        twin: $twin:ident $(,)?
    ) => {
        $(#[$doc])*
        $vis static $name: $crate::graph::Typed<$dims> =
            $crate::graph::Typed::new($crate::graph::Kernel {
                bindings: &[$((stringify!($binding), $crate::graph::Access::$access)),*],
                dims: <$dims as $crate::graph::Uniform>::FIELDS,
                workgroups: |words, target| {
                    let workgroups: fn(&$dims, $crate::graph::Target) -> u32 = $workgroups;
                    workgroups(&<$dims as $crate::graph::Uniform>::from_words(words), target)
                },
                $(constants: |words, target| {
                    let constants: fn(&$dims, $crate::graph::Target) -> $crate::graph::Constants = $constants;
                    constants(&<$dims as $crate::graph::Uniform>::from_words(words), target)
                },)?
                $(form: |words, target| {
                    let form: fn(&$dims, $crate::graph::Target) -> Option<$crate::graph::Form> = $form;
                    form(&<$dims as $crate::graph::Uniform>::from_words(words), target)
                },)?
                $(at_rest: |words| {
                    let at_rest: fn($dims) -> $dims = $at_rest;
                    let dims = at_rest(<$dims as $crate::graph::Uniform>::from_words(words));
                    $crate::graph::Uniform::words(&dims)
                },)?
                $(update: Some($crate::graph::Updating {
                    kernel: $updated.row(),
                    words: |words, update| {
                        let dims = <$dims as $crate::graph::Uniform>::from_words(words).with_update(update);
                        $crate::graph::Uniform::words(&dims)
                    },
                    elements: |words| {
                        let elements: fn(&$dims) -> u32 = $elements;
                        elements(&<$dims as $crate::graph::Uniform>::from_words(words))
                    },
                }),)?
                run: |step, words, bound| {
                    $twin::<f32>(step, &<$dims as $crate::graph::Uniform>::from_words(words), bound)
                },
                #[cfg(not(target_arch = "wasm32"))]
                check: |step, words, bound| {
                    $twin::<f64>(step, &<$dims as $crate::graph::Uniform>::from_words(words), bound)
                },
                ..$crate::graph::Kernel::plain(
                    concat!($file, ".", $entry),
                    $file,
                    include_str!(concat!(env!("OUT_DIR"), "/", $file, ".wgsl")),
                    $entry,
                )
            });
    };
}
pub(crate) use kernel;
