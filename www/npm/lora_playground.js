// The engine behind guards: what cannot work (before `init()`, after `free()`, an argument of another kind) is refused in
// words, where the engine itself would see a null pointer or take a value for 0. Knows nothing of what the calls do.
import start, { Adapter as EngineAdapter, Lab as EngineLab, initSync as startSync } from "./engine.js";

let ready = false;

/** Loads the engine: from beside this file if nothing else is said, in Node from disk. */
export default async function init(source) {
  const address = new URL("./lora_playground_bg.wasm", import.meta.url);
  // Node fetches nothing from its own disk.
  const disk = source === undefined && address.protocol === "file:" && globalThis.process?.getBuiltinModule?.("node:fs/promises");
  const exports = await start(disk ? { module_or_path: await disk.readFile(address) } : source);
  ready = true;
  return exports;
}

export function initSync(source) {
  const exports = startSync(source);
  ready = true;
  return exports;
}

const KINDS = {
  "a whole number": (value) => Number.isInteger(value),
  "a string": (value) => typeof value === "string",
  "a Float32Array": (value) => value instanceof Float32Array,
};
const [WHOLE, STRING, FLOATS] = Object.keys(KINDS);
const LANE = { lane: WHOLE };

// What each call takes, so far as its kind can be told from outside; what is missing here, the engine itself checks.
const LAB = {
  train: { steps: WHOLE },
  losses: LANE,
  tensors: LANE,
  tensor: { ...LANE, name: STRING },
  setTensor: { ...LANE, name: STRING, data: FLOATS },
  setRank: { ...LANE, rank: WHOLE },
  save: LANE,
  mergedModel: LANE,
  merges: { ...LANE, mode: STRING },
  bits: { ...LANE, text: STRING },
  generate: { ...LANE, prompt: STRING },
  parameterCount: LANE,
};
const ADAPTER = { spectrum: { module: STRING }, weight: { module: STRING, which: STRING }, resize: { rank: WHOLE } };
// Calls that give their result at once, and so throw; all others reject.
const AT_ONCE = ["tensors", "parameterCount", "generate", "modules", "mergePlan"];

function shown(value) {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object" && value !== null) return value.constructor?.name ?? "an object";
  return String(value);
}

function refuse(takes, given) {
  for (const [at, [name, kind]] of Object.entries(takes).entries()) {
    if (!KINDS[kind](given[at])) throw new TypeError(`${name}: expected ${kind}, got ${shown(given[at])}`);
  }
}

function guard(engine, { what, made, calls }) {
  const alive = (self) => {
    if (!self.__wbg_ptr) throw new Error(`this ${what} has been freed; ${made} gives another`);
  };
  for (const [name, own] of Object.entries(Object.getOwnPropertyDescriptors(engine.prototype))) {
    if (name === "constructor" || name.startsWith("__")) continue;
    const { get, value } = own;
    if (get) {
      own.get = function () {
        alive(this);
        return get.call(this);
      };
    } else if (name === "free") {
      // Twice is once.
      own.value = function () {
        if (this.__wbg_ptr) value.call(this);
      };
    } else {
      own.value = function (...given) {
        try {
          alive(this);
          refuse(calls[name] ?? {}, given);
        } catch (error) {
          if (AT_ONCE.includes(name)) throw error;
          return Promise.reject(error);
        }
        return value.apply(this, given);
      };
    }
    Object.defineProperty(engine.prototype, name, own);
  }
  return new Proxy(engine, {
    construct() {
      throw new TypeError(`a ${what} is not made by "new": await ${made}`);
    },
    get(engine, name) {
      const value = Reflect.get(engine, name);
      const isCall = typeof value === "function" && Object.hasOwn(engine, name) && !name.startsWith?.("__");
      if (!isCall || ready) return value;
      return () => Promise.reject(new Error("the engine is not loaded yet: await init() first"));
    },
  });
}

export const Lab = guard(EngineLab, { what: "lab", made: "Lab.create(config)", calls: LAB });
export const Adapter = guard(EngineAdapter, { what: "adapter", made: "Adapter.open(files)", calls: ADAPTER });
