// Loads the studio, when somebody asks for it, and hands it #studio. What goes wrong is said by the page's boot.js.
const sheet = document.createElement("link");
sheet.rel = "stylesheet";
sheet.href = new URL("studio.css", import.meta.url);
const styled = new Promise((resolve, reject) => {
  sheet.onload = resolve;
  sheet.onerror = () => reject(new Error("studio.css could not be loaded"));
});
document.head.append(sheet);

const engine = await import("./engine.js");
await Promise.all([engine.default(), styled]);

// The lab sets the theme where it has been started; where it has not, the system's is the one.
const root = document.documentElement;
root.dataset.theme ||= matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";

engine.start_studio(document.getElementById("studio"), new URL("worker.js", import.meta.url).href);

// Back in the lab, the keyboard is where it left.
addEventListener("hashchange", () => {
  if (!document.getElementById("app").hidden) document.querySelector('#app a[href="#experiments"]')?.focus();
});
