// What is wrong with a manifest by its schema: unknown and repeated fields, wrong types, missing fields, unknown kinds.
import { isIntOrString, typeName, type Kind, type Openapi, type Schema } from "./openapi";
import { documentsOf, topField, type Document, type Node } from "./tree";
import { t } from "./words";

export interface Problem {
  from: number;
  to: number;
  severity: "error" | "warning";
  message: string;
}

const MOST = 100;
const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/;
const BOOL = /^(true|false|True|False|TRUE|FALSE)$/;
const NULL = /^(~|null|Null|NULL)$/;

export async function problemsOf(text: string, openapi: Openapi): Promise<Problem[]> {
  const found: Problem[] = [];
  const tabs = /^ *\t/m.exec(text);
  if (tabs) found.push({ from: tabs.index, to: tabs.index + tabs[0].length, severity: "error", message: t("YAML is indented with spaces, not tabs") });
  for (const document of documentsOf(text)) {
    if (document.root.kind === "empty") continue;
    found.push(...(await documentProblems(document, openapi)));
  }
  return found.slice(0, MOST);
}

async function documentProblems(document: Document, openapi: Openapi): Promise<Problem[]> {
  const { root } = document;
  if (root.kind !== "map") return [{ from: root.from, to: Math.max(root.to, root.from + 1), severity: "error", message: t("a manifest is an object: apiVersion, kind, metadata, …") }];
  const versions = await openapi.apiVersions();
  if (!versions.length) return [];
  const missing = (["apiVersion", "kind"] as const).filter((key) => !root.fields.some((field) => field.key === key));
  if (missing.length) return [{ from: root.from, to: root.fields[0]?.keyTo ?? root.from + 1, severity: "warning", message: t("{fields} missing", { fields: missing.join(t(" and ")) }) }];
  const apiVersion = topField(root, "apiVersion"), kindName = topField(root, "kind");
  const versionField = root.fields.find((field) => field.key === "apiVersion")!, kindField = root.fields.find((field) => field.key === "kind")!;
  if (apiVersion && !versions.includes(apiVersion)) return [{ from: versionField.keyFrom, to: versionField.value.to, severity: "error", message: t("this cluster has no {version}", { version: apiVersion }) }];
  if (kindName === "List") return [];
  const kind = await openapi.kind(apiVersion, kindName);
  if (!kind) return kindName ? [{ from: kindField.keyFrom, to: kindField.value.to, severity: "error", message: t("{version} has no kind {kind}", { version: apiVersion, kind: kindName }) }] : [];
  const found: Problem[] = [];
  check(root, kind.resolve(kind.root), kind, found, "");
  return found;
}

/** What is wrong with a tree by a schema. */
export function partProblems(root: Node, kind: Kind): Problem[] {
  const found: Problem[] = [];
  check(root, kind.resolve(kind.root), kind, found, "");
  return found.slice(0, MOST);
}

function check(node: Node, schema: Schema, kind: Kind, found: Problem[], path: string): void {
  if (node.kind === "empty" || found.length >= MOST) return;
  const wants = typeName(kind, schema);
  if (node.kind === "map") return checkMap(node, schema, kind, found, path);
  if (node.kind === "list") {
    if (!schema.items && schema.type && schema.type !== "array") found.push({ from: node.from, to: Math.max(node.to, node.from + 1), severity: "error", message: t("{path}: {type} wanted, not a list", { path, type: wants }) });
    else if (schema.items) node.items.forEach((item, at) => check(item, kind.resolve(schema.items), kind, found, `${path}[${at}]`));
    return;
  }
  if (node.kind === "other") {
    const fits = node.looks === "unknown" || !schema.type || (node.looks === "map" ? schema.type === "object" : node.looks === "list" ? schema.type === "array" : schema.type === "string");
    if (!fits) found.push({ from: node.from, to: node.to, severity: "error", message: t("{path}: {type} wanted", { path, type: wants }) });
    return;
  }
  const wrong = scalarProblem(node.text, node.quoted, schema, wants);
  if (wrong) found.push({ from: node.from, to: node.to, severity: "error", message: `${path}: ${wrong}` });
}

function checkMap(node: Node & { kind: "map" }, schema: Schema, kind: Kind, found: Problem[], path: string): void {
  if (schema.type && schema.type !== "object") {
    found.push({ from: node.from, to: node.fields[0]?.keyTo ?? node.to, severity: "error", message: t("{path}: {type} wanted, not an object", { path, type: typeName(kind, schema) }) });
    return;
  }
  const seen = new Set<string>();
  for (const field of node.fields) {
    const place = path ? `${path}.${field.key}` : field.key;
    if (seen.has(field.key)) found.push({ from: field.keyFrom, to: field.keyTo, severity: "error", message: t("{path} is there twice", { path: place }) });
    seen.add(field.key);
    const own = schema.properties?.[field.key];
    if (own) check(field.value, kind.resolve(own), kind, found, place);
    else if (typeof schema.additionalProperties === "object") check(field.value, kind.resolve(schema.additionalProperties), kind, found, place);
    else if (!kind.isOpen(schema)) found.push({ from: field.keyFrom, to: field.keyTo, severity: "error", message: t("unknown field {path}", { path: place }) + near(field.key, Object.keys(schema.properties ?? {})) });
  }
  for (const name of schema.required ?? []) {
    if (!seen.has(name)) found.push({ from: node.from, to: node.fields[0]?.keyTo ?? node.from + 1, severity: "warning", message: t("{path} is required", { path: (path ? `${path}.` : "") + name }) });
  }
}

function scalarProblem(text: string, quoted: boolean, schema: Schema, wants: string): string {
  if (!quoted && NULL.test(text)) return "";
  const isNumber = !quoted && NUMBER.test(text), isBool = !quoted && BOOL.test(text);
  if (schema.enum && !schema.enum.map(String).includes(text)) return t("must be one of {values}", { values: schema.enum.map(String).join(", ") });
  if (isIntOrString(schema)) return isBool ? t("{type} wanted", { type: wants }) : "";
  const shown = quoted ? t("a string") : text;
  switch (schema.type) {
    case "integer":
      return isNumber && Number.isInteger(Number(text)) ? "" : t("whole number wanted, not {value}", { value: shown });
    case "number":
      return isNumber ? "" : t("number wanted, not {value}", { value: shown });
    case "boolean":
      return isBool ? "" : t("true or false wanted, not {value}", { value: shown });
    case "string":
      return isNumber || isBool ? t("string wanted: write {value} in quotes", { value: JSON.stringify(text) }) : "";
    case "object":
      return t("{type} wanted, not {value}", { type: wants, value: text });
    case "array":
      return t("{type} wanted, not {value}", { type: wants, value: text });
  }
  return "";
}

/** A name that may have been meant. */
function near(name: string, known: string[]): string {
  const lower = name.toLowerCase();
  const found = known.find((each) => each.toLowerCase() === lower) ?? known.find((each) => distance(each.toLowerCase(), lower) <= 2);
  return found ? ` (${t("did you mean {name}?", { name: found })})` : "";
}

function distance(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > 2) return 9;
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1));
    row = next;
  }
  return row[other.length]!;
}
