// Starts what the address asks for: the lab in #app, the studio (experiments, sweeps and adapters) in #studio, or cases in
// #cases, all of one engine. How far its download is, and anything that goes wrong before they can speak for itself, is said here.
import { choose, language, speak, t } from "./language.js";

const ofLesson = /^#lesson\b/;
// Parts that are shown in the lab's place, by element: their addresses, and what starts them.
const parts = {
  studio: [/^#(experiments|sweeps|adapters)\b/, (glue, root) => glue.start_studio(root)],
  cases: [/^#cases\b/, (glue, root) => dressed("cases.css").then(() => glue.start_cases(root))],
};
const element = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const embedded = query.has("embed");
// A figure of the studio alone, which needs no lab.
const ofStudio = /^(experiment|adapter):/.test(query.get("embed"));
const root = document.documentElement;
if (/^(light|dark)$/.test(query.get("theme"))) root.dataset.theme = query.get("theme");

function say(selector, words) {
  for (const line of document.querySelectorAll(selector)) line.textContent = words;
}

function explain(error) {
  if (typeof WebAssembly !== "object") {
    return t("This browser has no WebAssembly, which the engine is made of. Any current Firefox, Chrome, Edge or Safari has it.");
  }
  if (error instanceof WebAssembly.CompileError) {
    return t("This browser cannot compile the engine; it needs WebAssembly with SIMD, as current browsers have it. ({error})", {
      error: error.message,
    });
  }
  return t("The engine could not be started: {error}. Reloading the page may help.", { error: error?.message ?? error });
}

// The engine, compiled while it arrives. What is counted has been decompressed, so the whole is the file's own size, which
// index.html holds where `cargo xtask build` made it; elsewhere only what has come is said.
async function download() {
  const link = element("engine");
  const response = await fetch(link.href);
  if (!response.ok) throw new Error(`${link.href} was answered with status ${response.status}`);
  const whole = Number(link.dataset.bytes);
  let come = 0;
  const counted = new TransformStream({
    transform(chunk, stream) {
      come += chunk.length;
      say(".come", whole > 0 ? `${Math.floor((100 * come) / whole)} %` : `${Math.round(come / 1000)} KB`);
      stream.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(counted), { headers: { "Content-Type": "application/wasm" } });
}

let engine;
const load = () =>
  (engine ??= (async () => {
    const bytes = download();
    // Reported below, even where the glue fails first.
    bytes.catch(() => {});
    const glue = await import("./lora-playground.js");
    await glue.default({ module_or_path: bytes });
    glue.speak(await texts);
    return glue;
  })());

// The texts of the page's language come while the engine does. Where they cannot be had, it speaks English.
const texts = speak(language).catch((error) => {
  console.error(error);
  return "";
});
document.addEventListener("click", async ({ target }) => {
  const code = target.closest?.("[data-language]")?.dataset.language;
  if (!code) return;
  try {
    const [json, glue] = [await speak(code), await load()];
    choose(code);
    glue.speak(json);
  } catch (error) {
    target.textContent = t("not loaded; once more?");
    console.error(error);
  }
});

// A panel is to be saved as a picture.
document.addEventListener("click", async ({ target }) => {
  const form = target.closest?.("[data-picture]")?.dataset.picture;
  if (!form) return;
  const menu = target.closest("details");
  try {
    const { save } = await import("./picture.js");
    menu.open = false;
    await save(target.closest("section"), form);
  } catch (error) {
    menu.open = true;
    target.textContent = t("not loaded; once more?");
    console.error(error);
  }
});

async function startLab() {
  // In another site's page, and where a frame may have no workers.
  if (embedded || self.origin === "null") {
    root.classList.toggle("embedded", embedded);
    root.classList.toggle("fits", embedded && query.get("height") !== "auto");
    const [{ start, startFigure }] = await Promise.all([import("./embedded.js"), embedded && dressed("embed.css")]);
    return ofStudio ? startFigure(load, query, element("app")) : start(load, query, embedded);
  }
  // The trainer's worker loads its script while the engine is fetched and compiled.
  const worker = new Worker("worker.js?trainer", { type: "module" });
  let failed = false;
  worker.addEventListener("error", () => (failed = true));
  const glue = await load();
  // From here on the page itself listens.
  if (failed) throw new Error(t("its worker could not be loaded"));
  glue.start_lab(worker);
}

// A style sheet that only one part needs, which does without where it cannot be had.
const sheets = {};
const dressed = (href) =>
  (sheets[href] ??= new Promise((done) => {
    const style = document.createElement("link");
    Object.assign(style, { id: href, rel: "stylesheet", href, onload: done, onerror: done });
    document.head.append(style);
  }));

async function startPart(name) {
  const glue = await load();
  // The lab sets the theme where it has been started; where it has not, the system's is the one.
  root.dataset.theme ||= matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  await parts[name][1](glue, element(name));
}

// The column beside the lab.
async function startLessons() {
  const [glue] = await Promise.all([load(), dressed("lessons.css")]);
  await glue.start_lessons(element("lesson"));
}

const started = {};
let lab, lessons;
async function route() {
  const asked = Object.keys(parts).find((name) => parts[name][0].test(location.hash));
  const left = Object.keys(parts).find((name) => !asked && !element(name).hidden);
  element("app").hidden = Boolean(asked);
  for (const name in parts) element(name).hidden = name !== asked;
  const learns = ofLesson.test(location.hash);
  element("lesson").hidden = !learns;
  root.classList.toggle("with-lesson", learns);
  // Back in the lab, the keyboard is where it left.
  if (left) document.querySelector(`#app a[href="#${left === "studio" ? "experiments" : left}"]`)?.focus();
  try {
    await (asked ? (started[asked] ??= startPart(asked)) : (lab ??= startLab()));
  } catch (error) {
    // Its part of the engine may be there the next time.
    if (asked) started[asked] = undefined;
    const later = t("This part could not be loaded; opening it again tries once more. The lab's run is kept.");
    say(`#${asked ?? "app"} .boot`, asked && engine && lab ? later : explain(error));
    console.error(error);
  }
  if (learns && engine && lab) {
    try {
      await (lessons ??= startLessons());
    } catch (error) {
      lessons = undefined;
      say("#lesson .boot", t("Lessons could not be loaded; opening them again tries once more. The lab's run is kept."));
      console.error(error);
    }
  }
  // The lab waits while it is not shown, as in a hidden tab.
  document.dispatchEvent(new Event("visibilitychange"));
}

addEventListener("hashchange", route);
route();
