// The page's texts in its languages, as the page has them.
import { readFileSync } from "node:fs";

// Says an English text of the page in that language; what its catalogue lacks is a fault.
export function inLanguage(code) {
  if (code === "en") return (english) => english;
  const { texts } = JSON.parse(readFileSync(`www/locales/${code}.json`, "utf8"));
  return (english) => {
    if (typeof texts[english] !== "string") throw new Error(`${code} has no “${english}”`);
    return texts[english];
  };
}
