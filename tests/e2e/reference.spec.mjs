// The package reproduces PyTorch's float64 trajectories, on both backends: losses of every step, gradients, output and
// gates of the first, and the final parameters.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { openLab } from "./lab.mjs";
import { readSafetensors } from "./safetensors.mjs";

// The methods, and their variants.
const CASES = ["steps", "variants"].flatMap((folder) => {
  const dir = `tests/fixtures/${folder}`;
  return readdirSync(dir).filter((name) => name.endsWith(".json")).map((name) => `${dir}/${name.slice(0, -5)}`);
});

function laneOf({ method, config }) {
  const { pool, balance, ...lane } = { method, ...config };
  // A MoR1E expert's rank is one by definition, and not a setting.
  if (method === "mor1e") {
    delete lane.rank;
    if (pool !== undefined) lane.gate = pool ? "pooled" : "token";
  }
  if (balance) lane.balance = { kind: balance[0], coefficient: balance[1] };
  return lane;
}

function configOf(reference, backend) {
  const { lr, betas, eps, weight_decay } = reference.optimizer;
  return {
    version: 1,
    backend,
    task: { kind: "custom" },
    lanes: [laneOf(reference)],
    optimizer: { lr, beta1: betas[0], beta2: betas[1], eps, weight_decay },
    schedule: { warmup: reference.schedule.warmup_steps, total: reference.schedule.total_steps },
  };
}

function withPrefix(tensors, prefix) {
  const named = Object.entries(tensors).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(named.map(([name, { data }]) => [name.slice(prefix.length), Array.from(data)]));
}

// In the page: the whole trajectory, returned as plain arrays.
async function trajectory({ config, data, init, names, trained, steps, gated }) {
  const floats = (values) => values && new Float32Array(values);
  const lab = await Lab.create(config, {
    shape: data.shape,
    x: floats(data.x),
    y: floats(data.y),
    baseWeight: floats(data.baseWeight),
    baseBias: floats(data.baseBias),
  });
  for (const name of names) await lab.setTensor(0, `layers.0.${name}`, floats(init[name]));
  const read = async (name) => Array.from(await lab.tensor(0, name));
  const readAll = async (prefix) => {
    const all = {};
    for (const name of prefix ? trained : names) all[name] = await read(`layers.0.${prefix}${name}`);
    return all;
  };
  await lab.train(1);
  // The output is computed anew, and its gates with it.
  const gate = gated ? await read("layers.0.gate") : null;
  const first = { grads: await readAll("grad."), gate, output: await read("output") };
  await lab.train(steps - 1);
  const result = {
    ...first,
    losses: Array.from(await lab.losses(0)),
    finals: await readAll(""),
    backend: lab.backend,
    step: lab.step,
    listed: lab.tensors(0),
    parameters: lab.parameterCount(0),
  };
  lab.free();
  return result;
}

function near(actual, expected, allowed, what) {
  assert.equal(actual.length, expected.length, `${what}: number of values`);
  for (let i = 0; i < expected.length; i++) {
    const off = Math.abs(actual[i] - expected[i]);
    // Written so that NaN fails.
    assert.ok(off <= allowed(expected[i]), `${what}[${i}]: ${actual[i]}, reference ${expected[i]}, off by ${off}`);
  }
}

const relative = (share) => (reference) => share * Math.abs(reference);
const gradient = (reference) => 1e-5 + 1e-4 * Math.abs(reference);
const either = (reference) => Math.max(1e-3 * Math.abs(reference), 1e-5);

describe("the package against PyTorch", () => {
  let lab;
  before(async () => (lab = await openLab()));
  after(() => lab?.close());

  for (const backend of ["webgpu", "cpu"]) {
    for (const path of CASES) {
      it(`${path.split("/").pop()} on ${backend}`, async () => {
        const reference = JSON.parse(readFileSync(`${path}.json`, "utf8"));
        const tensors = await readSafetensors(`${path}.safetensors`);
        const values = (key) => Array.from(tensors[key].data);
        const init = withPrefix(tensors, "init.");
        const names = Object.keys(init);
        // Prototypes are given, and nothing trains them.
        const trained = names.filter((name) => `grad1.${name}` in tensors);
        const steps = reference.losses_before_each_step.length;
        const gated = "gate.step1" in tensors;

        const got = await lab.page.evaluate(trajectory, {
          config: configOf(reference, backend),
          data: { shape: reference.shape, x: values("x"), y: values("y"), baseWeight: values("base.weight"), baseBias: values("base.bias") },
          init,
          names,
          trained,
          steps,
          gated,
        });

        assert.equal(got.backend, backend);
        assert.equal(got.step, steps);
        near(got.losses, reference.losses_before_each_step, relative(1e-4), "loss");
        // Where a step draws noise or ranks, the output at rest is another.
        if ("output.step1" in tensors) near(got.output, values("output.step1"), either, "output of step 1");
        if (gated) near(got.gate, values("gate.step1"), either, "gate of step 1");
        const grads = withPrefix(tensors, "grad1.");
        const finals = withPrefix(tensors, "final.");
        // What has no gradient is given, and stays as it was given.
        assert.deepEqual(names.filter((name) => !trained.includes(name)), names.filter((name) => !(`final.${name}` in tensors)));
        for (const tensor of names) {
          if (trained.includes(tensor)) {
            near(got.grads[tensor], grads[tensor], gradient, `gradient of ${tensor}`);
            near(got.finals[tensor], finals[tensor], either, `final ${tensor}`);
          } else assert.deepEqual(got.finals[tensor], init[tensor], `${tensor} was trained`);
          const listed = got.listed.find((entry) => entry.name === `layers.0.${tensor}`);
          assert.deepEqual(listed?.shape, tensors[`init.${tensor}`].shape, `shape of ${tensor}`);
        }
        const size = trained.reduce((sum, tensor) => sum + init[tensor].length, 0);
        assert.equal(got.parameters, size, "parameterCount");
      });
    }
  }
});
