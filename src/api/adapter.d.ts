
/** A file: from a file picker, a drop or `fetch`; blobs are read through slices, never whole. */
export type FileLike = File | Blob | Uint8Array | string;

/** Names of number formats. */
export type Dtype = "F32" | "F16" | "BF16" | "F64" | "F8_E4M3" | "F8_E5M2";

/** One adapted module, or a weight that the adapter holds whole. */
export type AdapterModule = {
  name: string;
  form: "lora" | "dora" | "adalora" | "vera" | "whole";
  kind: "linear" | "embedding" | "conv";
  /** 0 for a whole weight. */
  rank: number;
  /** What B·A is multiplied by. */
  scaling: number;
  dtype: string;
  parameters: number;
  /** As the base stores the weight. */
  shape: [number, number];
};

/** What the adapter did to a module. `null`: it takes the base, which is not open, or a value is not a number. */
export type ModuleOverview = AdapterModule & {
  /** ‖ΔW‖, Frobenius. */
  norm: number | null;
  /** ‖W0‖. */
  baseNorm: number | null;
  /** ‖ΔW‖ / ‖W0‖. */
  ratio: number | null;
  /** exp of the entropy of the singular values' shares. */
  effectiveRank: number | null;
  /** ‖ΔW‖² / σ₁². */
  stableRank: number | null;
  /** Share of ‖ΔW‖² in the first direction. */
  topEnergy: number | null;
  /** Directions that hold 99 % of ‖ΔW‖², over the rank. */
  rankInUse: number | null;
  /** Singular values of ΔW, largest first. */
  singular: number[];
  /** False where norm and singular values are of DoRA's low-rank part only, as its base is not open. */
  exact: boolean;
  /** A stored value is NaN or infinite. */
  notFinite: boolean;
  /** Why something is `null` although a base is open, in words: another shape, a quantised weight, no weight of that name. */
  why: string | null;
};

/** What to change when saving; keys left out change nothing. */
export type Edit = {
  /** Modules of a larger rank keep their leading directions, this many. */
  rank?: number;
  /** Times every module's scaling; weights held whole stay as they are. */
  scale?: number;
  /** Names of modules to leave out. */
  drop?: string[];
  dtype?: Dtype;
};

/** A saved adapter. */
export type SavedAdapter = {
  /** `adapter_model.safetensors`. */
  adapter: Uint8Array;
  /** `adapter_config.json`; `null` where scalings are in the tensors' own file, as kohya's, diffusers' and ComfyUI's are. */
  config: string | null;
  /** Per module, the share of ‖ΔW‖ that its new rank leaves out. */
  errors: { name: string; error: number }[];
  /** What the adapter held and the saved one does not: what was dropped, and all that was not understood. */
  leftOut: string[];
};

/** What a merge will do. */
export type MergePlan = {
  /** Tensors of the base that will change, and those that are new. */
  changes: string[];
  /** What the adapter holds and the merged model will lack, each with why. */
  leftOut: string[];
  /** What else has to be known of the merged model, as what to set in its config.json. */
  notes: string[];
};

/** What a merge did. */
export type MergeReport = {
  /** How many tensors changed. */
  changed: number;
  /** Tensors with a value that is not finite in the base's format. */
  notFinite: string[];
  leftOut: string[];
  notes: string[];
  /**
   * Over so many random inputs (the same each time) of every changed weight, the largest |merged(x) − adapted(x)|: the merged
   * weight as it is stored, against the base with the adapter beside it. `relative` is over the largest |adapted(x)| of that
   * tensor. `null` where a value is not finite.
   */
  proof: { largest: number | null; relative: number | null; at: string; inputs: number };
};

/** Two of several adapters, by their places, the first of all at 0. */
export type PairComparison = { first: number; second: number; modules: ModuleComparison[] };

