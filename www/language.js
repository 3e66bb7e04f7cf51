// The language of the page: which is asked for, and its texts. The engine is written in English; another language is a catalogue
// in locales/, keyed by the English texts (src/lang.rs lists the languages).
export const LANGUAGES = { en: "en", zh: "zh-Hans" };
const KEPT = "lora-playground-language";
const [ENGLISH] = Object.keys(LANGUAGES);

const known = (code) => {
  const first = String(code ?? "").toLowerCase().split(/[-_]/)[0];
  return first in LANGUAGES ? first : undefined;
};

// A frame without an origin, and some people's browsers, have no store.
function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

// By the link, by an earlier choice, by the browser, in this order.
export const language =
  [new URLSearchParams(location.search).get("lang"), kept(), ...navigator.languages].map(known).find(Boolean) ?? ENGLISH;

const catalogues = {};
// The catalogue as text; empty for English.
function catalogue(code) {
  if (code === ENGLISH) return "";
  return (catalogues[code] ??= (async () => {
    const response = await fetch(`locales/${code}.json`);
    if (!response.ok) throw new Error(`locales/${code}.json was answered with status ${response.status}`);
    return response.text();
  })().catch((error) => {
    catalogues[code] = undefined;
    throw error;
  }));
}

let texts = {};
// A text with the words in braces replaced.
export function t(english, words = {}) {
  const text = texts[english] ?? english;
  return text.replace(/\{(\w+)\}/g, (all, name) => words[name] ?? all);
}

// What index.html says, in that language. English is kept, to be said again.
function translate() {
  for (const element of document.querySelectorAll("[data-t]")) {
    element.dataset.t ||= element.textContent;
    element.textContent = t(element.dataset.t);
  }
  for (const element of document.querySelectorAll("[data-t-label]")) {
    element.dataset.tLabel ||= element.getAttribute("aria-label");
    element.setAttribute("aria-label", t(element.dataset.tLabel));
  }
}

// Takes the page's own words to a language, and gives the engine's, for its `speak`. A language that cannot be had changes nothing.
export async function speak(code) {
  const json = await catalogue(code);
  texts = json ? JSON.parse(json).texts : {};
  document.documentElement.lang = LANGUAGES[code];
  translate();
  return json;
}

// The visitor's choice: kept, and in the address where that says another.
export function choose(code) {
  try {
    localStorage.setItem(KEPT, code);
  } catch {
    // It holds until the page is left.
  }
  const address = new URL(location.href);
  if (address.searchParams.has("lang")) {
    address.search = address.search.replace(/([?&]lang=)[^&]*/, `$1${code}`);
    history.replaceState(history.state, "", address);
  }
}
