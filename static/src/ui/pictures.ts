// Pictures that an author adds to a lesson: read in the browser, kept as Base64 among the lesson's files.
import { t } from "../i18n/t";

const MOST = 200_000;
const TYPES: Record<string, string> = { png: "image/png", svg: "image/svg+xml", webp: "image/webp" };

export const isPicture = (file: string): boolean => file.startsWith("images/");
export const pictureType = (file: string): string => TYPES[file.split(".").at(-1)!] ?? "";

/** The name that a file gets in the lesson, and its bytes in Base64. Rejects with what is wrong with it. */
export async function readPicture(file: File): Promise<{ name: string; data: string }> {
  const name = file.name.toLowerCase().replace(/[^a-z0-9.-]+/g, "-").replace(/^[^a-z0-9]+/, "");
  if (!/^[a-z0-9][a-z0-9.-]{0,56}\.(png|svg|webp)$/.test(name)) throw new Error(t("A picture is a PNG, SVG or WebP file."));
  if (file.size > MOST) throw new Error(t("A picture has {count} kB at most.", { count: MOST / 1000 }));
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return { name: `images/${name}`, data: btoa(text) };
}
