// A panel as a drawing by itself: what is seen of it, with its colours, its title and a caption. Text stays text, at the places
// that the browser gave it; canvases become pictures in it; styles become attributes, so that the file needs nothing else. What
// only acts (buttons, menus, sliders) is left out. Fetched when a picture is asked for; knows nothing of what panels hold.
const SVG = "http://www.w3.org/2000/svg";
const PAD = 16;
// Above a panel's heading there is room already.
const ABOVE = 4;
// Of SVG elements: what they inherit, what they do not, and where their geometry is said.
const INHERITED = ["fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "paint-order", "text-anchor", "visibility", "font-family", "font-size", "font-weight"];
const OWN = { opacity: "1", "vector-effect": "none", "dominant-baseline": "auto" };
const GEOMETRY = new Set("d x y dx dy x1 y1 x2 y2 cx cy r rx ry width height points transform viewBox preserveAspectRatio".split(" "));
const CAPTION_LINES = 4;

const pen = document.createElement("canvas").getContext("2d");
const fontOf = (style) => `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
const clear = (colour) => colour === "transparent" || /^rgba\(.*, 0\)$/.test(colour);
const pixels = (length) => parseFloat(length) || 0;
const round = (number) => String(Math.round(number * 100) / 100);

function make(name, attributes = {}, ...inside) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, typeof value === "number" ? round(value) : value);
  element.append(...inside);
  return element;
}

// Of an address, what says how the page shows a run and not which run it is.
const SHOWN = new Set(["embed", "paused", "lang", "theme", "host", "height", "join"]);

// What is shown, as the page tells it. In the lab, the run: its step, what it is, its sentence and its address. Elsewhere, the
// view, what `panel` is of, and the view's address.
function told(panel) {
  const said = (selector) => document.querySelector(selector)?.textContent ?? "";
  const named = (...parts) => ["LoRA Playground", ...parts].filter(Boolean).join(" · ");
  const page = location.origin + location.pathname;
  if (!panel.closest("#app") || !document.querySelector("#app .now")) {
    return { step: "", link: page + location.hash, lines: [named(said("#studio-title") || said("#cases-title"), panel.dataset.of)] };
  }
  const step = said(".status").split(" · ")[0];
  const title = document.querySelector("#app .title")?.firstChild?.textContent ?? "";
  const query = location.search.slice(1).split("&").filter((pair) => pair && !SHOWN.has(pair.split("=")[0]));
  const link = page + (query.length ? `?${query.join("&")}` : "");
  return { step, link, lines: [named(step, title), said("#app .now")] };
}

// Puts what is seen of `panel` on the visitor's disk, as "svg" or as "png", which has two pixels for one.
export async function save(panel, form) {
  const { step, lines, link } = told(panel);
  const svg = draw(panel, lines, link);
  const content = form === "png" ? await inPixels(svg, 2) : new Blob([svg], { type: "image/svg+xml" });
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(content);
  const at = step.replace(/\D/g, "");
  anchor.download = `${panel.id}${at && `-${at}`}.${form}`;
  anchor.click();
  // Browsers read it after the click has returned.
  setTimeout(() => URL.revokeObjectURL(anchor.href), 60_000);
}

async function inPixels(svg, scale) {
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await picture.decode();
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: picture.width * scale, height: picture.height * scale });
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Error("this browser could not draw the picture");
  return blob;
}

// The SVG document of `panel`, with the lines of its caption and the address of what it shows.
function draw(panel, lines, link) {
  const frame = panel.getBoundingClientRect();
  const body = getComputedStyle(document.body);
  const base = { "font-family": body.fontFamily, "font-size": body.fontSize };
  const drawing = new Drawing(frame.left - PAD, frame.top - ABOVE, base);
  for (const child of panel.children) drawing.element(child, drawing.root);
  const width = Math.ceil(frame.width) + 2 * PAD;
  let y = Math.ceil(drawing.bottom) + PAD;
  const soft = getComputedStyle(panel.querySelector(".note, .readout, caption") ?? panel).color;
  const below = make("g", { fill: soft });
  below.append(make("path", { d: `M${PAD} ${y}H${width - PAD}`, stroke: soft, "stroke-opacity": "0.4" }));
  pen.font = fontOf(body);
  const write = (line) => make("text", { x: PAD, y: (y += 16) }, line);
  y += 4;
  for (const line of lines.filter(Boolean)) below.append(...wrapped(line, width - 2 * PAD).map(write));
  const address = wrapped(link, width - 2 * PAD);
  if (address.length > CAPTION_LINES) address.splice(CAPTION_LINES, Infinity, "…");
  below.append(make("a", { href: link }, ...address.map(write)));
  const height = y + PAD;

  const title = panel.querySelector("h2, h3")?.textContent ?? "";
  const svg = make("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "xml:lang": document.documentElement.lang, fill: body.color, ...base });
  svg.append(make("title", {}, title), make("desc", {}, [...lines, link].filter(Boolean).join("\n")));
  svg.append(make("rect", { width, height, fill: getComputedStyle(document.documentElement).backgroundColor }), drawing.root, below);
  return new XMLSerializer().serializeToString(svg);
}

// Words, or letters where a word is longer than a line or there are no spaces, in lines as wide as `width` in the pen's font.
function wrapped(text, width) {
  const lines = [""];
  const fits = (more) => pen.measureText(lines.at(-1) + more).width <= width;
  // Signs that open stay with what follows, signs that close with what was before.
  const words = /[（《「“【]*(?:[\u2e80-\uffef]|[^\s\u2e80-\uffef“”]+)[，。；：、）》」”】]*|\s+|./gu;
  for (const [word] of text.matchAll(words)) {
    if (fits(word)) lines[lines.length - 1] += word;
    else if (pen.measureText(word).width <= width) lines.push(word.trimStart());
    else {
      for (const letter of word) {
        if (!fits(letter)) lines.push("");
        lines[lines.length - 1] += letter;
      }
    }
  }
  return lines.map((line) => line.trim()).filter(Boolean);
}

// Lines whose width is the screen's, whatever the scale, would be thinner in a picture that is enlarged: theirs is taken in.
function flatten(copy, view, { width, height }) {
  const parts = [...copy.querySelectorAll("*")];
  if (!view.width || !parts.every((part) => part.localName === "rect" || /^[ML\d\s.,-]+$/.test(part.getAttribute("d") ?? "?"))) return;
  const [across, down] = [width / view.width, height / view.height];
  for (const part of parts) {
    part.removeAttribute("vector-effect");
    const scale = (names, by, from) => names.forEach((name) => part.hasAttribute(name) && part.setAttribute(name, round((part.getAttribute(name) - from) * by)));
    for (const [names, by, from] of [[["x"], across, view.x], [["width"], across, 0], [["y"], down, view.y], [["height"], down, 0]]) scale(names, by, from);
    const place = (all, x, y) => `${round((x - view.x) * across)} ${round((y - view.y) * down)}`;
    if (part.hasAttribute("d")) part.setAttribute("d", part.getAttribute("d").replace(/(-?[\d.]+)[\s,]+(-?[\d.]+)/g, place));
  }
  copy.removeAttribute("viewBox");
}

class Drawing {
  constructor(left, top, base) {
    Object.assign(this, { left, top, base, root: make("g"), bottom: 0, clips: 0 });
  }

  // What is drawn ends here at the earliest.
  reach(rect, clip) {
    this.bottom = Math.max(this.bottom, Math.min(rect.bottom, clip?.bottom ?? Infinity) - this.top);
  }

  element(element, into, clip) {
    const style = getComputedStyle(element);
    if (style.display === "none" || style.visibility === "hidden" || style.clipPath !== "none" || element.dataset.tool !== undefined) return;
    if (element.localName === "svg") return this.vector(element, into, clip);
    if (element.localName === "canvas") return this.canvas(element, style, into, clip);
    if (/^(details|summary|button)$/.test(element.localName) && !element.hasAttribute("aria-pressed")) return;
    if (element.matches(".switch:has(input:not(:checked))")) return;
    if (/^(input|select|textarea)$/.test(element.localName)) return this.control(element, style, into);
    if (style.opacity !== "1") {
      const group = make("g", { opacity: style.opacity });
      into.append(group);
      into = group;
    }
    const rects = style.display === "inline" ? [...element.getClientRects()] : [element.getBoundingClientRect()];
    for (const rect of rects) if (rect.width > 0 && rect.height > 0) this.box(rect, style, into, clip);
    this.before(element, into);
    const scrolls = style.overflowX !== "visible" && (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1);
    if (scrolls) {
      clip = element.getBoundingClientRect();
      const [x, y, name] = [clip.left - this.left, clip.top - this.top, `c${(this.clips += 1)}`];
      const cut = make("g", { "clip-path": `url(#${name})` });
      into.append(make("clipPath", { id: name }, make("rect", { x, y, width: clip.width, height: clip.height })), cut);
      into = cut;
    }
    for (const node of element.childNodes) {
      if (node.nodeType === Node.ELEMENT_NODE) this.element(node, into, clip);
      else if (node.nodeType === Node.TEXT_NODE) this.text(node, style, into, clip);
    }
    this.after(element, into);
  }

  // Ground, edges and ring.
  box(rect, style, into, clip) {
    const [x, y, width, height] = [rect.left - this.left, rect.top - this.top, rect.width, rect.height];
    const radius = /%$/.test(style.borderTopLeftRadius) ? Math.min(width, height) / 2 : pixels(style.borderTopLeftRadius);
    const seen = into.childElementCount;
    if (!clear(style.backgroundColor)) into.append(make("rect", { x, y, width, height, ...(radius && { rx: radius }), fill: style.backgroundColor }));
    const sides = ["Top", "Right", "Bottom", "Left"].map((side) => ({
      wide: style[`border${side}Style`] === "none" || clear(style[`border${side}Color`]) ? 0 : pixels(style[`border${side}Width`]),
      stroke: style[`border${side}Color`],
    }));
    const [top, right, bottom, left] = sides;
    const half = top.wide / 2;
    if (top.wide && sides.every((side) => side.wide === top.wide && side.stroke === top.stroke)) {
      into.append(make("rect", { x: x + half, y: y + half, width: width - top.wide, height: height - top.wide, fill: "none", stroke: top.stroke, "stroke-width": top.wide }));
    } else {
      const line = ({ wide, stroke }, d) => wide && into.append(make("path", { d, stroke, "stroke-width": wide }));
      // Cells of a table share their edges, which lie half in each.
      const inside = style.display === "table-cell" && style.borderCollapse === "collapse" ? 0 : 1;
      line(top, `M${round(x)} ${round(y + inside * half)}h${round(width)}`);
      line(bottom, `M${round(x)} ${round(y + height - (inside * bottom.wide) / 2)}h${round(width)}`);
      line(left, `M${round(x + left.wide / 2)} ${round(y)}v${round(height)}`);
      line(right, `M${round(x + width - right.wide / 2)} ${round(y)}v${round(height)}`);
    }
    const ring = pixels(style.outlineWidth);
    if (style.outlineStyle === "solid" && ring) {
      into.append(make("rect", { x: x - ring / 2, y: y - ring / 2, width: width + ring, height: height + ring, fill: "none", stroke: style.outlineColor, "stroke-width": ring }));
    }
    // The mark under what is chosen of several.
    const under = style.boxShadow.match(/^(.*\)) 0px -(\d+)px 0px 0px inset$/);
    if (under) into.append(make("rect", { x, y: y + height - under[2], width, height: Number(under[2]), fill: under[1] }));
    if (into.childElementCount > seen) this.reach(rect, clip);
  }

  text(node, style, into, clip) {
    const [from, to] = [node.data.search(/\S/), node.data.trimEnd().length];
    if (from < 0) return;
    const range = document.createRange();
    const part = (start, end) => {
      range.setStart(node, start);
      range.setEnd(node, end);
      return range;
    };
    const rects = [...part(from, to).getClientRects()];
    if (!rects.length) return;
    if (rects.every((rect) => Math.abs(rect.top - rects[0].top) < 2)) return this.line(node.data.slice(from, to), range.getBoundingClientRect(), style, into, clip);
    // In several lines: by letters.
    let line;
    const done = () => line && this.line(line.text.trimEnd(), line.rect, style, into, clip);
    for (let at = from; at < to; ) {
      const letter = String.fromCodePoint(node.data.codePointAt(at));
      const rect = part(at, (at += letter.length)).getClientRects()[0];
      if (!rect) continue;
      if (line && Math.abs(rect.top - line.rect.top) < 2) {
        line.text += letter;
        if (letter.trim()) line.rect = new DOMRect(line.rect.left, line.rect.top, rect.right - line.rect.left, line.rect.height);
      } else if (letter.trim()) {
        done();
        line = { text: letter, rect };
      }
    }
    done();
  }

  // One line of text in the place that it has.
  line(text, rect, style, into, clip, anchor) {
    text = text.replace(/\s+/g, " ");
    pen.font = fontOf(style);
    const { fontBoundingBoxAscent: up, fontBoundingBoxDescent: down } = pen.measureText(text);
    let width = rect.width;
    if (clip && style.textOverflow === "ellipsis" && rect.right > clip.right + 1) {
      const room = clip.right - rect.left - pen.measureText("…").width;
      while (text && pen.measureText(text).width > room) text = text.slice(0, -1);
      text += "…";
      width = pen.measureText(text).width;
    }
    const attributes = { x: rect.left - this.left, y: rect.top - this.top + (rect.height + up - down) / 2, fill: style.color };
    // Where a reader's font is another, names still end where they ended.
    if (width > 0) Object.assign(attributes, { textLength: width, lengthAdjust: "spacingAndGlyphs" });
    if (anchor) Object.assign(attributes, { "text-anchor": anchor });
    if (style.fontFamily !== this.base["font-family"]) attributes["font-family"] = style.fontFamily;
    if (style.fontSize !== this.base["font-size"]) attributes["font-size"] = style.fontSize;
    if (style.fontWeight !== "400") attributes["font-weight"] = style.fontWeight;
    if (/line-through/.test(style.textDecorationLine)) attributes["text-decoration"] = "line-through";
    into.append(make("text", attributes, text));
    this.reach(rect, clip);
  }

  // What the style sheet puts before an element's text: a sign, or a small box that is full where something is on.
  before(element, into) {
    const style = getComputedStyle(element, "::before");
    if (!/^"/.test(style.content)) return;
    const range = document.createRange();
    range.selectNodeContents(element);
    const beside = range.getBoundingClientRect();
    const sign = style.content.slice(1, -1);
    if (sign) return this.line(sign, new DOMRect(beside.left, beside.top, 0, beside.height), style, into, undefined, "end");
    const [width, height] = [pixels(style.width), pixels(style.height)];
    const rect = new DOMRect(beside.left - pixels(style.marginRight) - width, beside.top + (beside.height - height) / 2, width, height);
    this.box(rect, style, into);
  }

  // What it puts at a place of an element that it says.
  after(element, into) {
    const style = getComputedStyle(element, "::after");
    if (style.position !== "absolute" || !/^"[^"]/.test(style.content)) return;
    const { left, top } = element.getBoundingClientRect();
    this.line(style.content.slice(1, -1), new DOMRect(left + pixels(style.left), top + pixels(style.top), 0, pixels(style.height)), style, into);
  }

  // What a control says, without the control.
  control(element, style, into) {
    const rect = element.getBoundingClientRect();
    if (element.type === "range" || !rect.width) return;
    if (element.type === "checkbox") {
      const [x, y, side] = [rect.left - this.left + 2, rect.top - this.top + 2, rect.width - 4];
      into.append(make("rect", { x, y, width: side, height: side, fill: element.checked ? style.color : "none", stroke: style.color }));
      return this.reach(rect);
    }
    const says = element.localName === "select" ? element.selectedOptions[0]?.textContent : element.value;
    if (!says) return;
    pen.font = fontOf(style);
    this.line(says, new DOMRect(rect.left, rect.top, Math.min(pen.measureText(says).width, rect.width), rect.height), style, into);
  }

  // A canvas whose pixels are cells is enlarged here, because not every program draws them with edges.
  canvas(canvas, style, into, clip) {
    const rect = canvas.getBoundingClientRect();
    if (!canvas.width || !canvas.height || !rect.width || !rect.height) return;
    let picture = canvas;
    if (style.imageRendering === "pixelated") {
      const enlarge = (cells, room) => cells * Math.max(1, Math.ceil((2 * room) / cells));
      picture = document.createElement("canvas");
      Object.assign(picture, { width: enlarge(canvas.width, rect.width), height: enlarge(canvas.height, rect.height) });
      const context = picture.getContext("2d");
      context.imageSmoothingEnabled = false;
      context.drawImage(canvas, 0, 0, picture.width, picture.height);
    }
    into.append(make("image", { x: rect.left - this.left, y: rect.top - this.top, width: rect.width, height: rect.height, preserveAspectRatio: "none", href: picture.toDataURL() }));
    this.reach(rect, clip);
  }

  vector(svg, into, clip) {
    const rect = svg.getBoundingClientRect();
    if (!rect.width || !rect.height) return;
    const copy = this.copy(svg, {});
    if (!copy?.childElementCount) return;
    for (const [key, value] of Object.entries({ x: rect.left - this.left, y: rect.top - this.top, width: rect.width, height: rect.height })) copy.setAttribute(key, round(value));
    if (getComputedStyle(svg).overflow === "visible") copy.setAttribute("overflow", "visible");
    if (copy.getAttribute("preserveAspectRatio") === "none") flatten(copy, svg.viewBox.baseVal, rect);
    into.append(copy);
    this.reach(rect, clip);
  }

  // An SVG element with what styles say of it as attributes; `around` is what the copy inherits.
  copy(element, around) {
    const style = getComputedStyle(element);
    if (style.display === "none") return null;
    const copy = make(element.localName);
    for (const { name, value } of element.attributes) if (GEOMETRY.has(name)) copy.setAttribute(name, value);
    const own = {};
    for (const property of INHERITED) {
      own[property] = style.getPropertyValue(property);
      if (own[property] !== around[property]) copy.setAttribute(property, own[property]);
    }
    for (const [property, usual] of Object.entries(OWN)) {
      const value = style.getPropertyValue(property);
      if (value !== usual) copy.setAttribute(property, value);
    }
    for (const node of element.childNodes) {
      if (node.nodeType === Node.TEXT_NODE) copy.append(node.data);
      else if (node.nodeType === Node.ELEMENT_NODE) copy.append(this.copy(node, own) ?? "");
    }
    return copy;
  }
}
