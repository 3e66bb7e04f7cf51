// Types of embed.js and of the messages that a frame of LoRA Playground takes and sends; docs/EMBED.md says what they mean.

/** Panels by name. */
export type Panel =
  | "lanes" | "loss" | "gates" | "method" | "weight" | "experts" | "ranks" | "digits" | "text" | "held" | "map" | "writing";

/** Figures of the studio, each alone in its frame: an experiment's by its name, and an adapter's. */
export type StudioFigure = `experiment:${string}` | "adapter:map" | "adapter:spectrum";

/** A configuration: a link's query (`"lanes=full~lora.r8&seed=2"`) or a document, as the npm package has it. */
export type Configuration = string | { version: 1; lanes: object[]; [key: string]: unknown };

/** What may be asked of a frame. Lanes, layers, experts and tokens are counted from 0, steps of a lesson from 1. */
export type Command = { id?: unknown } & (
  | { type: "run" | "pause" | "step" | "reset" }
  | { type: "set"; config: Configuration }
  | { type: "setRank"; lane: number; rank: number }
  | { type: "ablate"; lane: number; expert: number; layer?: number }
  | { type: "ablate"; lane: null }
  | { type: "select"; lane: number; layer?: number; token?: number }
  | { type: "goTo"; lesson: string | null; step?: number }
  | { type: "theme"; theme: "light" | "dark" }
  | { type: "values" | "adapter"; lane: number });

/** A command on its way to a frame. */
export type ToFrame = Command & { to: "lora-playground"; version: 1 };

export interface Lane {
  name: string;
  method: string;
  rank: number | null;
  experts: number | null;
}

/** A run is set up. */
export interface Ready {
  type: "ready";
  lanes: Lane[];
  domains: string[];
  /** Steps that it is to have. */
  total: number;
  backend: "webgpu" | "cpu";
  config: { version: 1; lanes: object[]; [key: string]: unknown };
  /** The query of a link to this run. */
  query: string;
}

/** A moment of the run. */
export interface Frame {
  type: "frame";
  step: number;
  running: boolean;
  finished: boolean;
  /** The sentence of the moment. */
  now: string;
  /** By lane, the mean of the last steps as it is written beside the chart; null where there is none. */
  losses: (number | null)[];
}

/** What the figures look at. */
export interface Selected {
  type: "selected";
  lane: number;
  layer: number;
  token: number;
  /** Whose gates, where somebody has chosen. */
  gates: { lane: number; layer: number } | null;
  /** The expert that is switched off. */
  off: { lane: number; layer: number; expert: number } | null;
}

/** A lane's losses and gates, as they were asked for. */
export interface Values {
  type: "values";
  lane: number;
  /** The run's step. */
  step: number;
  /** Steps of the chart's points, and the loss at each; of a long run a point is the mean of some steps. */
  steps: number[];
  losses: number[];
  /** Of the layer that the figures look at; `tokens` is `[tokens, experts]`, row by row. */
  gates: { layer: number; experts: number; tokens: number[]; tokenDomains: number[] } | null;
  id?: unknown;
}

/** A lane's adapter, as it was asked for: files by name. */
export interface AdapterFiles {
  type: "adapter";
  lane: number;
  files: Record<string, Uint8Array>;
  id?: unknown;
}

/** Something was refused, or went wrong. */
export interface Failure {
  type: "error";
  message: string;
  /** The run cannot go on. */
  stopped?: boolean;
  /** Of the command that was refused. */
  id?: unknown;
}

/** What a frame sends. */
export type FromFrame = { from: "lora-playground"; version: 1 } & (
  | Ready | Frame | Selected | Values | AdapterFiles | Failure | { type: "hello" } | { type: "size"; height: number });

export interface PlaygroundEventMap extends HTMLElementEventMap {
  ready: CustomEvent<Ready>;
  frame: CustomEvent<Frame>;
  selected: CustomEvent<Selected>;
  error: CustomEvent<Failure> & ErrorEvent;
}

/** `<lora-playground panels config lesson lang theme run paused height sandbox src label>` */
export interface PlaygroundElement extends HTMLElement {
  run(): void;
  pause(): void;
  step(): void;
  reset(): void;
  set(config: Configuration): void;
  setRank(lane: number, rank: number): void;
  /** `lane: null` switches every expert on. */
  ablate(lane: number | null, expert?: number, layer?: number): void;
  select(lane: number, at?: { layer?: number; token?: number }): void;
  goTo(lesson: string | null, step?: number): void;
  /** Rejected with what was refused, as a lane that is not there. */
  values(lane: number): Promise<Values>;
  adapter(lane: number): Promise<AdapterFiles["files"]>;
  send(message: Command): void;
  /** What was told last, by type. */
  readonly said: { ready?: Ready; frame?: Frame; selected?: Selected; error?: Failure };
  addEventListener<K extends keyof PlaygroundEventMap>(
    type: K, listener: (event: PlaygroundEventMap[K]) => void, options?: boolean | AddEventListenerOptions): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "lora-playground": PlaygroundElement;
  }
}
