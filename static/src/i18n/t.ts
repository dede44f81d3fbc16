// The words of the page that TypeScript shows. English is the key; a catalogue for another language maps it.
// A catalogue comes as a script of its own, which the page names before its others: nobody loads a language that is not read.

type Catalogue = Record<string, string>;
type Shelf = typeof globalThis & { clusterlabWords?: Record<string, Catalogue> };

let catalogue: Catalogue = {};
let spoken = "en";

/** The language of the page. */
export const languageNow = (): string => spoken;

/** Lays a catalogue where `useLanguage` finds it, in whichever bundle that is. */
export function offerWords(language: string, words: Catalogue): void {
  ((globalThis as Shelf).clusterlabWords ??= {})[language] = words;
}

/** Takes the language of the page, as far as its words have been offered. */
export function useLanguage(language = typeof document === "undefined" ? "en" : document.documentElement.lang): void {
  spoken = language;
  const catalogues = (globalThis as Shelf).clusterlabWords ?? {};
  catalogue = catalogues[language] ?? catalogues[language.split("-")[0] ?? ""] ?? {};
}

/** The text in the reader's language; `{name}` is replaced by the value of that name. */
export function t(text: string, values: Record<string, string | number> = {}): string {
  const words = catalogue[text] ?? text;
  return words.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}
