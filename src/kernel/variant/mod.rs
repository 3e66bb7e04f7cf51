//! Kernels that only variants of the methods need: factors made of what a lane really trains, AdaLoRA's budget, DoRA's
//! weight, the term that keeps experts apart, MoR1E's prototype gate and shared vectors, and AdamW for gradients with more
//! than one part.

pub mod budget;
pub mod dora;
pub mod factors;
pub mod flex;
pub mod orthogonal;
pub mod prototype;
