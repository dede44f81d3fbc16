// A lesson's text as the editor knows it: Markdown with YAML in its front matter and its blocks, and what lessons' JSON Schema says of both.
import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import { yamlLanguage } from "@codemirror/lang-yaml";
import { defineLanguageFacet, Language, LanguageSupport } from "@codemirror/language";
import { parser } from "@lezer/markdown";
import { parseMixed } from "@lezer/common";
import schema from "../../../clusterlab/lessons/schema.json";
import { partProblems, problemsOf, type Problem } from "./check";
import { fieldsOf, valuesOf } from "./complete";
import { Kind, type Openapi, type Schema } from "./openapi";
import { documentsOf } from "./tree";
import { whereIs } from "./where";

const DEFS = schema.$defs as unknown as Record<string, Schema>;
/** The blocks whose YAML the schema describes, with what a new one begins with; then those that hold text. */
const DATA: Record<string, string> = {
  stage: "lens: workloads\ntext: ",
  predict: "id: \nquestion: \nrun: []\nanswer: {}\nchoices: []\nexplain: ",
  quiz: "id: \nquestion: \nchoices:\n- text: \n  right: true\n  feedback: \n- text: \n  feedback: ",
  task: "id: \ntext: \nchecks:\n- text: \n  object: \n  field: \n  equals: \n  message: \nhints:\n- \nsolution:\n- ",
  fault: "id: \nkind: node-down\ntarget: \ntext: ",
  wait: "settled: true",
  clock: "minutes: 10",
  debrief: "id: \nend: \nnotes: []",
};
const TEXT: Record<string, string> = { run: "kubectl get pods", manifest: "", detail: "", aside: "" };
export const BLOCKS = [...Object.keys(DATA), ...Object.keys(TEXT)];

/** A part of the schema. Unlike a cluster's kinds, what names no further fields takes none. */
class Part extends Kind {
  override isOpen(its: Schema): boolean {
    return !its.properties || its.additionalProperties !== false;
  }
}

const partOf = (name: string): Part | null => (DEFS[name] ? new Part(DEFS[name], DEFS) : null);

export interface Block {
  /** front, or the first word of a fence. */
  kind: string;
  from: number;
  to: number;
}

/** The front matter and the fenced blocks of a text: where what is inside them begins and ends. */
export function blocksOf(text: string): Block[] {
  const found: Block[] = [];
  let at = 0, open: { fence: string; kind: string; from: number } | null = null;
  for (const line of text.split("\n")) {
    const end = at + line.length + 1;
    const fence = /^(`{3,}|~{3,})\s*([\w-]*)/.exec(line);
    if (at === 0 && line === "---") open = { fence: "---", kind: "front", from: end };
    else if (!open && fence) open = { fence: fence[1]!, kind: fence[2]!, from: end };
    else if (open && line.trimEnd() === open.fence) {
      found.push({ kind: open.kind, from: open.from, to: at });
      open = null;
    }
    at = end;
  }
  if (open) found.push({ kind: open.kind, from: open.from, to: text.length });
  return found;
}

const blockAt = (text: string, position: number): Block | undefined => blocksOf(text).find((block) => position >= block.from && position <= block.to);

/** What is wrong with a lesson by its schema, and with manifests in it by the lab's OpenAPI. */
export async function lessonProblems(text: string, openapi: Openapi): Promise<Problem[]> {
  const found: Problem[] = [];
  for (const block of blocksOf(text)) {
    const inside = text.slice(block.from, block.to), part = block.kind === "front" || block.kind in DATA ? partOf(block.kind) : null;
    const moved = (problem: Problem): Problem => ({ ...problem, from: problem.from + block.from, to: problem.to + block.from });
    if (part) for (const { root } of documentsOf(inside).slice(0, 1)) found.push(...partProblems(root, part).map(moved));
    else if (block.kind === "manifest" && inside.trim()) found.push(...(await problemsOf(inside, openapi)).map(moved));
  }
  return found;
}

/** What may stand at a place of a lesson. */
export function lessonOptions(text: string, position: number): Completion[] {
  const line = text.slice(text.lastIndexOf("\n", position - 1) + 1, position);
  const block = blockAt(text, position);
  if (!block) return /^```\w*$/.test(line) ? fences() : [];
  const part = block.kind === "front" || block.kind in DATA ? partOf(block.kind) : null;
  if (!part || /(^|\s)#/.test(line)) return [];
  const where = whereIs(text.slice(block.from, block.to), position - block.from);
  if (!where.inValue) return fieldsOf(part, where);
  const its = part.at([...where.path, where.key]);
  return its ? valuesOf(its) : [];
}

function fences(): Completion[] {
  return Object.entries({ ...DATA, ...TEXT }).map(([label, inside]) => ({
    label, type: "keyword", info: DEFS[label]?.description ?? "",
    apply: (view, _completion, from, to) => {
      const rest = view.state.doc.lineAt(to).to;
      const gap = label === "manifest" ? " " : "";
      const insert = `${label}${gap}\n${inside}${inside ? "\n" : ""}\`\`\`\n`;
      // The cursor goes to where something has to be written first.
      const first = label === "manifest" ? label.length + 1 : label.length + 1 + (/: *$/m.exec(inside)?.index ?? inside.length - 2) + 2;
      view.dispatch({ changes: { from, to: rest, insert }, selection: { anchor: from + Math.min(first, insert.length) } });
    },
  }));
}

export function lessonCompletionAt(context: CompletionContext): CompletionResult | null {
  const word = context.matchBefore(/[\w./-]*$/)!;
  const fenced = /^```\w*$/.test(context.state.doc.lineAt(context.pos).text.slice(0, context.pos - context.state.doc.lineAt(context.pos).from));
  if (!context.explicit && word.from === word.to && !fenced) return null;
  const options = lessonOptions(context.state.doc.toString(), context.pos);
  return options.length ? { from: word.from, options, validFor: /^[\w./-]*$/ } : null;
}

/** Markdown, with YAML where a lesson has YAML. */
export function lessonLanguage(): LanguageSupport {
  const facet = defineLanguageFacet({ commentTokens: { block: { open: "<!--", close: "-->" } } });
  const wrap = parseMixed((node, input) => {
    if (node.name !== "FencedCode" && node.name !== "CodeBlock") return null;
    const info = node.node.getChild("CodeInfo"), text = node.node.getChildren("CodeText");
    const kind = info ? input.read(info.from, info.to).split(/\s/)[0]! : "";
    if (!text.length || !(kind in DATA || kind === "manifest" || kind === "yaml")) return null;
    return { parser: yamlLanguage.parser, overlay: text.map(({ from, to }) => ({ from, to })) };
  });
  return new LanguageSupport(new Language(facet, parser.configure([{ wrap }]), [], "markdown"));
}

