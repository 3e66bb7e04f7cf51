// The language model's step as jax-js would have it: one jitted function, attention by its own, frozen weights as [in, out].
import { nn, numpy as np } from "@jax-js/jax";
import { transposed, uniform } from "./data.mjs";
import { BATCH, SEQUENCE, SITES, language, tensors } from "./language.mjs";

const TOKENS = BATCH * SEQUENCE;
const SCALING = 2;

// Frozen weights and data, adapters [in, experts · rank] and [experts · rank, out], and the loss of both.
export async function model({ method, rank, experts }) {
  const { config, weights, x, y } = await language();
  const { hidden_size: width, num_attention_heads: heads, num_hidden_layers: layers, rms_norm_eps: eps, vocab_size: vocabulary } = config;
  const head = width / heads;
  const stored = tensors(weights);
  const columns = method === "lora" ? rank : experts * rank;

  const fixed = {};
  const params = {};
  const table = stored["model.embed_tokens.weight"].values;
  fixed.table = np.array(table).reshape([vocabulary, width]);
  fixed.head = np.array(transposed(table, width)).reshape([width, vocabulary]);
  fixed.norm = np.array(stored["model.norm.weight"].values);
  for (let layer = 0; layer < layers; layer++) {
    const of = (name) => stored[`model.layers.${layer}.${name}.weight`];
    fixed[`${layer}.before`] = np.array(of("input_layernorm").values);
    fixed[`${layer}.after`] = np.array(of("post_attention_layernorm").values);
    SITES.forEach((site, at) => {
      const { shape, values } = of(`${at < 4 ? "self_attn" : "mlp"}.${site}`);
      const [outputs, inputs] = shape;
      const seed = 1 + 2 * (layer * SITES.length + at);
      fixed[`${layer}.${site}`] = np.array(transposed(values, inputs)).reshape([inputs, outputs]);
      params[`${layer}.${site}.A`] = np.array(uniform(inputs * columns, 1 / Math.sqrt(inputs), seed)).reshape([inputs, columns]);
      params[`${layer}.${site}.B`] = np.zeros([columns, outputs]);
      if (method !== "lora") params[`${layer}.${site}.router`] = np.array(uniform(inputs * experts, 0.02, seed + 1)).reshape([inputs, experts]);
    });
  }
  const angles = (of) =>
    np.array(Float32Array.from({ length: (SEQUENCE * head) / 2 }, (_, i) => {
      const [position, pair] = [Math.floor(i / (head / 2)), i % (head / 2)];
      return of(position * (config.rope_theta ?? 10000) ** ((-2 * pair) / head));
    })).reshape([1, SEQUENCE, 1, head / 2]);
  fixed.cos = angles(Math.cos);
  fixed.sin = angles(Math.sin);
  fixed.tokens = np.array(x, { dtype: np.int32 });
  const hits = new Float32Array(TOKENS * vocabulary);
  y.forEach((label, t) => (hits[t * vocabulary + label] = 1));
  fixed.hits = np.array(hits).reshape([TOKENS, vocabulary]);

  const norm = (x, weight) => {
    const mean = np.mean(np.square(x.ref), -1, { keepdims: true });
    return x.div(np.sqrt(mean.add(eps))).mul(weight);
  };
  // Frees x; p and f are the traced trees, each of whose arrays is used once or more.
  const linear = (p, f, name, x) => {
    let h = np.matmul(x.ref, p[`${name}.A`].ref);
    if (method !== "lora") {
      const gate = nn.softmax(np.matmul(x.ref, p[`${name}.router`].ref)).reshape([TOKENS, experts, 1]);
      h = h.reshape([TOKENS, experts, rank]).mul(gate).reshape([TOKENS, columns]);
    }
    return np.matmul(x, f[name].ref).add(np.matmul(h, p[`${name}.B`].ref).mul(SCALING));
  };
  const rotate = (f, x) => {
    const [a, b] = np.split(x, 2, -1);
    const left = a.ref.mul(f.cos.ref).sub(b.ref.mul(f.sin.ref));
    return np.concatenate([left, b.mul(f.cos.ref).add(a.mul(f.sin.ref))], -1);
  };
  const loss = (p, f) => {
    let x = np.take(f.table.ref, f.tokens.ref, 0);
    for (let layer = 0; layer < layers; layer++) {
      const n = norm(x.ref, f[`${layer}.before`].ref);
      const split = (name) => linear(p, f, `${layer}.${name}`, n.ref).reshape([BATCH, SEQUENCE, heads, head]);
      const [q, k, v] = [rotate(f, split("q_proj")), rotate(f, split("k_proj")), split("v_proj")];
      n.dispose();
      const a = nn.dotProductAttention(q, k, v, { isCausal: true }).reshape([TOKENS, width]);
      x = x.add(linear(p, f, `${layer}.o_proj`, a));
      const m = norm(x.ref, f[`${layer}.after`].ref);
      const gate = linear(p, f, `${layer}.gate_proj`, m.ref);
      const product = nn.silu(gate).mul(linear(p, f, `${layer}.up_proj`, m));
      x = x.add(linear(p, f, `${layer}.down_proj`, product));
    }
    const logits = np.matmul(norm(x, f.norm.ref), f.head.ref);
    const value = np.sum(nn.logSoftmax(logits, -1).mul(f.hits.ref)).mul(-1 / TOKENS);
    for (const tree of [p, f]) for (const array of Object.values(tree)) array.dispose();
    return value;
  };
  return { params, fixed, loss };
}
