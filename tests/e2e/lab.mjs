// The npm package in a bare page: what the API's tests and the benches have in common.
import { launch } from "./browser.mjs";
import { serve } from "./server.mjs";

const BARE = { body: "<!doctype html><title>bare</title>", type: "text/html" };

// A page with `Lab` and `Adapter` on its window, and what must be closed after it.
export async function openLab(mounts = {}) {
  const server = await serve({ "/bare.html": BARE, "/pkg/": "pkg", ...mounts });
  const browser = await launch();
  const page = await browser.newPage();
  await page.goto(`${server.origin}/bare.html`);
  await page.evaluate(async () => {
    const engine = await import("/pkg/lora_playground.js");
    window.memory = (await engine.default()).memory;
    window.Lab = engine.Lab;
    window.Adapter = engine.Adapter;
  });
  return { page, close: async () => { await browser.close(); await server.close(); } };
}
