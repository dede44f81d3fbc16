// The editor of manifests and lessons: CodeMirror, with what the lab's own OpenAPI knows of each field and lessons' JSON Schema of each
// block. In a bundle of its own.
//
// It lives in a shadow root: there CodeMirror uses constructed style sheets, as the page's policy wants.
import { closeBrackets, closeBracketsKeymap, autocompletion, completionKeymap, type CompletionContext } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, foldGutter, foldKeymap, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { linter, lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { unifiedMergeView } from "@codemirror/merge";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, StateEffect } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, hoverTooltip, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { completionAt } from "./complete";
import { problemsOf } from "./check";
import { hoverAt } from "./hover";
import { lessonCompletionAt, lessonLanguage, lessonProblems } from "./lesson";
import { Openapi } from "./openapi";
import { lineOfPath } from "./tree";
import { phrases, useWords, type Translate } from "./words";

/** A manifest of the cluster; a lesson's text; YAML of which nothing more is known. */
export type EditorLanguage = "manifest" | "lesson" | "yaml";

export interface EditorOptions {
  text: string;
  /** What the text is; a manifest where nothing is said. */
  language?: EditorLanguage;
  /** What a screen reader calls it. */
  label: string;
  /** Where the OpenAPI of the lab is served; "" where it may not be read. */
  openapi: string;
  readOnly?: boolean;
  /** How words are translated. */
  words?: Translate;
  changed?(text: string): void;
  /** Ctrl-S. */
  save?(): void;
}

/** A problem that the server has found: of which document of the text, at which field. */
export interface ServerProblem {
  document: number;
  path: string;
  message: string;
}

export interface ManifestEditor {
  text: string;
  focus(): void;
  close(): void;
  /** Shows how the text differs from another one; null: shows the text alone. */
  compare(original: string | null): void;
  problems(found: ServerProblem[]): void;
  /** Problems by line, from 1, which stay until others are given. */
  lines(found: { line: number; message: string }[]): void;
  /** Puts the cursor on a line, from 1. */
  goTo(line: number): void;
}

const look = EditorView.theme({
  "&": { height: "100%", backgroundColor: "var(--bg)", color: "var(--text)", fontSize: "calc(var(--fs) * 0.93)" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-content": { caretColor: "var(--accent)" },
  ".cm-cursor": { borderLeftColor: "var(--accent)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--panel)", color: "var(--soft)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 8%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--accent) 28%, transparent)" },
  ".cm-tooltip": { backgroundColor: "var(--panel)", color: "var(--text)", border: "1px solid var(--line)", borderRadius: "8px", maxWidth: "520px", boxShadow: "0 4px 18px var(--shadow)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "14em" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-completionDetail": { color: "inherit", fontStyle: "normal", opacity: "0.85" },
  ".cm-completionInfo": { padding: "8px 12px", fontFamily: "var(--sans)", lineHeight: "1.4" },
  ".cm-hover": { padding: "8px 12px", fontFamily: "var(--sans)", lineHeight: "1.42", fontSize: "0.96em", whiteSpace: "pre-line" },
  ".cm-hover b": { fontFamily: "var(--mono)", color: "var(--accent)" },
  ".cm-panels": { backgroundColor: "var(--raise)", color: "var(--text)" },
  ".cm-panels input, .cm-panels button": { color: "var(--text)", background: "var(--panel)", border: "1px solid var(--line)" },
  ".cm-diagnostic": { fontFamily: "var(--sans)", padding: "6px 10px" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--bad)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--warn)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--bad)" },
  ".cm-lintRange-warning": { backgroundImage: "none", textDecoration: "underline wavy var(--warn)" },
  ".cm-lint-marker-error, .cm-lint-marker-warning": { content: "none" },
  ".cm-lint-marker-error::before": { content: '"✖"', color: "var(--bad)" },
  ".cm-lint-marker-warning::before": { content: '"!"', color: "var(--warn)", fontWeight: "700" },
  ".cm-changedLine, &.cm-merge-b .cm-changedLine": { backgroundColor: "color-mix(in srgb, var(--ok) 16%, transparent)" },
  ".cm-deletedChunk": { backgroundColor: "color-mix(in srgb, var(--bad) 14%, transparent)", color: "var(--text)" },
  "&.cm-merge-b .cm-changedText, .cm-changedText": { background: "color-mix(in srgb, var(--ok) 30%, transparent)" },
  ".cm-deletedChunk .cm-deletedText, &.cm-merge-b .cm-deletedText": { background: "color-mix(in srgb, var(--bad) 30%, transparent)" },
  ".cm-changeGutter": { width: "3px" },
  ".cm-collapsedLines::before, .cm-collapsedLines::after": { content: '"⋯"', margin: "0 0.6em" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--raise)", color: "var(--soft)", border: "1px solid var(--line)" },
});

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--accent)" },
  { tag: [tags.string, tags.content], color: "var(--text)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--v4)" },
  { tag: tags.comment, color: "var(--soft)", fontStyle: "italic" },
  { tag: [tags.meta, tags.separator, tags.punctuation], color: "var(--soft)" },
  { tag: tags.invalid, color: "var(--bad)" },
  { tag: tags.heading, fontWeight: "700" },
  { tag: tags.emphasis, fontStyle: "italic" },
  { tag: tags.strong, fontWeight: "700" },
  { tag: [tags.link, tags.url, tags.labelName], color: "var(--accent)" },
  { tag: [tags.monospace, tags.processingInstruction], color: "var(--v4)" },
]);

