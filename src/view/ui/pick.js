// Files on their way in, as [path, file] pairs.

export function chosen(input) {
  const files = [...input.files].map((file) => [file.webkitRelativePath || file.name, file]);
  // The same files can be chosen again.
  input.value = "";
  return files;
}

// Entries must be taken before the first wait: afterwards the browser has forgotten them.
export async function dropped(event) {
  const items = [...(event.dataTransfer?.items ?? [])].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const files = [];
  for (const entry of entries) if (entry) await gather(entry, "", files);
  return files;
}

async function gather(entry, folder, files) {
  if (entry instanceof File) return files.push([entry.name, entry]);
  const path = folder + entry.name;
  if (entry.isFile) return files.push([path, await new Promise((resolve, reject) => entry.file(resolve, reject))]);
  const reader = entry.createReader();
  for (;;) {
    // A hundred at a time.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const inner of some) await gather(inner, `${path}/`, files);
  }
}
