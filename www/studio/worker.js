// The studio's workers: the studio's engine, started at the entry that measures, or with ?adapters at the one that reads files. The first message is the compiled engine itself,
// so that it is neither fetched nor compiled twice. Orders come only after it has said that it is ready.
import init, { start_adapter_worker, start_studio_worker } from "./engine.js";

const engine = new Promise((resolve) => self.addEventListener("message", (event) => resolve(event.data), { once: true }));

await init({ module_or_path: await engine });
if (location.search === "?adapters") start_adapter_worker();
else start_studio_worker();
