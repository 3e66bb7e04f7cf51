// Language models through the package, on both backends: PyTorch's logits, gates, gradients and losses of every step;
// models as people bring them against transformers and PEFT; what text costs, and text that a lane writes; refusals that
// name what is wrong.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { openLab } from "./lab.mjs";
import { readSafetensors } from "./safetensors.mjs";

const FOLDER = "tests/fixtures/lm";
const REFERENCE = JSON.parse(readFileSync(`${FOLDER}/losses.json`, "utf8"));
const tokens = ({ data }) => Array.from(data);

/** Text of a model's config, and its files in base64. */
function model(folder) {
  const weights = readdirSync(folder).filter((name) => name.endsWith(".safetensors")).sort();
  return {
    config: JSON.parse(readFileSync(`${folder}/config.json`, "utf8")),
    weights: weights.map((name) => readFileSync(`${folder}/${name}`).toString("base64")),
  };
}

// In the page: opens a lab on a model and a batch, as `window.lab`.
async function open({ config, model, shape, x, y }) {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  window.lab?.free();
  window.lab = await Lab.create(config, {
    model: { ...model, weights: model.weights.map((one) => new Blob([bytes(one)])) },
    shape,
    x: Int32Array.from(x),
    y: Int32Array.from(y),
  });
  return window.lab.backend;
}

function near(actual, expected, allowed, what) {
  assert.equal(actual.length, expected.length, `${what}: number of values`);
  for (let i = 0; i < expected.length; i++) {
    const off = Math.abs(actual[i] - expected[i]);
    // Written so that NaN fails.
    assert.ok(off <= allowed(Math.abs(expected[i])), `${what}[${i}]: ${actual[i]}, reference ${expected[i]}, off by ${off}`);
  }
}

const within = (absolute, relative = 0) => (size) => absolute + relative * size;

