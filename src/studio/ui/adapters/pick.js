// Files on their way in, as [path, file] pairs, and the place where a merged model goes.

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

export async function example() {
  const names = ["adapter/example/adapter_model.safetensors", "adapter/example/adapter_config.json", "lm/model.safetensors"];
  return await Promise.all(
    names.map(async (path) => {
      const response = await fetch(`data/${path}`);
      if (!response.ok) throw new Error(`data/${path}: status ${response.status}`);
      return [path, new File([await response.blob()], path.split("/").pop())];
    }),
  );
}

// Where the browser lets a page write: a file, or a folder for several. Null where it does not; undefined where the
// visitor would rather not.
export async function place(name, several) {
  const ask = several ? globalThis.showDirectoryPicker : globalThis.showSaveFilePicker;
  if (!ask) return null;
  try {
    return await (several ? ask({ mode: "readwrite" }) : ask({ suggestedName: name }));
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    throw error;
  }
}