/** Problems have come from elsewhere. */
const toldAnew = StateEffect.define<null>();

function hover(openapi: Openapi) {
  return hoverTooltip(async (view, position) => {
    const found = await hoverAt(view.state.doc.toString(), position, openapi);
    if (!found) return null;
    return {
      pos: found.from, end: found.to, above: true,
      create: () => {
        const dom = document.createElement("div");
        dom.className = "cm-hover";
        const head = document.createElement("b");
        head.textContent = found.title;
        dom.append(head, `\n${found.text}`);
        return { dom };
      },
    };
  });
}

/** Opens an editor in a box. */
export function createEditor(box: HTMLElement, options: EditorOptions): ManifestEditor {
  useWords(options.words);
  const openapi = new Openapi(options.openapi);
  const place = document.createElement("div");
  place.className = "editor";
  const root = place.attachShadow({ mode: "open" });
  box.append(place);
  const comparing = new Compartment();
  const language = options.language ?? "manifest";
  let told: { line: number; message: string }[] = [];
  const atLines = (shown: EditorView): Diagnostic[] => told.filter(({ line }) => line >= 1 && line <= shown.state.doc.lines).map(({ line, message }) => {
    const found = shown.state.doc.line(line);
    return { from: found.from + (/^\s*/.exec(found.text)?.[0].length ?? 0), to: found.to, severity: "error" as const, message };
  });
  const complete = { manifest: (context: CompletionContext) => completionAt(context, openapi), lesson: lessonCompletionAt, yaml: () => null }[language];
  const check = { manifest: problemsOf, lesson: lessonProblems, yaml: () => Promise.resolve([]) }[language];
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: options.text,
      extensions: [
        lineNumbers(), foldGutter(), lintGutter(), history(), drawSelection(), indentOnInput(), bracketMatching(), closeBrackets(), highlightActiveLine(), highlightSelectionMatches(),
        indentUnit.of("  "), EditorState.tabSize.of(2), EditorState.phrases.of(phrases()), language === "lesson" ? [lessonLanguage(), EditorView.lineWrapping] : yaml(), syntaxHighlighting(colours), look,
        autocompletion({ override: [complete], activateOnTyping: true, icons: false }),
        linter(async (shown): Promise<Diagnostic[]> => [...(await check(shown.state.doc.toString(), openapi)), ...atLines(shown)], { delay: 400, needsRefresh: (update) => update.transactions.some((each) => each.effects.some((effect) => effect.is(toldAnew))) }), language === "manifest" ? hover(openapi) : [],
        keymap.of([
          { key: "Mod-s", preventDefault: true, run: () => (options.save?.(), true) },
          // Tab indents; Escape, then Tab, leaves the editor (CodeMirror's own way).
          indentWithTab, ...closeBracketsKeymap, ...completionKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap, ...lintKeymap, ...defaultKeymap,
        ]),
        EditorView.contentAttributes.of({ "aria-label": options.label, "data-testid": "editor-text" }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) options.changed?.(update.state.doc.toString());
        }),
        EditorState.readOnly.of(options.readOnly ?? false), comparing.of([]),
      ],
    }),
  });
  // Keys are for the text: the page's own shortcuts do not hear them.
  place.addEventListener("keydown", (event) => event.stopPropagation());
  return {
    get text() {
      return view.state.doc.toString();
    },
    set text(text: string) {
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, selection: { anchor: 0 } });
    },
    focus: () => view.focus(),
    close: () => {
      view.destroy();
      place.remove();
    },
    compare: (original) => {
      const extension = original === null ? [] : unifiedMergeView({ original, mergeControls: false, gutter: true, collapseUnchanged: { margin: 3, minSize: 6 } });
      view.dispatch({ effects: comparing.reconfigure(extension) });
    },
    lines: (found) => {
      told = found;
      view.dispatch({ effects: toldAnew.of(null) });
    },
    goTo: (line) => {
      const { from } = view.state.doc.line(Math.max(1, Math.min(line, view.state.doc.lines)));
      view.dispatch({ selection: { anchor: from }, effects: EditorView.scrollIntoView(from, { y: "center" }) });
      view.focus();
    },
    problems: (found) => {
      const text = view.state.doc.toString();
      view.dispatch(setDiagnostics(view.state, found.map(({ document, path, message }) => {
        const line = view.state.doc.lineAt(lineOfPath(text, document, path));
        return { from: line.from + (/^\s*/.exec(line.text)?.[0].length ?? 0), to: line.to, severity: "error" as const, message };
      })));
    },
  };
}
