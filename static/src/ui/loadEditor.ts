// Fetches the editor (CodeMirror, in a bundle of its own) when a text is edited first. Where it cannot be had, a plain field does.
import type { EditorOptions, ManifestEditor } from "../editor/editor";
import { t } from "../i18n/t";

type Module = { createEditor(box: HTMLElement, options: EditorOptions): ManifestEditor };
let module: Promise<Module> | null = null;

export async function loadEditor(box: HTMLElement, options: Omit<EditorOptions, "openapi" | "words">): Promise<ManifestEditor> {
  module ??= import(new URL("./editor.js", import.meta.url).href) as Promise<Module>;
  try {
    return (await module).createEditor(box, { ...options, openapi: openapiAddress(), words: t });
  } catch (error) {
    module = null;
    console.warn("the editor could not be loaded", error);
    return plainEditor(box, options);
  }
}

/** Where the lab's own OpenAPI is, for those who may use it; "" otherwise. */
export function openapiAddress(): string {
  const server = /(\/kube\/[^/]+)\/kubeconfig/.exec(document.body.dataset["kubeconfig"] ?? "")?.[1];
  return server ? `${server}/openapi/v3` : "";
}

function plainEditor(box: HTMLElement, options: Omit<EditorOptions, "openapi" | "words">): ManifestEditor {
  const area = document.createElement("textarea");
  area.className = "mono plain-editor";
  area.setAttribute("aria-label", options.label);
  area.spellcheck = false;
  area.value = options.text;
  area.addEventListener("input", () => options.changed?.(area.value));
  box.append(area);
  return {
    get text() {
      return area.value;
    },
    set text(text: string) {
      area.value = text;
    },
    focus: () => area.focus(),
    close: () => area.remove(),
    compare: () => undefined,
    problems: () => undefined,
    lines: () => undefined,
    goTo: (line) => {
      const start = area.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
      area.focus();
      area.setSelectionRange(start, start);
    },
  };
}
