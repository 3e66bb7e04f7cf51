//! Shaders of a transformer's operations against their twins, each alone and in shapes that networks seldom have: heads that
//! are no multiple of four wide, sequences that end where no tile does, padding of every kind. What a kernel is to write
//! holds other numbers before.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::cell::RefCell;

use common::lanes::cases;
use common::{assert_close, on};
use lora_playground::config::Optimizer;
use lora_playground::exec::Recording;
use lora_playground::exec::gpu::{Device, Gpu};
use lora_playground::graph::{Access, Bound, Buffer, Kernel, Pass, Place, Step, Target, Typed, Uniform};
use lora_playground::net::{CompiledLane, Shared, compile};
use lora_playground::op::attention_continued::ATTENTION_CONTINUED;
use lora_playground::op::cross_entropy::CROSS_ENTROPY;
use lora_playground::op::distil::DISTIL;
use lora_playground::op::embedding::{EMBEDDING, EMBEDDING_BACKWARD};
use lora_playground::op::mean::MEAN;
use lora_playground::op::rms_norm::{RMS_NORM, RMS_NORM_BACKWARD};
use lora_playground::op::rotate::ROTATE;
use lora_playground::op::running_mean::{RUNNING_MEAN, RUNNING_MEAN_BACKWARD, RUNNING_MEAN_CONTINUED};
use lora_playground::op::swiglu::{SWIGLU, SWIGLU_BACKWARD};
use lora_playground::op::{
    attention, attention_continued, cross_entropy, distil, embedding, mean, pad, rms_norm, rotate, running_mean, swiglu,
};
use lora_playground::rng::Rng;
use pollster::block_on;

/// First row of the step's batch, where an input is the pool.
const ROW: usize = 8;

/// Both ways to run a kernel.
struct Bench {
    gpu: Gpu,
    lane: CompiledLane,
    rng: Rng,
}

impl Bench {
    fn new(device: Device) -> Self {
        let (_, task, lane) = cases().swap_remove(0);
        let lane = CompiledLane {
            train: vec![],
            output: vec![],
            constants: vec![],
            ..compile(&task, &lane, &Optimizer::default())
        };
        let shared = Shared { buffers: vec![], tokens: 0, real_tokens: 0, batches: 0 };
        Self { gpu: Gpu::new(device, shared), lane, rng: Rng::new(3, 4) }
    }

