// A Llama in plain numbers, from its files: the page's readings are held against it, and it against what transformers computed.
import { readFileSync } from "node:fs";

function tensors(path) {
  const file = readFileSync(path);
  const size = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.subarray(8, 8 + size));
  delete header.__metadata__;
  return Object.fromEntries(Object.entries(header).map(([name, { dtype, shape, data_offsets: [from, to] }]) => {
    if (dtype !== "F32") throw new Error(`${name} is ${dtype}`);
    const bytes = file.subarray(8 + size + from, 8 + size + to);
    return [name, { shape, values: Float64Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i)) }];
  }));
}

const times = ({ shape: [rows, width], values }, x) =>
  Array.from({ length: rows }, (_, r) => { let sum = 0; for (let i = 0; i < width; i++) sum += values[r * width + i] * x[i]; return sum; });

// `adapter`: the folder of one that PEFT saved, or nothing.
export function llama(folder, adapter) {
  const config = JSON.parse(readFileSync(`${folder}/config.json`, "utf8"));
  const own = tensors(`${folder}/model.safetensors`);
  const added = adapter && tensors(`${adapter}/adapter_model.safetensors`);
  const { r, lora_alpha } = adapter ? JSON.parse(readFileSync(`${adapter}/adapter_config.json`, "utf8")) : {};
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: width, num_hidden_layers: layers, rms_norm_eps: eps } = config;
  const theta = config.rope_theta ?? config.rope_parameters.rope_theta;
  const linear = (name, x) => {
    const y = times(own[`${name}.weight`], x);
    const [a, b] = ["A", "B"].map((part) => added?.[`base_model.model.${name}.lora_${part}.weight`]);
    return a ? times(b, times(a, x)).map((v, i) => y[i] + (lora_alpha / r) * v) : y;
  };
  const norm = (name, x) => {
    const scale = 1 / Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length + eps);
    return x.map((v, i) => v * scale * own[`${name}.weight`].values[i]);
  };
  const turn = (x, at) => {
    const out = [...x];
    for (let head = 0; head < x.length; head += width) {
      for (let i = 0; i < width / 2; i++) {
        const angle = at * theta ** ((-2 * i) / width);
        const [low, high] = [x[head + i], x[head + i + width / 2]];
        out[head + i] = low * Math.cos(angle) - high * Math.sin(angle);
        out[head + i + width / 2] = high * Math.cos(angle) + low * Math.sin(angle);
      }
    }
    return out;
  };
  const softmax = (z) => { const top = Math.max(...z); const e = z.map((v) => Math.exp(v - top)); const sum = e.reduce((a, b) => a + b); return e.map((v) => v / sum); };
  const add = (a, b) => a.map((v, i) => v + b[i]);
  // Logits at each place.
  const logits = (ids) => {
    const table = own["model.embed_tokens.weight"];
    const hidden = table.shape[1];
    let x = ids.map((id) => [...table.values.subarray(id * hidden, (id + 1) * hidden)]);
    for (let layer = 0; layer < layers; layer++) {
      const at = `model.layers.${layer}`;
      const n = x.map((row) => norm(`${at}.input_layernorm`, row));
      const q = n.map((row, t) => turn(linear(`${at}.self_attn.q_proj`, row), t));
      const k = n.map((row, t) => turn(linear(`${at}.self_attn.k_proj`, row), t));
      const v = n.map((row) => linear(`${at}.self_attn.v_proj`, row));
      const seen = q.map((query, t) => Array.from({ length: heads }, (_, head) => {
        const [from, key] = [head * width, Math.floor(head / (heads / kvHeads)) * width];
        const dot = (s) => { let sum = 0; for (let i = 0; i < width; i++) sum += query[from + i] * k[s][key + i]; return sum / Math.sqrt(width); };
        const shares = softmax(Array.from({ length: t + 1 }, (_, s) => dot(s)));
        return Array.from({ length: width }, (_, i) => shares.reduce((sum, share, s) => sum + share * v[s][key + i], 0));
      }).flat());
      x = x.map((row, t) => add(row, linear(`${at}.self_attn.o_proj`, seen[t])));
      x = x.map((row) => {
        const m = norm(`${at}.post_attention_layernorm`, row);
        const up = linear(`${at}.mlp.up_proj`, m);
        return add(row, linear(`${at}.mlp.down_proj`, linear(`${at}.mlp.gate_proj`, m).map((g, i) => (g / (1 + Math.exp(-g))) * up[i])));
      });
    }
    return x.map((row) => times(own["lm_head.weight"] ?? table, norm("model.norm", row)));
  };
  return { logits, bits: (ids, next) => logits(ids).map((row, t) => -Math.log2(softmax(row)[next[t]])) };
}
