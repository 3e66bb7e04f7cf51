// Figures of LoRA Playground in your page: <lora-playground panels="loss,gates" config="lanes=full~lora.r8"></lora-playground>.
// One file, a plain script to be fetched from where the playground lies: <script src="https://…/embed.js" async></script>. docs/EMBED.md and
// embed.d.ts say what it takes. It makes the frame, gives it the height of what is in it, carries messages, and lets elements that
// share a `run` share one engine. It asks no host for anything but the frame.
{
  const NAME = "lora-playground";
  const VERSION = 1;
  const BESIDE = new URL("./", document.currentScript.src).href;
  const TOLD = new Set(["ready", "frame", "selected", "error"]);
  const ANSWERS = new Set(["values", "adapter"]);
  // Elements by the name of the run that they share; the first has the engine.
  const runs = new Map();

  class Playground extends HTMLElement {
    static observedAttributes = ["panels", "config", "lesson", "lang", "theme", "src", "run", "paused", "height"];
    #frame;
    #origin;
    #port;
    #said = {};
    #queue = [];
    // What was asked for and is not answered yet, by number.
    #asked = new Map();
    #asks = 0;
    #due;

    constructor() {
      super();
      const shadow = this.attachShadow({ mode: "open" });
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(":host { display: block; } :host([hidden]) { display: none; } iframe { display: block; width: 100%; border: 0; }");
      shadow.adoptedStyleSheets = [sheet];
    }

    connectedCallback() {
      addEventListener("message", this);
      this.#join();
      this.#soon();
    }

    disconnectedCallback() {
      removeEventListener("message", this);
      this.#leave();
      this.#frame?.remove();
      this.#frame = undefined;
    }

    attributeChangedCallback(name, old, value) {
      if (!this.isConnected || old === value) return;
      // What the frame can take as it is needs no other frame.
      if (this.#frame && name === "theme" && /^(light|dark)$/.test(value)) return this.#send("theme", { theme: value });
      if (this.#said.ready && name === "config" && value) return this.set(value);
      if (this.#said.ready && name === "lesson") {
        const [lesson, step] = (value ?? "").split("/");
        return this.goTo(lesson || null, Number(step) || 1);
      }
      if (name === "run") {
        this.#leave(old);
        this.#join();
      }
      this.#soon();
    }

    run() { this.#send("run"); }
    pause() { this.#send("pause"); }
    step() { this.#send("step"); }
    reset() { this.#send("reset"); }
    set(config) { this.#send("set", { config }); }
    setRank(lane, rank) { this.#send("setRank", { lane, rank }); }
    ablate(lane, expert, layer = 0) { this.#send("ablate", lane === null ? { lane } : { lane, layer, expert }); }
    select(lane, { layer = 0, token } = {}) { this.#send("select", token === undefined ? { lane, layer } : { lane, layer, token }); }
    goTo(lesson, step = 1) { this.#send("goTo", { lesson, step }); }

    // A lane's losses and gates; its adapter as files.
    values(lane) { return this.#ask("values", lane); }
    adapter(lane) { return this.#ask("adapter", lane).then(({ files }) => files); }

    // What was told last, by type.
    get said() { return this.#said; }

    // Any message as docs/EMBED.md has it.
    send(message) {
      const whole = { to: NAME, version: VERSION, ...message };
      if (this.#said.hello) this.#frame.contentWindow.postMessage(whole, this.#origin);
      else this.#queue.push(message);
    }

    #ask(type, lane) {
      const id = `${NAME} ${++this.#asks}`;
      return new Promise((resolve, reject) => {
        this.#asked.set(id, { resolve, reject });
        this.#send(type, { lane, id });
      });
    }

    // Whether the message answers what was asked.
    #answer(data) {
      const asked = this.#asked.get(data.id);
      if (!asked || !(ANSWERS.has(data.type) || data.type === "error")) return false;
      this.#asked.delete(data.id);
      if (data.type === "error") asked.reject(new Error(data.message));
      else asked.resolve(data);
      return true;
    }

    #send(type, rest) { this.send({ type, ...rest }); }

    // Once, when all attributes are there.
    #soon() {
      clearTimeout(this.#due);
      this.#due = setTimeout(() => this.#build());
    }

    #leads() { return runs.get(this.getAttribute("run"))?.values().next().value === this; }

    #build() {
      if (!this.isConnected) return;
      const address = new URL(this.getAttribute("src") ?? BESIDE, document.baseURI);
      const query = new URLSearchParams();
      const shared = this.hasAttribute("run");
      const leader = shared ? runs.get(this.getAttribute("run")).values().next().value : this;
      const config = leader.getAttribute("config")?.trim() ?? "";
      const given = { embed: this.getAttribute("panels") || "loss", theme: this.getAttribute("theme"), lang: this.getAttribute("lang") };
      for (const [key, value] of Object.entries(given)) if (value) query.set(key, value);
      if (config.startsWith("{")) query.set("config", config);
      if (this.hasAttribute("paused")) query.set("paused", "");
      if (!this.hasAttribute("height")) query.set("height", "auto");
      if (location.origin !== "null") query.set("host", location.origin);
      if (leader !== this) query.set("join", "");
      // A link's own part stands as it is: its signs mean something.
      const link = config.startsWith("{") ? "" : config.replace(/^[^?]*\?/, "");
      const lesson = this.getAttribute("lesson");
      address.search = `?${[link, query].filter((part) => `${part}`).join("&")}`;
      if (lesson) address.hash = `lesson/${lesson}`;

      this.#frame?.remove();
      this.#port = undefined;
      this.#said = {};
      for (const { reject } of this.#asked.values()) reject(new Error("the figure was made anew"));
      this.#asked.clear();
      const frame = document.createElement("iframe");
      if (this.hasAttribute("sandbox")) frame.sandbox = this.getAttribute("sandbox") || "allow-scripts";
      const opaque = frame.hasAttribute("sandbox") && !frame.sandbox.contains("allow-same-origin");
      // A frame without an origin can be addressed only as anybody; it is known by its window.
      this.#origin = opaque ? "*" : address.origin;
      frame.title = this.getAttribute("label") ?? "LoRA Playground";
      frame.allow = "clipboard-write";
      frame.style.height = `${Number(this.getAttribute("height")) || 400}px`;
      frame.src = address.href;
      this.#frame = frame;
      this.shadowRoot.append(frame);
    }

    // A message, perhaps of this element's frame.
    handleEvent({ source, origin, data }) {
      if (!this.#frame || source !== this.#frame.contentWindow || data?.from !== NAME) return;
      if (origin !== this.#origin && !(this.#origin === "*" && origin === "null")) return;
      if (data.type === "hello") return this.#hello();
      if (data.type === "size" && !this.hasAttribute("height")) this.#frame.style.height = `${data.height}px`;
      if (this.#answer(data) || !TOLD.has(data.type)) return;
      this.#said[data.type] = data;
      this.dispatchEvent(new CustomEvent(data.type, { detail: data }));
    }

    // The frame listens.
    #hello() {
      this.#said.hello = true;
      for (const message of this.#queue.splice(0)) this.send(message);
      const others = runs.get(this.getAttribute("run")) ?? new Set();
      if (this.#leads()) for (const other of others) other.#connect(this);
      else if (others.size) this.#connect(others.values().next().value);
    }

    // Gives this element's frame a line to the engine of the one that leads, once both listen.
    #connect(leader) {
      if (leader === this || this.#port || !this.#said.hello || !leader.#said.hello) return;
      const { port1, port2 } = new MessageChannel();
      this.#port = port2;
      leader.#frame.contentWindow.postMessage({ to: NAME, version: VERSION, type: "share" }, leader.#origin, [port1]);
      this.#frame.contentWindow.postMessage({ to: NAME, version: VERSION, type: "join" }, this.#origin, [port2]);
    }

    #join() {
      const name = this.getAttribute("run");
      if (name === null) return;
      if (!runs.has(name)) runs.set(name, new Set());
      runs.get(name).add(this);
    }

    // The engine goes with the element that had it; the others begin again with another.
    #leave(name = this.getAttribute("run")) {
      const others = runs.get(name);
      if (!others) return;
      const led = others.values().next().value === this;
      others.delete(this);
      if (others.size === 0) runs.delete(name);
      else if (led) for (const other of others) other.#soon();
    }
  }

  if (!customElements.get(NAME)) customElements.define(NAME, Playground);
}
