// Shows in this page what the lines behind the address's "#" make in any other, and the lines themselves. Of them only a frame of
// this playground or its element is made, with the attributes that these have; whatever else an address may carry is only shown.
import { language, speak } from "./language.js";

const KNOWN = { iframe: ["src", "title", "width", "height"], "lora-playground": ["panels", "config", "lesson", "lang", "theme", "paused"] };
const HERE = new URL("./", location.href).href;

function show() {
  let lines = location.hash.slice(1);
  // What cannot be read is shown as it came, and makes nothing.
  try { lines = decodeURIComponent(lines); } catch { /* a lone "%" */ }
  document.querySelector("pre").textContent = lines;
  const given = new DOMParser().parseFromString(lines, "text/html").querySelector(Object.keys(KNOWN).join());
  const sound = given && (given.localName !== "iframe" || given.src.startsWith(HERE));
  document.querySelector("#none").hidden = Boolean(sound);
  const figure = document.querySelector("#figure");
  figure.replaceChildren();
  if (!sound) return;
  const made = document.createElement(given.localName);
  for (const name of KNOWN[given.localName]) if (given.hasAttribute(name)) made.setAttribute(name, given.getAttribute(name));
  if (given.localName === "lora-playground" && !customElements.get(given.localName)) {
    document.head.append(Object.assign(document.createElement("script"), { src: "embed.js" }));
  }
  figure.append(made);
}

document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
addEventListener("hashchange", show);
show();
speak(language).catch(console.error);
