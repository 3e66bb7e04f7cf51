// The trainer's worker where the page is the whole one: its engine, started at its other entry. The first message is the compiled engine itself,
// so that it is neither fetched nor compiled twice; messages that arrive before it is ready wait, and are then handed on.
import init, { start_worker } from "./engine.js";

const early = [];
let arrived;
const engine = new Promise((resolve) => (arrived = resolve));
const keep = (event) => {
  event.stopImmediatePropagation();
  if (event.data instanceof WebAssembly.Module) arrived(event.data);
  else early.push(event.data);
};
self.addEventListener("message", keep);

await init({ module_or_path: await engine });
start_worker();
self.removeEventListener("message", keep);
for (const data of early) self.dispatchEvent(new MessageEvent("message", { data }));
