//! Kernels that only variants of the methods need: factors made of what a lane really trains, AdaLoRA's budget, DoRA's
//! weight, the term that keeps experts apart, MoR1E's prototype gate and shared vectors, and AdamW for gradients with more
//! than one part.

pub mod budget;
pub mod dora;
pub mod factors;
pub mod flex;
pub mod orthogonal;
pub mod prototype;

use super::{Bound, Description, Real, Step, adamw, describe as d, wgsl};

#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    Adamw(adamw::Dims),
    Quantise(factors::Dims),
    Truncate(factors::Dims),
    Diagonal(factors::Dims),
    DiagonalBackward(factors::Dims),
    Tile(factors::Dims),
    TileBackward(factors::Dims),
    Importance(budget::Dims),
    Score(budget::Dims),
    Allocate(budget::Dims),
    Dora(dora::Dims),
    DoraBackward(dora::Dims),
    DoraDown(dora::Dims),
    Orthogonal(orthogonal::Dims),
    Prototype(prototype::Dims),
    PrototypeBackward(prototype::Dims),
    Flex(flex::Dims),
    FlexBackward(flex::Dims),
}

impl Op {
    pub fn describe(&self) -> Description {
        match self {
            Self::Adamw(_) => d("adamw", wgsl!("adamw"), "step", adamw::BINDINGS, adamw::Dims::FIELDS),
            Self::Quantise(_) => d("quantise", wgsl!("factors"), "quantise", factors::FORWARD, factors::Dims::FIELDS),
            Self::Truncate(_) => d("truncate", wgsl!("factors"), "truncate", factors::FORWARD, factors::Dims::FIELDS),
            Self::Diagonal(_) => d("diagonal", wgsl!("factors"), "diagonal", factors::FORWARD, factors::Dims::FIELDS),
            Self::DiagonalBackward(_) => {
                d("diagonal_backward", wgsl!("factors"), "diagonal_backward", factors::BACKWARD, factors::Dims::FIELDS)
            }
            Self::Tile(_) => d("tile", wgsl!("factors"), "tile", factors::FORWARD, factors::Dims::FIELDS),
            Self::TileBackward(_) => {
                d("tile_backward", wgsl!("factors"), "tile_backward", factors::BACKWARD, factors::Dims::FIELDS)
            }
            Self::Importance(_) => {
                d("importance", wgsl!("budget"), "importance", budget::IMPORTANCE, budget::Dims::FIELDS)
            }
            Self::Score(_) => d("score", wgsl!("budget"), "score", budget::SCORE, budget::Dims::FIELDS),
            Self::Allocate(_) => d("allocate", wgsl!("budget"), "allocate", budget::ALLOCATE, budget::Dims::FIELDS),
            Self::Dora(_) => d("dora", wgsl!("dora"), "forward", dora::FORWARD, dora::Dims::FIELDS),
            Self::DoraBackward(_) => d("dora_backward", wgsl!("dora"), "backward", dora::BACKWARD, dora::Dims::FIELDS),
            Self::DoraDown(_) => d("dora_down", wgsl!("dora"), "down_backward", dora::DOWN, dora::Dims::FIELDS),
            Self::Orthogonal(_) => {
                d("orthogonal", wgsl!("orthogonal"), "backward", orthogonal::BINDINGS, orthogonal::Dims::FIELDS)
            }
            Self::Prototype(_) => {
                d("prototype", wgsl!("prototype"), "forward", prototype::FORWARD, prototype::Dims::FIELDS)
            }
            Self::PrototypeBackward(_) => {
                d("prototype_backward", wgsl!("prototype"), "backward", prototype::BACKWARD, prototype::Dims::FIELDS)
            }
            Self::Flex(_) => d("flex", wgsl!("flex"), "forward", flex::FORWARD, flex::Dims::FIELDS),
            Self::FlexBackward(_) => d("flex_backward", wgsl!("flex"), "backward", flex::BACKWARD, flex::Dims::FIELDS),
        }
    }

    /// The same pass where nothing is trained.
    pub fn at_rest(self) -> Self {
        match self {
            Self::Truncate(d) => Self::Truncate(factors::Dims { sampled: 0, ..d }),
            op => op,
        }
    }

    pub fn words(&self) -> Vec<u32> {
        match self {
            Self::Adamw(d) => d.words(),
            Self::Quantise(d)
            | Self::Truncate(d)
            | Self::Diagonal(d)
            | Self::DiagonalBackward(d)
            | Self::Tile(d)
            | Self::TileBackward(d) => d.words(),
            Self::Importance(d) | Self::Score(d) | Self::Allocate(d) => d.words(),
            Self::Dora(d) | Self::DoraBackward(d) | Self::DoraDown(d) => d.words(),
            Self::Orthogonal(d) => d.words(),
            Self::Prototype(d) | Self::PrototypeBackward(d) => d.words(),
            Self::Flex(d) | Self::FlexBackward(d) => d.words(),
        }
    }

    pub fn workgroups(&self) -> u32 {
        match self {
            Self::Adamw(d) => d.workgroups(),
            Self::Quantise(d) => d.matrix_workgroups(),
            Self::Truncate(d) | Self::Diagonal(d) | Self::Tile(d) => d.element_workgroups(),
            Self::DiagonalBackward(d) => d.row_workgroups(),
            Self::TileBackward(d) => d.side_workgroups(),
            Self::Importance(d) => d.parameter_workgroups(),
            Self::Score(d) | Self::Allocate(d) => d.direction_workgroups(),
            Self::Dora(d) | Self::DoraBackward(d) => d.real_outputs,
            Self::DoraDown(d) => d.down_workgroups(),
            Self::Orthogonal(d) => d.experts,
            Self::Prototype(d) | Self::PrototypeBackward(d) => d.rows,
            Self::Flex(d) | Self::FlexBackward(d) => d.workgroups(),
        }
    }

    pub fn run<F: Real>(&self, step: &Step, b: &Bound<F>) {
        match self {
            Self::Adamw(d) => adamw::step(step, d, b),
            Self::Quantise(d) => factors::quantise(d, b),
            Self::Truncate(d) => factors::truncate(step, d, b),
            Self::Diagonal(d) => factors::diagonal(d, b),
            Self::DiagonalBackward(d) => factors::diagonal_backward(d, b),
            Self::Tile(d) => factors::tile(d, b),
            Self::TileBackward(d) => factors::tile_backward(d, b),
            Self::Importance(d) => budget::importance(d, b),
            Self::Score(d) => budget::score(d, b),
            Self::Allocate(d) => budget::allocate(step, d, b),
            Self::Dora(d) => dora::forward(d, b),
            Self::DoraBackward(d) => dora::backward(d, b),
            Self::DoraDown(d) => dora::down_backward(d, b),
            Self::Orthogonal(d) => orthogonal::backward(d, b),
            Self::Prototype(d) => prototype::forward(step, d, b),
            Self::PrototypeBackward(d) => prototype::backward(d, b),
            Self::Flex(d) => flex::forward(d, b),
            Self::FlexBackward(d) => flex::backward(d, b),
        }
    }
}
