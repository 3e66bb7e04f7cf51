// Screenshots of the page, to be looked at: light and dark, desktop and phone, soon after the start and after 2000 steps,
// each panel by itself; figures in frames; the studio, before and after a measurement, and a sweep; fifty languages; and each part of an adapter's.
//
//   node bench/shots.mjs DIR
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { openSite, trained } from "../tests/e2e/page.mjs";

const dir = process.argv[2];
if (!dir) throw new Error("say into which directory");
await mkdir(dir, { recursive: true });

const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };
const TASKS = { domains: "", digits: "?task=digits" };

const name = (text) => text.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "");

const site = await openSite();
const take = async (target, file, options = {}) => {
  await target.screenshot({ path: join(dir, `${file}.png`), ...options });
  console.log(`  ${join(dir, `${file}.png`)}`);
};
// A 7 on the drawing pad, and every lane's answer to it.
async function draw(page) {
  const pad = page.getByLabel(/^Drawing pad/).first();
  await pad.scrollIntoViewIfNeeded();
  const box = await pad.boundingBox();
  const at = (x, y) => [box.x + box.width * x, box.y + box.height * y];
  await page.mouse.move(...at(0.25, 0.2));
  await page.mouse.down();
  for (const point of [at(0.75, 0.2), at(0.5, 0.55), at(0.42, 0.85)]) await page.mouse.move(...point, { steps: 12 });
  await page.mouse.up();
  await page.mouse.move(0, 0);
  await page.getByLabel(/most probable \d/).first().waitFor();
}

for (const [task, query] of Object.entries(TASKS)) {
  for (const colorScheme of ["light", "dark"]) {
    for (const [size, viewport] of Object.entries(SIZES)) {
      const page = await site.visit(query, { viewport, colorScheme, hasTouch: size === "phone" });
      const file = `${task}-${size}-${colorScheme}`;
      await trained(page, 100, 180_000);
      await take(page, `${file}-training`);
      await trained(page, 2000, 300_000);
      await take(page, `${file}-trained`, { fullPage: size === "phone" });
      if (size === "desktop") {
        // Show what panels have to show: a mixture's merges, answers to a drawing.
        await page.getByLabel("Lane of the weight").selectOption({ label: "MoLoRA" });
        await page.getByText("No single weight is exact").waitFor();
        if (task === "digits") await draw(page);
        for (const panel of await page.locator("section[aria-labelledby]").all()) {
          if (!(await panel.isVisible())) continue;
          const heading = await panel.getByRole("heading").first().innerText();
          await take(panel, `${task}-panel-${name(heading)}-${colorScheme}`);
        }
      }
      if (page.errors.length) console.log(`  errors on this visit: ${page.errors.join(" | ")}`);
      await page.context().close();
    }
  }
}
for (const colorScheme of ["light", "dark"]) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    const page = await site.visit("#experiments/top-k", { viewport, colorScheme, hasTouch: size === "phone" });
    const file = `studio-${size}-${colorScheme}`;
    const press = (name) => page.getByRole("button", { name, exact: true }).click();
    await press("CPU");
    await take(page, `${file}-before`);
    await press("Run All experts, or the best one or two");
    await page.locator("#claim-top-k .holds, #claim-top-k .fails").waitFor({ timeout: 120_000 });
    await take(page, `${file}-measured`);
    await page.getByRole("link", { name: "Sweeps" }).click();
    await press("Run sweep");
    await page.getByText(/^Done in/).waitFor({ timeout: 120_000 });
    await take(page, `${file}-swept`, { fullPage: true });
    if (page.errors.length) console.log(`  errors on this visit: ${page.errors.join(" | ")}`);
    await page.context().close();
  }
}
for (const colorScheme of ["light", "dark"]) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    const page = await site.visit("#cases/languages", { viewport, colorScheme, hasTouch: size === "phone" });
    await page.locator(".bars").waitFor({ timeout: 60_000 });
    await page.getByRole("button", { name: "Add and measure" }).click();
    await page.locator(".merged").waitFor({ timeout: 120_000 });
    const heat = page.locator(".fifty").first();
    const { width } = await heat.boundingBox();
    await heat.click({ position: { x: 0.42 * width, y: 0.38 * width } });
    await take(page, `languages-${size}-${colorScheme}`, { fullPage: true });
    if (page.errors.length) console.log(`  errors on this visit: ${page.errors.join(" | ")}`);
    await page.context().close();
  }
}
// Figures as they stand in other people's pages: of a run, of an experiment, of an adapter.
const EMBEDS = {
  loss: ["?embed=loss", (page) => trained(page, 400, 120_000)],
  gates: ["?embed=gates", (page) => trained(page, 400, 120_000)],
  experiment: ["?embed=experiment:dylora", (page) => page.locator(".drawn svg circle").first().waitFor()],
  adapter: ["?embed=adapter:map", (page) => page.locator(".map text").nth(20).waitFor()],
};
for (const [figure, [query, there]] of Object.entries(EMBEDS)) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await site.visit(query, { viewport: { width: 640, height: 400 }, colorScheme, deviceScaleFactor: 2 });
    await there(page);
    await page.waitForTimeout(500);
    await take(page, `embed-${figure}-${colorScheme}`);
    await page.context().close();
  }
}
const CASES = "tests/fixtures/peft";
for (const colorScheme of ["light", "dark"]) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    const page = await site.visit("#adapters", { viewport, colorScheme, hasTouch: size === "phone" });
    const press = (name) => page.getByRole("button", { name, exact: true }).click();
    const open = async (...files) => {
      const [chooser] = await Promise.all([page.waitForEvent("filechooser"), press("Add files…")]);
      await chooser.setFiles(files.map((file) => `${CASES}/${file}`));
      await measured();
    };
    const measured = async () => {
      await page.getByText(/It changes|largest change is/).waitFor();
      await page.locator(".under-way").waitFor({ state: "detached" });
    };
    const shot = (what) => take(page, `adapters-${size}-${colorScheme}-${what}`, { fullPage: true });
    await shot("empty");
    await press("Try with a small one");
    await measured();
    await shot("overview");
    await page.locator(".parts").evaluate((bar) => (bar.style.position = "static"));
    await press("Module");
    await page.getByRole("img", { name: /^Norms of ΔW/ }).first().waitFor();
    await press("Look for them");
    await page.getByText(/leading directions are intruders/).waitFor();
    await shot("module");
    await open("llama_lora/adapter/adapter_model.safetensors", "llama_lora/adapter/adapter_config.json");
    await press("Compare");
    await page.locator(".chooser button").click();
    await page.getByText(/that both adapt/).waitFor();
    await shot("compare");
    await press("Combine");
    await shot("combine");
    await press("Save");
    await shot("save");
    if (page.errors.length) console.log(`  errors on this visit: ${page.errors.join(" | ")}`);
    await page.context().close();
  }
}
await site.close();
