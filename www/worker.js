// The trainer's worker: the same engine as the page, started at its other entry. Messages that arrive before the engine
// is ready wait in a queue and are then handed on, so that the page may send its first command at once.
import init, { start_worker } from "./lora-playground.js";

const early = [];
const keep = (event) => {
  event.stopImmediatePropagation();
  early.push(event.data);
};
self.addEventListener("message", keep);

await init();
start_worker();
self.removeEventListener("message", keep);
for (const data of early) self.dispatchEvent(new MessageEvent("message", { data }));
