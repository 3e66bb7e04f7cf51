// The small language model and one batch of text, the same for every contender. Runs in the page.

const FOLDER = "/pkg/data/lm";
const LANGUAGE = "deu_1996";

export const BATCH = 8;
export const SEQUENCE = 64;
export const SITES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

const json = async (name) => (await fetch(`${FOLDER}/${name}`)).json();

function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
}

// { name: { shape, values } } of a safetensors file whose numbers are F16.
export function tensors(bytes) {
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  delete header.__metadata__;
  const read = ({ dtype, shape, data_offsets: [from, to] }) => {
    if (dtype !== "F16") throw new Error(`the small model's numbers are ${dtype}, not F16`);
    const halves = new Uint16Array(bytes.slice(8 + length + from, 8 + length + to).buffer);
    return { shape, values: Float32Array.from(halves, half) };
  };
  return Object.fromEntries(Object.entries(header).map(([name, tensor]) => [name, read(tensor)]));
}

// Passages from one text; a passage begins with byte 0, and every byte is to be predicted from those before it.
export async function language() {
  const [config, texts, file] = await Promise.all([json("config.json"), json("texts.json"), fetch(`${FOLDER}/model.safetensors`)]);
  const text = new TextEncoder().encode(texts[LANGUAGE].train);
  const y = Int32Array.from(text.subarray(0, BATCH * SEQUENCE));
  const x = y.map((_, at) => (at % SEQUENCE ? y[at - 1] : 0));
  return { config, weights: new Uint8Array(await file.arrayBuffer()), x, y };
}
