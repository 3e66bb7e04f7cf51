// The page in a notebook's cell: a frame of it, and its talk (docs/EMBED.md) carried to Python and back. Losses and gates go there
// every half a second and when the run rests, adapters when it rests. Knows nothing of what is in them.
const NAME = "lora-playground";
const VERSION = 1;
const EVERY = 500;

function render({ model, el }) {
  const address = new URL(model.get("address"), document.baseURI);
  const talks = model.get("talks");
  const own = new URLSearchParams();
  if (talks && /^https?:/.test(location.origin)) own.set("host", location.origin);
  if (talks && !model.get("height")) own.set("height", "auto");
  address.search = [model.get("query"), `${own}`].filter(Boolean).join("&");
  address.hash = model.get("hash");
  const frame = document.createElement("iframe");
  frame.title = "LoRA Playground";
  frame.allow = "clipboard-write";
  frame.style.cssText = "display: block; width: 100%; border: 0";
  frame.style.height = `${model.get("height") || 420}px`;
  frame.src = address.href;
  el.append(frame);
  if (!talks) return;

  let lanes = 0;
  let asked = 0;
  let rested;
  const early = [];
  let listens = false;
  const send = (message) => {
    if (listens) frame.contentWindow.postMessage({ to: NAME, version: VERSION, ...message }, address.origin);
    else early.push(message);
  };
  const each = (type) => {
    for (let lane = 0; lane < lanes; lane++) send({ type, lane });
  };
  const hear = ({ source, origin, data }) => {
    if (source !== frame.contentWindow || origin !== address.origin || data?.from !== NAME) return;
    if (data.type === "hello") {
      listens = true;
      early.splice(0).forEach(send);
    } else if (data.type === "size") {
      if (!model.get("height")) frame.style.height = `${data.height}px`;
    } else if (data.type === "adapter") {
      const { files, ...rest } = data;
      const buffers = Object.values(files).map(({ buffer }) => buffer);
      model.send({ ...rest, names: Object.keys(files) }, undefined, buffers);
    } else model.send(data);
    if (data.type === "ready") lanes = data.lanes.length;
    if (data.type !== "frame") return;
    const rests = !data.running && rested !== data.step;
    if (rests || performance.now() - asked > EVERY) {
      asked = performance.now();
      each("values");
    }
    if (rests) each("adapter");
    rested = data.running ? undefined : data.step;
  };
  const ask = (message) => (message.type === "fetch" ? each("adapter") : send(message));
  addEventListener("message", hear);
  model.on("msg:custom", ask);
  return () => {
    removeEventListener("message", hear);
    model.off("msg:custom", ask);
  };
}

export default { render };
