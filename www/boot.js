// Starts the page: loads the engine and hands it #app. Anything that goes wrong before the page can speak for itself
// is said here, in words, in place of "Loading the engine…".
function say(text) {
  const line = document.getElementById("boot");
  if (line) line.textContent = text;
}

function explain(error) {
  if (typeof WebAssembly !== "object") {
    return "This browser has no WebAssembly, which the engine is made of. Any current Firefox, Chrome, Edge or Safari has it.";
  }
  if (error instanceof WebAssembly.CompileError) {
    return `This browser cannot compile the engine; it needs WebAssembly with SIMD, as current browsers have it. (${error.message})`;
  }
  return `The engine could not be started: ${error?.message ?? error}. Reloading the page may help.`;
}

try {
  // The trainer's worker loads its script while the engine is fetched and compiled.
  const worker = new Worker("worker.js", { type: "module" });
  let failed = false;
  worker.addEventListener("error", () => (failed = true));
  const engine = await import("./lora-playground.js");
  await engine.default();
  // From here on the page itself listens.
  if (failed) throw new Error("its worker could not be loaded");
  engine.start_app(worker);
} catch (error) {
  say(explain(error));
  console.error(error);
}
