// Reads a .safetensors file of float32 tensors: { name: { shape, data } }.
import { readFile } from "node:fs/promises";

export async function readSafetensors(path) {
  const bytes = await readFile(path);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerLength).toString("utf8"));
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    if (dtype !== "F32") throw new Error(`${path}: ${name} is ${dtype}, only F32 is read here`);
    const [from, to] = data_offsets.map((offset) => 8 + headerLength + offset);
    // Copied out, because a typed array must begin at a multiple of its element's size.
    tensors[name] = { shape, data: new Float32Array(new Uint8Array(bytes.subarray(from, to)).buffer) };
  }
  return tensors;
}