    fn values(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.rng.uniform(-1.0, 1.0) as f32).collect()
    }

    /// `rows × cols` of numbers in a padded buffer of zeros.
    fn matrix(&mut self, rows: usize, cols: usize, padded_rows: usize, width: usize) -> Vec<f32> {
        let mut all = vec![0.0; padded_rows * width];
        for row in all.chunks_exact_mut(width).take(rows) {
            row[..cols].copy_from_slice(&self.values(cols));
        }
        all
    }

    /// What a kernel writes, given its inputs and the lengths of its outputs.
    fn check<D: Uniform>(
        &mut self,
        kernel: &'static Typed<D>,
        dims: D,
        inputs: &[&[f32]],
        lens: &[usize],
    ) -> Vec<Vec<f32>> {
        let row: &'static Kernel = kernel;
        let before: Vec<Vec<f32>> =
            inputs.iter().map(|&v| v.to_vec()).chain(lens.iter().map(|&len| vec![7.0; len])).collect();
        let step = Step { x_row: ROW as u32, ..Default::default() };
        let cells: Vec<_> = before.iter().cloned().map(RefCell::new).collect();
        let bound: Vec<_> = cells.iter().map(Place::Own).collect();
        (row.run)(&step, &dims.words(), &Bound { kernel: row, buffers: &bound });
        let wanted: Vec<Vec<f32>> = cells.into_iter().map(RefCell::into_inner).collect();

        let buffers: Vec<Buffer> = (0..before.len()).map(Buffer::Lane).collect();
        let pass = Pass { kernel: row, dims: dims.words(), buffers: buffers.clone() };
        let names = row.bindings.iter().zip(&before).map(|(&(name, _), v)| (name.to_owned(), v.len())).collect();
        let gpu = &mut self.gpu;
        gpu.set_lane(0, CompiledLane { buffers: names, gradients: vec![pass], ..self.lane.clone() }, &[]).unwrap();
        for (&buffer, values) in buffers.iter().zip(&before) {
            gpu.write(0, buffer, values).unwrap();
        }
        gpu.run(0, Recording::Gradients, step).unwrap();
        let lane: Vec<_> = buffers.iter().map(|&buffer| (0, buffer)).collect();
        let got = block_on(gpu.read(&lane)).unwrap();
        for ((&(name, access), got), wanted) in row.bindings.iter().zip(&got).zip(&wanted) {
            assert_close(&format!("{}: {name}", row.name), &got[..wanted.len()], wanted, 2e-5, 1e-4);
            assert!(access == Access::Read || wanted.iter().all(|&v| v != 7.0), "{}: {name} has gaps", row.name);
        }
        wanted.into_iter().skip(inputs.len()).collect()
    }

    fn attention(&mut self, [sequences, sequence, heads, kv_heads, head_dim]: [usize; 5]) {
        use attention::{ATTENTION, ATTENTION_BACKWARD_KEY, ATTENTION_BACKWARD_QUERY};
        let (real, q_used, kv_used) = (sequences * sequence, heads * head_dim, kv_heads * head_dim);
        let (tokens, q_width, kv_width, heads_width) = (pad(real), pad(q_used), pad(kv_used), pad(heads));
        let dims = attention::Dims {
            tokens: tokens as u32,
            real_tokens: real as u32,
            sequence: sequence as u32,
            heads: heads as u32,
            kv_heads: kv_heads as u32,
            head_dim: head_dim as u32,
            q_width: q_width as u32,
            kv_width: kv_width as u32,
            heads_width: heads_width as u32,
            scale: 1.0 / (head_dim as f32).sqrt(),
        };
        let q = self.matrix(real, q_used, tokens, q_width);
        let k = self.matrix(real, kv_used, tokens, kv_width);
        let v = self.matrix(real, kv_used, tokens, kv_width);
        let d_out = self.matrix(real, q_used, tokens, q_width);
        let (of_q, of_kv, of_heads) = (tokens * q_width, tokens * kv_width, tokens * heads_width);
        let made = self.check(&ATTENTION, dims, &[&q, &k, &v], &[of_q, of_heads]);
        let (out, lse) = (&made[0], &made[1]);
        let made = self.check(&ATTENTION_BACKWARD_QUERY, dims, &[&q, &k, &v, out, &d_out, lse], &[of_q, of_heads]);
        self.check(&ATTENTION_BACKWARD_KEY, dims, &[&q, &k, &v, &d_out, lse, &made[1]], &[of_kv, of_kv]);
    }

    /// Eight tokens more, behind as many positions in a cache.
    fn attention_continued(&mut self, [heads, kv_heads, head_dim]: [usize; 3]) {
        let (q_used, kv_used) = (heads * head_dim, kv_heads * head_dim);
        let (q_width, kv_width) = (pad(q_used), pad(kv_used));
        let dims = attention_continued::Dims {
            tokens: 8,
            heads: heads as u32,
            kv_heads: kv_heads as u32,
            head_dim: head_dim as u32,
            q_width: q_width as u32,
            kv_width: kv_width as u32,
            scale: 1.0 / (head_dim as f32).sqrt(),
        };
        let q = self.matrix(8, q_used, 8, q_width);
        let [k, v] = [(); 2].map(|()| self.matrix(8, kv_used, 8, kv_width));
        let [keys, values] = [(); 2].map(|()| self.matrix(ROW + 8, kv_used, ROW + 8, kv_width));
        self.check(&ATTENTION_CONTINUED, dims, &[&q, &k, &v, &keys, &values], &[8 * q_width]);
    }

    fn all(&mut self) {
        let (tokens, real, width, used) = (24, 21, 40, 36);
        let (tokens32, real32, width32) = (tokens as u32, real as u32, width as u32);

        let ids: Vec<f32> =
            (0..(ROW + tokens) * 8).map(|i| if i % 8 == 0 { (i / 8 % 5) as f32 } else { 9.0 }).collect();
        let table = self.matrix(5, used, 5, width);
        let (change, dy) = (self.matrix(8, used, 8, width), self.matrix(real, used, tokens, width));
        for (ids_batched, trained) in [(0, 0), (1, 0), (1, 1)] {
            let dims = embedding::Dims {
                tokens: tokens32,
                real_tokens: real32,
                ids_width: 8,
                ids_batched,
                width: width32,
                rows: 8,
                trained,
                offset: 0,
            };
            self.check(&EMBEDDING, dims, &[&ids, &table, &change], &[tokens * width]);
            self.check(&EMBEDDING_BACKWARD, dims, &[&ids, &dy], &[8 * width]);
        }

        for (used, width) in [(36, 40), (5, 8), (200, 200)] {
            let dims = rms_norm::Dims { tokens: tokens32, width: width as u32, real_width: used as u32, eps: 1e-5 };
            let x = self.matrix(real, used, tokens, width);
            let dy = self.matrix(real, used, tokens, width);
            let weight = self.matrix(1, used, 1, width);
            self.check(&RMS_NORM, dims, &[&x, &weight], &[tokens * width]);
            self.check(&RMS_NORM_BACKWARD, dims, &[&x, &weight, &dy], &[tokens * width]);
        }

        for (heads, head_dim, continued, direction) in [(3, 6, 0, 1.0), (2, 12, 1, -1.0), (2, 16, 0, 1.0)] {
            let width = pad(heads * head_dim);
            let (table_width, sequence) = (pad(head_dim), 7);
            let dims = rotate::Dims {
                tokens: tokens32,
                width: width as u32,
                heads: heads as u32,
                head_dim: head_dim as u32,
                sequence,
                table_width: table_width as u32,
                continued,
                direction,
            };
            let x = self.matrix(real, heads * head_dim, tokens, width);
            let positions = sequence as usize + continued as usize * ROW;
            let table = self.matrix(positions, head_dim, positions, table_width);
            self.check(&ROTATE, dims, &[&x, &table], &[tokens * width]);
        }

        let elements = 840;
        let dims = swiglu::Dims { elements: elements as u32 };
        let mut gate: Vec<f32> = self.values(elements).iter().map(|v| 6.0 * v).collect();
        (gate[0], gate[1]) = (-200.0, 200.0);
        let (up, d_out) = (self.values(elements), self.values(elements));
        self.check(&SWIGLU, dims, &[&gate, &up], &[elements]);
        self.check(&SWIGLU_BACKWARD, dims, &[&gate, &up, &d_out], &[elements, elements]);

        for (sequence, x_batched) in [(7, 0), (21, 1), (3, 1)] {
            let dims =
                running_mean::Dims { tokens: tokens32, real_tokens: real32, sequence, width: width32, x_batched };
            let pool = self.values((ROW + tokens) * width);
            self.check(&RUNNING_MEAN, dims, &[&pool], &[tokens * width]);
            self.check(&RUNNING_MEAN_BACKWARD, dims, &[&pool], &[tokens * width]);
            let dims = mean::Dims { tokens: tokens32, real_tokens: real32, sequence, width: width32, x_batched };
            self.check(&MEAN, dims, &[&pool], &[tokens * width]);
        }

        let dims = running_mean::Dims { tokens: 8, real_tokens: 8, sequence: 8, width: width32, x_batched: 0 };
        let (x, sums) = (self.values(8 * width), self.values((ROW + 8) * width));
        self.check(&RUNNING_MEAN_CONTINUED, dims, &[&x, &sums], &[8 * width]);

        for (classes, outputs) in [(10, 16), (259, 264), (128, 128)] {
            let dims = cross_entropy::Dims {
                tokens: tokens32,
                outputs: outputs as u32,
                real_tokens: real32,
                real_outputs: classes as u32,
                loss_at: 0,
                counted: 15,
            };
            let y: Vec<f32> = self.matrix(tokens, classes, tokens, outputs).iter().map(|v| 5.0 * v).collect();
            let labels: Vec<f32> =
                (0..ROW + tokens).map(|t| if t % 4 == 1 { -1.0 } else { (t * 7 % classes) as f32 }).collect();
            self.check(&CROSS_ENTROPY, dims, &[&y, &labels], &[tokens * outputs, tokens]);
            let pool = ROW + tokens;
            let aim: Vec<f32> = self.matrix(pool, classes, pool, outputs).iter().map(|v| 5.0 * v).collect();
            for (temperature, mix) in [(1.0, 1.0), (2.0, 0.75), (0.5, 0.25)] {
                let (tokens32, outputs32) = (tokens as u32, outputs as u32);
                let dims = distil::Dims {
                    tokens: tokens32,
                    outputs: outputs32,
                    real_tokens: real32,
                    real_outputs: classes as u32,
                    loss_at: 0,
                    temperature,
                    mix,
                };
                self.check(&DISTIL, dims, &[&y, &aim, &labels], &[tokens * outputs, tokens]);
            }
        }

        for shape in [
            [2, 10, 3, 1, 6],
            [3, 7, 2, 2, 12],
            [1, 70, 4, 2, 24],
            [2, 64, 4, 4, 16],
            [1, 33, 2, 1, 64],
            [1, 9, 1, 1, 128],
            [2, 3, 3, 3, 2],
            [5, 1, 2, 1, 10],
        ] {
            self.attention(shape);
            self.attention_continued([shape[2], shape[3], shape[4]]);
        }
    }
}

#[test]
fn shaders_agree_with_their_twins_as_on_a_gpu() {
    Bench::new(on(Target::Gpu)).all();
}

#[test]
fn shaders_agree_with_their_twins_in_software() {
    Bench::new(on(Target::Software)).all();
}

#[test]
fn shaders_agree_with_their_twins_by_quads() {
    Bench::new(on(Target::Quads)).all();
}
