// Where the worker writes files: memory, or one that the visitor chose.

// Pieces go into a Blob some megabytes at a time, which the browser may keep on disk.
const MUCH = 64 << 20;

export class Pieces {
  parts = [];
  loose = 0;
  async write(bytes) {
    this.parts.push(bytes);
    this.loose += bytes.length;
    if (this.loose < MUCH) return;
    this.parts = [new Blob(this.parts)];
    this.loose = 0;
  }
  async close() {
    return new Blob(this.parts);
  }
  async abort() {
    this.parts = [];
  }
}

export function pieces() {
  return new Pieces();
}

// A writable stream into the file, or into a new one of that name in the folder; it appears in its place when closed.
export async function into(handle, name) {
  if (handle.kind !== "directory") return await handle.createWritable();
  const there = await handle.getFileHandle(name).catch(() => null);
  if (there) throw new Error(`the folder holds a ${name} already; choose an empty one`);
  return await (await handle.getFileHandle(name, { create: true })).createWritable();
}

// Lets messages in.
export function turn() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve(port1.close());
    port2.postMessage(0);
  });
}
