// Reads a .safetensors file: { name: { shape, data } }, data as plain numbers.
import { readFile } from "node:fs/promises";

const KINDS = { F32: Float32Array, F64: Float64Array, I64: BigInt64Array };

export async function readSafetensors(path) {
  const bytes = await readFile(path);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerLength).toString("utf8"));
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const kind = KINDS[dtype];
    if (!kind) throw new Error(`${path}: ${name} is ${dtype}, only ${Object.keys(KINDS).join(", ")} are read here`);
    const [from, to] = data_offsets.map((offset) => 8 + headerLength + offset);
    // Copied out, because a typed array must begin at a multiple of its element's size.
    tensors[name] = { shape, data: Array.from(new kind(new Uint8Array(bytes.subarray(from, to)).buffer), Number) };
  }
  return tensors;
}
