// This page in a page of somebody else's: the trainer that it can have there, and its talk with the page around it
// (docs/EMBED.md). What is said is the engine's business; here it is only carried, and who says it is checked.
const NAME = "lora-playground";
const VERSION = 1;
const PATIENCE = 15_000;

// What is said to the page around, and whether a message is of it and meant for the playground.
function talk(query) {
  const around = window.parent === window ? null : window.parent;
  // The page around, where it has said who it is; one without an origin, as a file, cannot be told from others.
  const host = /^https?:\/\//.test(query.get("host") ?? "") ? query.get("host") : "*";
  return {
    say: (message) => around?.postMessage({ from: NAME, version: VERSION, ...message }, host),
    meant: ({ source, origin, data }) => around && source === around && (host === "*" || origin === host) && data?.to === NAME,
  };
}

function tellHeight(query, say) {
  if (query.get("height") !== "auto") return;
  const tell = () => say({ type: "size", height: Math.ceil(document.body.getBoundingClientRect().height) });
  new ResizeObserver(tell).observe(document.body);
}

// Shows a figure of the studio, which has no run: only its theme can be changed, for which it is drawn anew.
export async function startFigure(load, query, root) {
  const { say, meant } = talk(query);
  const { dataset } = document.documentElement;
  if (!dataset.theme) {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const follow = () => (dataset.theme = dark.matches ? "dark" : "light");
    dark.addEventListener("change", follow);
    follow();
  }
  addEventListener("message", (event) => {
    if (!meant(event)) return;
    const { type, theme, id } = event.data;
    if (type === "theme" && /^(light|dark)$/.test(theme)) {
      query.set("theme", theme);
      location.replace(`?${query}`);
    } else say({ type: "error", message: `${type}: this figure is of what was measured, and has no run; it takes theme alone, light or dark`, stopped: false, id });
  });
  say({ type: "hello" });
  const glue = await load();
  const files = query.get("adapter") && import("./folder.js").then(({ adapterIn }) => adapterIn(query.get("adapter"), query.get("base")));
  await glue.start_studio(root, query.get("embed"), files || undefined);
  tellHeight(query, say);
}

// Starts the lab with a trainer of its own, with another frame's, or, in a frame that may have no workers, with one in here.
export async function start(load, query, embedded) {
  const { say, meant } = talk(query);

  let trainer, hear, join;
  const joined = new Promise((resolve) => (join = resolve));
  const early = [];
  addEventListener("message", (event) => {
    if (!meant(event)) return;
    const { data, ports } = event;
    if (data.type === "join" && ports[0]) return join(ports[0]);
    if (data.type === "share" && ports[0]) return share(trainer, ports[0]);
    if (hear) ask(data);
    else early.push(data);
  });
  function ask(data) {
    try {
      hear(JSON.stringify(data));
    } catch (error) {
      say({ type: "error", message: `the message is not plain data: ${error.message}` });
    }
  }

  if (query.has("join")) {
    say({ type: "hello" });
    trainer = await Promise.race([joined, new Promise((_, fail) => setTimeout(fail, PATIENCE, new Error("it draws another figure's run, and that figure has not answered")))]);
    trainer.terminate = trainer.close;
    await load();
    // The engine is there already.
    passOver(trainer, (data) => data instanceof WebAssembly.Module);
    trainer.start();
  } else {
    trainer = self.origin === "null" ? await here(load) : worker();
    say({ type: "hello" });
  }
  const glue = await load();
  if (trainer.failed) throw new Error("its worker could not be loaded");
  glue.start_lab(trainer);
  if (!embedded) return;
  hear = await glue.start_embed((text, files) => say({ ...JSON.parse(text), ...(files && { files }) }));
  early.forEach(ask);
  tellHeight(query, say);
}

function worker() {
  const worker = new Worker("worker.js?trainer", { type: "module" });
  worker.addEventListener("error", () => (worker.failed = true));
  return worker;
}

// A stand-in for the trainer's worker in the page itself: a frame that has no origin may start no worker from an address.
async function here(load) {
  const glue = await load();
  const { port1, port2 } = new MessageChannel();
  passOver(port1, (data) => data instanceof WebAssembly.Module);
  port1.terminate = port1.close;
  port2.setTimeout = (task, wait) => setTimeout(task, wait);
  glue.trainer_here(port2);
  port1.start();
  return port1;
}

function passOver(port, needless) {
  const post = port.postMessage.bind(port);
  port.postMessage = (data, transfer) => needless(data) || post(data, transfer ?? []);
}

// Another frame hears the trainer too, and may command it.
function share(trainer, port) {
  trainer.addEventListener("message", ({ data }) => port.postMessage(data));
  port.onmessage = ({ data }) => trainer.postMessage(data);
}
