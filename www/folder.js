// An adapter that lies in a folder of this page's own site; its policy allows no other. Fetched where an address names one.

// Pairs of a path and a file: what PEFT saved in `folder`, and the base's weights where `base` is their path.
export async function adapterIn(folder, base) {
  const place = new URL(`${folder}/`, document.baseURI);
  const paths = ["adapter_model.safetensors", "adapter_config.json"].map((name) => new URL(name, place));
  if (base) paths.push(new URL(base, document.baseURI));
  const elsewhere = paths.find(({ origin }) => origin !== location.origin);
  if (elsewhere) throw new Error(`${elsewhere.origin} is another site than the playground's, ${location.origin}: put the folder there`);
  return Promise.all(
    paths.map(async (path) => {
      const response = await fetch(path);
      if (!response.ok) throw new Error(`${response.url}: status ${response.status}`);
      const name = path.pathname.split("/").at(-1);
      return [name, new File([await response.blob()], name)];
    }),
  );
}
