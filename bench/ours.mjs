// This project's engine as a contender, through its JavaScript API. Runs in the page.
import { ADAM, layer } from "./data.mjs";
import { BATCH, SEQUENCE, language } from "./language.mjs";

let engine;

// The task, what it is given, and alpha: rank, for a scaling of 1, as the peers have it; for the language model 2.
async function task({ size, rank }) {
  if (size === "language") {
    const { config, weights, x, y } = await language();
    const data = { model: { config, weights: [weights] }, shape: { batch: BATCH, sequence: SEQUENCE }, x, y };
    return [{ kind: "text", model: "custom" }, data, 2 * rank];
  }
  const { x, y, weight } = layer(size);
  return [{ kind: "custom" }, { shape: { batch: size, sequence: 1, in: size, out: size }, x, y, baseWeight: weight }, rank];
}

export async function start(backend, settings) {
  const { method, rank, experts } = settings;
  if (!engine) {
    engine = await import("/pkg/lora_playground.js");
    await engine.default();
  }
  const [kind, data, alpha] = await task(settings);
  const lane = method === "lora" ? { method, rank, alpha } : { method, experts, rank, alpha };
  const lab = await engine.Lab.create(
    {
      version: 1,
      backend,
      task: kind,
      lanes: [lane],
      optimizer: { ...ADAM, weight_decay: 0 },
      schedule: { warmup: 0, total: 100000 },
    },
    data,
  );
  return {
    async train(steps) {
      await lab.train(steps);
    },
    async loss() {
      return (await lab.losses(0)).at(-1);
    },
    async firstLoss() {
      return (await lab.losses(0))[0];
    },
    stop: () => lab.free(),
  };
}
