// The trainer's worker: the page's engine, or, for "worker.js?all", the whole page's, started at its other entry. The
// first message is the compiled engine itself, so that it is neither fetched nor compiled twice; messages that arrive
// before it is ready wait, and are then handed on.
const early = [];
let arrived;
const engine = new Promise((resolve) => (arrived = resolve));
const keep = (event) => {
  event.stopImmediatePropagation();
  if (event.data instanceof WebAssembly.Module) arrived(event.data);
  else early.push(event.data);
};
self.addEventListener("message", keep);

const glue = await (self.location.search ? import("./studio/engine.js") : import("./lora-playground.js"));
await glue.default({ module_or_path: await engine });
glue.start_worker();
self.removeEventListener("message", keep);
for (const data of early) self.dispatchEvent(new MessageEvent("message", { data }));