/** One module of two adapters, held against each other. */
export type ModuleComparison = {
  name: string;
  /** Why there is no comparison; `null` where there is. */
  why: string | null;
  comparison: {
    /** ‖ΔW‖ of the first and of the second. */
    norms: [number, number];
    /** Of the angle between the two changes as vectors. */
    cosine: number;
    /** ‖ΔW₁ + ΔW₂‖. */
    together: number;
    /** Cosines of the principal angles between what they read (inputs), largest first. */
    read: number[];
    /** The same of what they write (outputs). */
    written: number[];
    /** Where each reads and writes, how large the other is, over its own size. */
    interference: [number, number];
  } | null;
};

/**
 * A trained adapter from its files, as PEFT (LoRA, rsLoRA, DoRA, AdaLoRA, VeRA), kohya's scripts, LyCORIS, diffusers, ComfyUI or
 * mlx-lm store it; docs/FILES.md has the table. Only headers are read on opening; tensors when a call needs them. Every
 * rejection is an `Error` that names what is wrong.
 */
export class Adapter {
  private constructor();
  /**
   * Open an adapter, and its base if there is one.
   * @param files `adapter`: adapter_model.safetensors. `config`: adapter_config.json, PEFT's or mlx-lm's; without it PEFT's
   *   scalings are taken as 1, and nothing is merged. `base`: model.safetensors, or its shards; VeRA of more than one module takes it, for numbers of inputs that its
   *   file does not hold. `index`: model.safetensors.index.json.
   */
  static open(files: { adapter: FileLike; config?: FileLike; base?: FileLike[]; index?: FileLike }): Promise<Adapter>;
  /** Tells open adapters apart. */
  readonly id: number;
  /** Its modules, then the weights that it holds whole. */
  modules(): AdapterModule[];
  /** Tensors and settings that are not understood, each with why, what has to be known of the numbers, and what takes the base. */
  readonly notUnderstood: string[];
  /**
   * The overview, module by module.
   * @param progress Hears how many of how many are done; answering `false` stops, and the promise rejects.
   */
  overview(progress?: (done: number, of: number) => boolean | void): Promise<ModuleOverview[]>;
  /** Singular values of a module's ΔW, largest first. */
  spectrum(module: string): Promise<Float64Array>;
  /** A module's weight, row-major: the base's, the change, or both; `null` where it takes a base that is not open. */
  weight(module: string, which: "base" | "change" | "merged"): Promise<Float32Array | null>;
  /** This adapter with modules of at most this rank: their leading directions. The base stays open. */
  resize(rank: number): Promise<Adapter>;
  /**
   * Against another adapter of the same base, module by module, from their factors; DoRA by its low-rank part.
   * @param progress As in `overview`.
   */
  compare(other: Adapter, progress?: (done: number, of: number) => boolean | void): Promise<ModuleComparison[]>;
  /** Every two of this adapter and the others. */
  compare(others: Adapter[], progress?: (done: number, of: number) => boolean | void): Promise<PairComparison[]>;
  /**
   * The weighted sum of this adapter and others as one, a weight for each and this one's first, with PEFT's combination types: `linear` adds factors (equal
   * ranks only; near the sum), `cat` lays them side by side (the sum exactly, at the sum of the ranks), `svd` is the
   * sum's best approximation at `rank` (the largest of theirs where none is given). A base that one of them has open
   * stays open.
   */
  combine(
    others: Adapter | Adapter[],
    weights: number[] | Float64Array,
    how: "linear" | "cat" | "svd",
    rank?: number,
  ): Promise<Adapter>;
  /** The adapter as PEFT loads it, or with the names and header that others wrote, as it came; changed as `edit` says. */
  save(edit?: Edit): Promise<SavedAdapter>;
  /** What merging into the open base will change, and what not and why; throws where nothing can be merged. */
  mergePlan(): MergePlan;
  /**
   * Merge into the base, file by file.
   * @param write Gets the pieces of each file in order, and is waited for: write them to a stream.
   */
  merge(write: (piece: Uint8Array, file: string) => Promise<void> | void): Promise<MergeReport>;
  /** Close the files. */
  free(): void;
}
