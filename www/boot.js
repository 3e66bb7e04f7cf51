// Starts what the address asks for: the lab in #app, or the studio (experiments, sweeps and adapters, a build of its own) in
// #studio. Anything that goes wrong before either can speak for itself is said here, in words.
const ofStudio = /^#(experiments|sweeps|adapters)\b/;
const element = (id) => document.getElementById(id);

function explain(error) {
  if (typeof WebAssembly !== "object") {
    return "This browser has no WebAssembly, which the engine is made of. Any current Firefox, Chrome, Edge or Safari has it.";
  }
  if (error instanceof WebAssembly.CompileError) {
    return `This browser cannot compile the engine; it needs WebAssembly with SIMD, as current browsers have it. (${error.message})`;
  }
  return `The engine could not be started: ${error?.message ?? error}. Reloading the page may help.`;
}

async function startLab() {
  // Some links need more than the first download has: variants of the methods, several layers.
  const all = new URLSearchParams(location.search).has("all");
  // The trainer's worker loads its script while the engine is fetched and compiled.
  const worker = new Worker(all ? "worker.js?all" : "worker.js", { type: "module" });
  if (all) document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: "studio/lab.css" }));
  let failed = false;
  worker.addEventListener("error", () => (failed = true));
  const engine = await (all ? import("./studio/engine.js") : import("./lora-playground.js"));
  await engine.default();
  // From here on the page itself listens.
  if (failed) throw new Error("its worker could not be loaded");
  engine.start_app(worker);
}

let lab;
async function route() {
  const asked = ofStudio.test(location.hash);
  element("app").hidden = asked;
  element("studio").hidden = !asked;
  try {
    await (asked ? import("./studio/boot.js") : (lab ??= startLab()));
  } catch (error) {
    const line = element(asked ? "studio-boot" : "boot");
    if (line) line.textContent = explain(error);
    console.error(error);
  }
  // The lab waits while it is not shown, as in a hidden tab.
  document.dispatchEvent(new Event("visibilitychange"));
}

addEventListener("hashchange", route);
route();
