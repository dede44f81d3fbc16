// The editor is a bundle of its own and brings no catalogue: the page that loads it says how words are translated.
export type Translate = (text: string, values?: Record<string, string | number>) => string;

let translate: Translate = (text, values = {}) => text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));

export function useWords(words: Translate | undefined): void {
  if (words) translate = words;
}

/** The text in the reader's language; `{name}` is replaced by the value of that name. */
export const t: Translate = (text, values) => translate(text, values);

/** What CodeMirror itself says, in the reader's language. */
export function phrases(): Record<string, string> {
  return {
    "Find": t("Find"), "Replace": t("Replace"), "next": t("next match"), "previous": t("previous match"), "all": t("all matches"),
    "match case": t("match case"), "regexp": t("regular expression"), "by word": t("whole words"), "replace": t("replace"), "replace all": t("replace all"),
    "close": t("close"), "current match": t("current match"), "on line": t("on line"), "replaced match on line $": t("replaced match on line $"), "replaced $ matches": t("replaced $ matches"),
    "Go to line": t("Go to line"), "go": t("go"), "Diagnostics": t("Problems"), "No diagnostics": t("No problems"),
    "Fold line": t("Fold line"), "Unfold line": t("Unfold line"), "folded code": t("folded lines"), "unfold": t("unfold"), "Folded lines": t("Folded lines"), "Unfolded lines": t("Unfolded lines"), "to": t("to"), "Unfold": t("Unfold line"),
    "$ unchanged lines": t("$ unchanged lines"), "Control character": t("Control character"),
  };
}
