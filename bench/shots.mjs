// Screenshots of the page, to be looked at: light and dark, desktop and phone, soon after the start and after 2000 steps,
// and each panel by itself.
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
await site.close();
