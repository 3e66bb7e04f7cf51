// The studio's worker: the studio's engine, started at its other entry. The first message is the compiled engine itself,
// so that it is neither fetched nor compiled twice. Orders come only after it has said that it is ready.
import init, { start_studio_worker } from "./engine.js";

const engine = new Promise((resolve) => self.addEventListener("message", (event) => resolve(event.data), { once: true }));

await init({ module_or_path: await engine });
start_studio_worker();
