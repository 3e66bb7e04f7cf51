// The example's files, those that an address names, and the place where a merged model goes.

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

// Those that the page's address names, `adapter=folder` and `base=file`; undefined where it names none.
export async function addressed() {
  const query = new URLSearchParams(location.search);
  if (!query.get("adapter")) return undefined;
  const { adapterIn } = await import(new URL("folder.js", document.baseURI));
  return adapterIn(query.get("adapter"), query.get("base"));
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
