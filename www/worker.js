// Every worker: the page's engine, started at the entry that the script's address names: "worker.js?trainer". The first
// message is the compiled engine itself, so that it is neither fetched nor compiled twice; messages that arrive before it
// is ready wait, and are then handed on.
const early = [];
let arrived;
const engine = new Promise((resolve) => (arrived = resolve));
const keep = (event) => {
  event.stopImmediatePropagation();
  if (event.data instanceof WebAssembly.Module) arrived(event.data);
  else early.push(event.data);
};
self.addEventListener("message", keep);

const glue = await import("./lora-playground.js");
await glue.default({ module_or_path: await engine });
await glue[`${location.search.slice(1)}_worker`]();
self.removeEventListener("message", keep);
for (const data of early) self.dispatchEvent(new MessageEvent("message", { data }));
