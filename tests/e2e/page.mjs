// The built page as a visitor meets it: under a sub-path, everything it asks for logged, its errors kept.
import { launch } from "./browser.mjs";
import { serve } from "./server.mjs";

export const BASE = "/some/sub-path/";

// A server for dist/ and a browser; `visit(query, options)` opens the page in a fresh context.
export async function openSite({ webgpu = true } = {}) {
  const server = await serve({ [BASE]: "dist" });
  const browser = await launch({ webgpu });

  async function visit(query = "", { init, ...options } = {}) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: server.origin });
    const page = await context.newPage();
    page.asked = [];
    page.errors = [];
    page.on("request", (request) => page.asked.push(request.url()));
    page.on("pageerror", (error) => page.errors.push(String(error)));
    page.on("console", (message) => message.type() === "error" && page.errors.push(message.text()));
    if (init) await page.addInitScript(init);
    await page.goto(`${server.origin}${BASE}${query}`);
    return page;
  }

  return { server, visit, close: async () => { await browser.close(); await server.close(); } };
}

export const status = (page) => page.getByRole("status").first();

// The step that the status region shows, or null where it shows none yet.
export async function step(page) {
  const text = await status(page).innerText();
  const found = text.match(/(?:step|第)\s*([\d,]+)/i);
  return found ? Number(found[1].replaceAll(",", "")) : null;
}

// Waits until the page has trained at least `least` steps, and gives the step it then shows.
export async function trained(page, least = 1, timeout = 60_000) {
  const deadline = Date.now() + timeout;
  for (;;) {
    const now = await step(page).catch(() => null);
    if (now !== null && now >= least) return now;
    if (Date.now() > deadline) {
      const text = await page.locator("body").innerText();
      throw new Error(`step ${least} not reached, at ${now}; errors: ${page.errors.join(" | ")}; the page says:\n${text.slice(0, 600)}`);
    }
    await page.waitForTimeout(50);
  }
}

// True when the step stays where it is for `ms`.
export async function still(page, ms = 700) {
  // One frame may be under way when Pause is pressed.
  await page.waitForTimeout(300);
  const before = await step(page);
  await page.waitForTimeout(ms);
  return (await step(page)) === before;
}