describe("language models", () => {
  let opened;
  let page;
  before(async () => {
    opened = await openLab();
    page = opened.page;
  });
  after(() => opened?.close());

  for (const backend of ["webgpu", "cpu"]) {
    for (const [name, { parameters, losses, ...lane }] of Object.entries(REFERENCE.methods)) {
      it(`${name} follows PyTorch on ${backend}`, async () => {
        const forward = await readSafetensors(`${FOLDER}/forward.safetensors`);
        const stored = await readSafetensors(`${FOLDER}/${name}.safetensors`);
        const { lr, warmup, total } = REFERENCE;
        const config = { version: 1, backend, task: { kind: "text", model: "custom" }, lanes: [lane], optimizer: { lr }, schedule: { warmup, total } };
        const [batch, sequence] = forward.x.shape;
        assert.equal(await page.evaluate(open, { config, model: model(`${FOLDER}/base`), shape: { batch, sequence }, x: tokens(forward.x), y: tokens(forward.y) }), backend);

        const of = (prefix) => Object.keys(stored).filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
        const start = of("start.").map((key) => [key, Array.from(stored[`start.${key}`].data)]);
        const grads = of("grad.");
        const gates = of("gate.").filter((key) => key.endsWith("_proj"));
        const got = await page.evaluate(async ({ start, grads, gates, steps }) => {
          for (const [key, values] of start) await lab.setTensor(0, key, Float32Array.from(values));
          const read = async (key) => Array.from(await lab.tensor(0, key));
          const all = async (names, tensor) => Object.fromEntries(await Promise.all(names.map(async (key) => [key, await read(tensor(key))])));
          const logits = await read("output");
          const read_gates = await all(gates, (key) => `${key}.gate`);
          const read_grads = await all(grads, (key) => key.replace("_proj.", "_proj.grad."));
          await lab.train(steps);
          const ends = await all(start.map(([key]) => key), (key) => key);
          return { logits, gates: read_gates, grads: read_grads, ends, losses: Array.from(await lab.losses(0)), parameters: lab.parameterCount(0) };
        }, { start, grads, gates, steps: losses.length });

        assert.equal(got.parameters, parameters);
        const values = (key) => Array.from(stored[key].data);
        near(got.logits, values("logits"), within(1e-4, 1e-4), "logits");
        for (const key of gates) near(got.gates[key], values(`gate.${key}`), within(1e-4), `gate of ${key}`);
        for (const key of grads) near(got.grads[key], values(`grad.${key}`), within(1e-5, 1e-3), `gradient of ${key}`);
        near(got.losses, losses, within(0, 1e-4), "loss");
        for (const [key] of start) near(got.ends[key], values(`end.${key}`), within(1e-3, 1e-3), `end of ${key}`);
      });
    }

    // The third kind is held against the reference natively, where its rounded frequencies can be had (tests/language_model.rs).
    for (const name of ["llama_gqa", "qwen2_bias_sharded"]) {
      it(`${name} as people bring it on ${backend}`, async () => {
        const folder = `${FOLDER}/own/${name}`;
        const expected = JSON.parse(readFileSync(`${folder}/expected.json`, "utf8"));
        const adapter = JSON.parse(readFileSync(`${folder}/adapter/adapter_config.json`, "utf8"));
        const stored = await readSafetensors(`${folder}/adapter/adapter_model.safetensors`);
        const lane = { method: "lora", rank: adapter.r, alpha: adapter.lora_alpha, targets: adapter.target_modules };
        const config = { version: 1, backend, task: { kind: "text", model: "custom" }, lanes: [lane] };
        const ids = expected.ids;
        await page.evaluate(open, { config, model: model(folder), shape: { batch: 1, sequence: ids.length }, x: ids, y: [...ids.slice(1), -1] });
        const parts = Object.entries(stored).map(([key, { data }]) => [key.slice("base_model.model.".length, -".weight".length), Array.from(data)]);
        const [plain, adapted] = await page.evaluate(async (parts) => {
          const read = async () => Array.from(await lab.tensor(0, "output"));
          const before = await read();
          for (const [key, values] of parts) await lab.setTensor(0, key, Float32Array.from(values));
          return [before, await read()];
        }, parts);
        const vocabulary = expected["logits of the last token"].length;
        near(plain.slice(-vocabulary), expected["logits of the last token"], within(1e-3), "plain");
        near(adapted.slice(-vocabulary), expected["with adapter"], within(1e-3), "with the adapter");
      });
    }
  }

  it("scores text, writes text and saves on the small model", async () => {
    const got = await page.evaluate(async () => {
      const lab = await Lab.create({ version: 1, backend: "cpu", task: { kind: "text", batch: 2 }, lanes: [{ method: "lora", lr: 0.01 }, { method: "mor1e", gate: "running" }] });
      const text = "Alle Menschen sind frei und gleich an Würde und Rechten geboren, und das ist mehr als eine Passage lang.";
      const base = await lab.bits(-1, text);
      const before = await lab.bits(0, text);
      await lab.train(2);
      const after = await lab.bits(0, text);
      const write = async (lane) => {
        let written = "";
        for await (const part of lab.generate(lane, "Jeder hat das Recht", { tokens: 12, temperature: 0.8, topP: 0.9, seed: 3 })) written += part;
        return written;
      };
      const saved = await lab.save(0);
      const opened = await Adapter.open({ adapter: saved.adapter, config: saved.config });
      const refused = await lab.save(1).then(() => null, (error) => error.message);
      const merged = await lab.mergedModel(0);
      const merges = await lab.merges(1, "meanPerDomain");
      const each = await Promise.all(merges.map(async ({ domain, adapter, config, loss, routed }) => {
        return [domain, (await Adapter.open({ adapter, config })).modules().length, JSON.parse(config).r, Math.abs(loss - routed) < 1];
      }));
      const unknown = await lab.merges(1, "best").then(() => null, (error) => error.message);
      return {
        bytes: new TextEncoder().encode(text).length, base: base.total, before: before.total, after: after.total,
        perToken: base.perToken.length, sum: base.perToken.reduce((a, b) => a + b, 0),
        written: [await write(0), await write(0), await write(-1)], modules: opened.modules().length, refused, merged: merged.length, each, unknown,
      };
    });
    assert.equal(got.perToken, got.bytes);
    assert.ok(Math.abs(got.sum - got.base) < 1e-2);
    assert.ok(Math.abs(got.base - got.before) < 1e-3, "a lane begins as the base");
    assert.notEqual(got.before, got.after);
    assert.ok(got.base / got.bytes > 2 && got.base / got.bytes < 8, `${got.base / got.bytes} bits per byte`);
    assert.equal(got.written[0], got.written[1], "the same seed writes the same");
    assert.ok(got.written.every((text) => text.length > 0));
    assert.equal(got.modules, 28);
    assert.match(got.refused, /MoR1E/);
    assert.ok(got.merged > 4 * 460_000);
    assert.deepEqual(got.each.map(([, ...rest]) => rest), [1, 2, 3, 4].map(() => [28, 8, true]), "a LoRA of all experts for each language");
    assert.equal(new Set(got.each.map(([domain]) => domain)).size, 4);
    assert.match(got.unknown, /"best"/);
  });

  it("cuts text by a model's own tokenizer", async () => {
    const folder = `${FOLDER}/own/llama_gqa`;
    const { decoded, ids } = JSON.parse(readFileSync(`${folder}/expected.json`, "utf8"));
    const tokenizer = JSON.parse(readFileSync(`${folder}/tokenizer.json`, "utf8"));
    const config = { version: 1, backend: "cpu", task: { kind: "text", model: "custom", batch: 1, sequence: ids.length }, lanes: [{ method: "lora" }] };
    await page.evaluate(open, { config, model: model(folder), shape: { batch: 1, sequence: ids.length }, x: [0, ...ids.slice(0, -1)], y: ids });
    const got = await page.evaluate(async ({ config, model, tokenizer, decoded }) => {
      const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      await lab.train(1);
      const nats = (await lab.losses(0))[0];
      const given = { ...model, weights: model.weights.map(bytes), tokenizer };
      const texts = { train: { a: decoded + decoded } };
      const own = await Lab.create(config, { model: given, texts });
      const bits = await own.bits(-1, decoded);
      let written = "";
      for await (const part of own.generate(-1, decoded, { tokens: 8, temperature: 0 })) written += part;
      await own.train(2);
      const broken = { ...tokenizer, model: { ...tokenizer.model, type: "Unigram" } };
      const refused = await Lab.create(config, { model: { ...given, tokenizer: broken }, texts }).then(() => "accepted", (error) => error.message);
      const short = await Lab.create(config, { model: given, texts: { train: { a: "short" } } }).then(() => "accepted", (error) => error.message);
      own.free();
      return { nats, total: bits.total, tokens: bits.perToken.length, written, refused, short };
    }, { config, model: model(folder), tokenizer, decoded });
    assert.equal(got.tokens, ids.length);
    near([got.total], [(got.nats * ids.length) / Math.LN2], within(0, 1e-4), "bits");
    assert.ok(got.written.length > 0);
    assert.match(got.refused, /tokenizer\.json.*Unigram/);
    assert.match(got.short, /text "a".*40/);
  });

  const lanes = [{ method: "lora" }];
  const text = { kind: "text", model: "custom" };
  const small = () => ({ config: { version: 1, backend: "cpu", task: text, lanes }, model: model(`${FOLDER}/base`), shape: { batch: 1, sequence: 4 }, x: [0, 1, 2, 3], y: [1, 2, 3, 4] });
  const REFUSED = {
    "a pooled gate": [(o) => (o.config.lanes = [{ method: "mor1e" }]), /gate.*pooled.*predicted/],
    "a language that is none": [(o) => (o.config.task = { kind: "text", languages: ["xyz"] }), /languages\[0\].*xyz/],
    "targets on another task": [(o) => (o.config = { version: 1, lanes: [{ method: "lora", targets: ["q_proj"] }] }), /targets/],
    "a token outside the vocabulary": [(o) => (o.x[2] = 256), /x\[2\].*255.*256/],
    "a target outside it": [(o) => (o.y[1] = -2), /y\[1\].*-2/],
    "arrays that do not fit": [(o) => o.x.pop(), /x: expected 1 × 4 = 4.*3/],
    "a sequence beyond the model's positions": [(o) => (o.shape.sequence = 33), /max_position_embeddings, 32.*33/],
    "another kind of model": [(o) => (o.model.config.model_type = "mistral"), /mistral/],
    "a missing tensor": [(o) => (o.model.config.num_hidden_layers = 3), /model\.layers\.2/],
    "a wrong shape": [(o) => (o.model.config.intermediate_size = 72), /gate_proj.*72|72.*gate_proj/],
    "a file that is none": [(o) => (o.model.weights = [Buffer.from("nothing").toString("base64")]), /weights\[0\]/],
    "no layer of that number": [(o) => (o.config.lanes = [{ method: "lora", layers: [2] }]), /layers.*2/],
  };
  for (const [what, [change, message]] of Object.entries(REFUSED)) {
    it(`refuses ${what}, and the lab before it goes on`, async () => {
      await page.evaluate(open, small());
      const bad = small();
      change(bad);
      const got = await page.evaluate(async ({ config, model, shape, x, y }) => {
        const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
        const custom = config.task?.model === "custom";
        const data = custom ? { model: { ...model, weights: model.weights.map(bytes) }, shape, x: Int32Array.from(x), y: Int32Array.from(y) } : undefined;
        const refusal = await Lab.create(config, data).then(() => "accepted", (error) => error.message);
        await lab.train(1);
        return [refusal, lab.step];
      }, bad);
      assert.match(got[0], message);
      assert.equal(got[1], 1);
    });
  }

  it("refuses weights that are not numbers", async () => {
    const bad = small();
    const bytes = Buffer.from(bad.model.weights[0], "base64");
    bytes.writeFloatLE(NaN, bytes.length - 8);
    bad.model.weights = [bytes.toString("base64")];
    await assert.rejects(page.evaluate(open, bad), /NaN/);
  });
});
