// Files on their way to the visitor's disk. The page's policy allows data: pictures, and downloads need no permission.
export function save(name, type, text) {
  give(name, new Blob([text], { type }));
}

// An SVG document as a picture of `scale` times its size.
export async function savePng(name, svg, scale) {
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await picture.decode();
  const [, , width, height] = svg.match(/viewBox="([^"]*)"/)[1].split(" ").map(Number);
  const canvas = document.createElement("canvas");
  canvas.width = width * scale;
  canvas.height = height * scale;
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Error("this browser could not draw it");
  give(name, blob);
}

export function give(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content]));
  link.download = name;
  link.click();
  // Browsers read it after the click has returned.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
