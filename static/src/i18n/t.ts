// The words of the page that TypeScript shows. English is the key; a catalogue for another language maps it.

import { german } from "./de";

type Catalogue = Record<string, string>;

const catalogues: Record<string, Catalogue> = { de: german };
let catalogue: Catalogue = {};
let spoken = "en";

/** The language of the page. */
export const languageNow = (): string => spoken;

/** Takes the language of the page. */
export function useLanguage(language = typeof document === "undefined" ? "en" : document.documentElement.lang): void {
  spoken = language;
  catalogue = catalogues[language] ?? catalogues[language.split("-")[0] ?? ""] ?? {};
}

/** The text in the reader's language; `{name}` is replaced by the value of that name. */
export function t(text: string, values: Record<string, string | number> = {}): string {
  const words = catalogue[text] ?? text;
  return words.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}
