// An author's own page around two figures of LoRA Playground: its buttons drive the run, its table is made of what the figures
// tell. The playground is the one that `cargo xtask serve` serves, or where `?playground=` says.
const playground = new URLSearchParams(location.search).get("playground") ?? "http://127.0.0.1:8080/";
const script = document.createElement("script");
script.src = new URL("embed.js", playground).href;
document.head.append(script);

const element = (id) => document.getElementById(id);
const losses = element("losses");
let lanes = [];
let running = false;

element("go").addEventListener("click", () => (running ? losses.pause() : losses.run()));
element("again").addEventListener("click", () => losses.reset());
element("rank").addEventListener("input", ({ target }) => (element("is").value = target.value));
// Lane 1 is LoRA, lane 2 MoLoRA: lanes are counted from 0.
element("rank").addEventListener("change", ({ target }) => losses.setRank(1, Number(target.value)));
element("off").addEventListener("click", () => losses.ablate(element("off").ariaPressed === "true" ? null : 2, 1));
element("lesson").addEventListener("click", () => losses.goTo("rank", 1));

losses.addEventListener("ready", ({ detail }) => (lanes = detail.lanes));
losses.addEventListener("frame", ({ detail }) => {
  running = detail.running;
  element("go").textContent = running ? "Pause" : "Train";
  element("now").textContent = `Step ${detail.step}: ${detail.now}`;
  const rows = lanes.map((lane, at) => {
    const row = document.createElement("tr");
    row.append(cell("th", lane.name), cell("td", detail.losses[at]?.toPrecision(3) ?? "–"));
    return row;
  });
  element("table").replaceChildren(...rows);
});
losses.addEventListener("selected", ({ detail }) => (element("off").ariaPressed = String(detail.off !== null)));
losses.addEventListener("error", ({ detail }) => (element("now").textContent = detail.message));

function cell(kind, text) {
  const cell = document.createElement(kind);
  cell.textContent = text;
  if (kind === "th") cell.scope = "row";
  return cell;
}
