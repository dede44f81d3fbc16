// Files that somebody chooses or drops: single ones, whole folders, archives of manifests. Everything is bounded.

import { through } from "./through";

export interface ReadFile {
  name: string;
  text: string;
}

const MANIFEST = /\.(ya?ml|json)$/i;
const FILES_MOST = 500;
export const BYTES_MOST = 4_000_000;

export class FilesProblem extends Error {}

/** The files of a drop; folders with all that is in them. */
export async function dropped(data: DataTransfer): Promise<File[]> {
  // The list is emptied as soon as the event is over: take all entries first.
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  const plain = [...data.files];
  if (!entries.some((entry) => entry?.isDirectory)) return plain;
  const found: File[] = [];
  const walk = async (entry: FileSystemEntry): Promise<void> => {
    if (found.length >= FILES_MOST) return;
    if (entry.isFile) {
      const file = await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed));
      found.push(new File([file], entry.fullPath.replace(/^\//, ""), { type: file.type }));
      return;
    }
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {
      const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
      if (!some.length) break;
      for (const one of some) if (!one.name.startsWith(".")) await walk(one);
    }
  };
  for (const entry of entries) if (entry) await walk(entry);
  return found;
}

/** The manifests among some files, archives unpacked, in the order of their names. Raises FilesProblem for what is too much or damaged. */
export async function manifestsOf(files: Iterable<File>, any = false): Promise<ReadFile[]> {
  const found: ReadFile[] = [];
  let size = 0;
  for (const file of files) {
    const name = file.webkitRelativePath || file.name;
    if (!/\.zip$/i.test(name) && !any && !MANIFEST.test(name)) continue;
    if (file.size > BYTES_MOST) throw new FilesProblem("too large");
    const read = /\.zip$/i.test(name) ? await unzip(new Uint8Array(await file.arrayBuffer())) : [{ name, text: await file.text() }];
    for (const one of read) {
      size += one.text.length;
      found.push(one);
      if (size > BYTES_MOST || found.length > FILES_MOST) throw new FilesProblem("too large");
    }
  }
  return found.sort((a, b) => a.name.localeCompare(b.name));
}

/** Several manifests as one text. */
export function joined(files: ReadFile[]): string {
  return files.map(({ text }) => text.trim().replace(/^---[ \t]*\n/, "")).filter(Boolean).join("\n---\n") + "\n";
}

/** The manifests in a zip archive (APPNOTE.TXT of PKWARE, 4.3; stored and deflated entries; no encryption, no Zip64). */
export async function unzip(bytes: Uint8Array): Promise<ReadFile[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && end > bytes.length - 66_000 && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0 || view.getUint32(end, true) !== 0x06054b50) throw new FilesProblem("damaged");
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true), left = BYTES_MOST;
  const found: ReadFile[] = [];
  try {
    for (let number = 0; number < count; number++) {
      if (view.getUint32(at, true) !== 0x02014b50) throw new FilesProblem("damaged");
      const flags = view.getUint16(at + 8, true), method = view.getUint16(at + 10, true), size = view.getUint32(at + 20, true);
      const [nameSize, extraSize, noteSize] = [view.getUint16(at + 28, true), view.getUint16(at + 30, true), view.getUint16(at + 32, true)];
      const local = view.getUint32(at + 42, true);
      const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameSize));
      at += 46 + nameSize + extraSize + noteSize;
      if (!MANIFEST.test(name) || /(^|\/)(\.|__MACOSX)/.test(name)) continue;
      if (found.length >= FILES_MOST) throw new FilesProblem("too large");
      if (flags & 1 || (method !== 0 && method !== 8)) throw new FilesProblem("damaged");
      const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      const data = bytes.subarray(start, start + size);
      const text = new TextDecoder().decode(method === 0 ? data : await through(data, new DecompressionStream("deflate-raw"), left, () => new FilesProblem("too large")));
      left -= text.length;
      if (left < 0) throw new FilesProblem("too large");
      found.push({ name, text });
    }
  } catch (error) {
    throw error instanceof FilesProblem ? error : new FilesProblem("damaged");
  }
  return found;
}
