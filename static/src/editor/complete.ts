// Completion: kinds and versions, field names, and the values that a field may have.
import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import { typeName, type Kind, type Openapi, type Schema } from "./openapi";
import { whereIs, type Where } from "./where";
import { t } from "./words";

const TOP = ["apiVersion", "kind", "metadata", "spec"];

export async function completionAt(context: CompletionContext, openapi: Openapi): Promise<CompletionResult | null> {
  const word = context.matchBefore(/[\w./-]*$/)!;
  if (!context.explicit && word.from === word.to) return null;
  const options = await optionsAt(context.state.doc.toString(), context.pos, openapi);
  return options.length ? { from: word.from, options, validFor: /^[\w./-]*$/ } : null;
}

/** What may stand at a place of a text. */
export async function optionsAt(text: string, position: number, openapi: Openapi): Promise<Completion[]> {
  const where = whereIs(text, position);
  const line = text.slice(text.lastIndexOf("\n", position - 1) + 1, position);
  if (/(^|\s)#/.test(line)) return [];
  if (where.inValue && !where.path.length && where.key === "apiVersion") return (await openapi.apiVersions()).map((label) => ({ label, type: "constant" }));
  if (where.inValue && !where.path.length && where.key === "kind") return kinds(where.apiVersion, openapi);
  const kind = await openapi.kind(where.apiVersion, where.kind);
  if (!kind) return where.path.length || where.inValue ? [] : TOP.filter((each) => !where.beside.includes(each)).map((label) => ({ label, apply: label === "apiVersion" || label === "kind" ? `${label}: ` : `${label}:`, type: "property" }));
  if (where.inValue) {
    const schema = kind.at([...where.path, where.key]);
    return schema ? valuesOf(schema) : [];
  }
  return fieldsOf(kind, where);
}

/** The fields that an object may have beside those that are there. */
export function fieldsOf(kind: Kind, where: Where): Completion[] {
  const schema = kind.at(where.path);
  const required = new Set(schema?.required ?? []);
  const written = where.key;
  return Object.entries(schema?.properties ?? {})
    .filter(([name]) => (name === written || !where.beside.includes(name)) && !(name === "status" && !where.path.length))
    .map(([label, raw]) => {
      const own = kind.resolve(raw);
      const nested = own.properties || own.items || own.additionalProperties;
      return { label, detail: `${typeName(kind, own)}${required.has(label) ? `, ${t("required")}` : ""}`, info: own.description ?? "", apply: nested ? `${label}:` : `${label}: `, boost: required.has(label) ? 2 : label === "name" ? 1 : 0, type: "property" };
    });
}

async function kinds(apiVersion: string, openapi: Openapi): Promise<Completion[]> {
  if (apiVersion) return (await openapi.kinds(apiVersion)).map((label) => ({ label, type: "class" }));
  const usual = ["v1", "apps/v1", "batch/v1", "networking.k8s.io/v1"];
  const found = await Promise.all(usual.map((version) => openapi.kinds(version)));
  return found.flatMap((names, at) => names.map((label) => ({ label, detail: usual[at]!, type: "class" })));
}

/** The values that a field may have, as far as there are few. */
export function valuesOf(schema: Schema): Completion[] {
  if (schema.enum) return schema.enum.map((each) => ({ label: String(each), type: "constant" }));
  if (schema.type === "boolean") return ["true", "false"].map((label) => ({ label, type: "constant" }));
  return schema.default !== undefined && typeof schema.default !== "object" ? [{ label: String(schema.default), detail: t("default"), type: "constant" }] : [];
}
