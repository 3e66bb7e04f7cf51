// A model of given dimensions with random weights in BF16, as a folder that a visitor could open: config.json, the tokenizer of a
// small fixture, safetensors in one file or in shards. What it says is noise; what matters is its size.
import { closeSync, copyFileSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

// SmolLM-135M's.
export const SMOLLM = { layers: 30, hidden: 576, heads: 9, kvHeads: 3, intermediate: 1536, vocabulary: 49152, positions: 2048 };

function tensors({ layers, hidden, heads, kvHeads, intermediate, vocabulary }) {
  const keys = (hidden / heads) * kvHeads;
  const block = (n) => Object.entries({
    "self_attn.q_proj": [hidden, hidden], "self_attn.k_proj": [keys, hidden], "self_attn.v_proj": [keys, hidden], "self_attn.o_proj": [hidden, hidden],
    "mlp.gate_proj": [intermediate, hidden], "mlp.up_proj": [intermediate, hidden], "mlp.down_proj": [hidden, intermediate],
    input_layernorm: [hidden], post_attention_layernorm: [hidden],
  }).map(([name, shape]) => [`model.layers.${n}.${name}.weight`, shape]);
  return [["model.embed_tokens.weight", [vocabulary, hidden]], ...Array.from({ length: layers }, (_, n) => block(n)).flat(), ["model.norm.weight", [hidden]]];
}

const count = (shape) => shape.reduce((a, b) => a * b, 1);

// Norms are 1, other weights between 1/64 and 1/32 in size, of either sign.
let seed = 1;
function values([name, shape]) {
  const out = new Uint16Array(count(shape));
  if (name.endsWith("norm.weight")) return Buffer.from(out.fill(0x3f80).buffer);
  for (let i = 0; i < out.length; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    out[i] = ((seed >>> 16) & 0x8000) | (121 << 7) | ((seed >>> 24) & 0x7f);
  }
  return Buffer.from(out.buffer);
}

function write(path, all) {
  let at = 0;
  const header = Object.fromEntries(all.map(([name, shape]) => [name, { dtype: "BF16", shape, data_offsets: [at, (at += 2 * count(shape))] }]));
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = openSync(path, "w");
  for (const part of [length, text]) writeSync(file, part);
  for (const one of all) writeSync(file, values(one));
  closeSync(file);
}

// Writes the folder, and gives its files and its parameters.
export function writeModel(folder, dimensions, shards = 1) {
  mkdirSync(folder, { recursive: true });
  const all = tensors(dimensions);
  const each = Math.ceil(all.length / shards);
  const parts = Array.from({ length: shards }, (_, k) => all.slice(k * each, (k + 1) * each));
  const name = (k) => (shards === 1 ? "model.safetensors" : `model-${String(k + 1).padStart(5, "0")}-of-${String(shards).padStart(5, "0")}.safetensors`);
  parts.forEach((part, k) => write(join(folder, name(k)), part));
  const files = ["config.json", "tokenizer.json", ...parts.map((_, k) => name(k))];
  if (shards > 1) {
    files.push("model.safetensors.index.json");
    const weight_map = Object.fromEntries(parts.flatMap((part, k) => part.map(([tensor]) => [tensor, name(k)])));
    writeFileSync(join(folder, files.at(-1)), JSON.stringify({ metadata: {}, weight_map }));
  }
  const { layers, hidden, heads, kvHeads, intermediate, vocabulary, positions } = dimensions;
  writeFileSync(join(folder, "config.json"), JSON.stringify({
    architectures: ["LlamaForCausalLM"], model_type: "llama", hidden_act: "silu", hidden_size: hidden, intermediate_size: intermediate,
    num_hidden_layers: layers, num_attention_heads: heads, num_key_value_heads: kvHeads, vocab_size: vocabulary, max_position_embeddings: positions,
    rms_norm_eps: 1e-5, rope_theta: 10000, tie_word_embeddings: true, torch_dtype: "bfloat16",
  }));
  copyFileSync("tests/fixtures/lm/own/llama_bf16/tokenizer.json", join(folder, "tokenizer.json"));
  return { files: files.map((file) => join(folder, file)), parameters: all.reduce((sum, [, shape]) => sum + count(shape), 0) };
}
