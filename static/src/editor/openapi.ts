// What the lab's OpenAPI v3 says of a kind: the schema at a path of its fields. Documents are fetched by group and version, once.
import { t } from "./words";

export interface Schema {
  type?: string;
  description?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema | boolean;
  required?: string[];
  enum?: unknown[];
  format?: string;
  default?: unknown;
  oneOf?: Schema[];
  allOf?: Schema[];
  $ref?: string;
  "x-kubernetes-int-or-string"?: boolean;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-group-version-kind"?: { group: string; version: string; kind: string }[];
}

interface OpenapiDocument {
  components?: { schemas?: Record<string, Schema> };
}

export type Fetch = (address: string) => Promise<unknown>;

const fetchJson: Fetch = async (address) => {
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.json();
};

export class Openapi {
  private versions: Promise<Map<string, string>> | null = null;
  private readonly documents = new Map<string, Promise<Record<string, Schema>>>();

  constructor(private readonly base: string, private readonly get: Fetch = fetchJson) {}

  /** All groups and versions: v1, apps/v1, … */
  async apiVersions(): Promise<string[]> {
    return [...(await this.index()).keys()];
  }

  private index(): Promise<Map<string, string>> {
    if (!this.base) return Promise.resolve(new Map());
    this.versions ??= this.get(this.base).then(
      (answer) => {
        const { paths = {} } = answer as { paths?: Record<string, { serverRelativeURL: string }> };
        const found = new Map<string, string>();
        for (const [path, { serverRelativeURL }] of Object.entries(paths)) {
          const version = /^apis?\/(.+)$/.exec(path)?.[1];
          if (version && /(^|\/)v\d/.test(version)) found.set(version, serverRelativeURL);
        }
        return found;
      },
      () => {
        this.versions = null;
        return new Map<string, string>();
      },
    );
    return this.versions;
  }

  private async schemas(apiVersion: string): Promise<Record<string, Schema>> {
    const known = this.documents.get(apiVersion);
    if (known) return known;
    const address = (await this.index()).get(apiVersion);
    if (!address) return {};
    // Addresses are relative to the lab's server, whose path is before the one of the index.
    const path = /\/openapi\/v3\/[^?]*/.exec(address)?.[0] ?? "";
    const loading = this.get(this.base.replace(/\/openapi\/v3$/, "") + path).then(
      (answer) => (answer as OpenapiDocument).components?.schemas ?? {},
      () => {
        this.documents.delete(apiVersion);
        return {};
      },
    );
    this.documents.set(apiVersion, loading);
    return loading;
  }

  /** The kinds of a group and version. */
  async kinds(apiVersion: string): Promise<string[]> {
    const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
    const found = new Set<string>();
    for (const schema of Object.values(await this.schemas(apiVersion))) {
      for (const gvk of schema["x-kubernetes-group-version-kind"] ?? []) {
        if (gvk.group === group && gvk.version === version && schema.properties?.["metadata"] && !gvk.kind.endsWith("List")) found.add(gvk.kind);
      }
    }
    return [...found].sort();
  }

  /** The schema of a kind with a way to look up what it refers to; null where it is not known. */
  async kind(apiVersion: string, kind: string): Promise<Kind | null> {
    if (!apiVersion || !kind) return null;
    const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
    const schemas = await this.schemas(apiVersion);
    const root = Object.values(schemas).find((schema) => schema["x-kubernetes-group-version-kind"]?.some((gvk) => gvk.group === group && gvk.version === version && gvk.kind === kind));
    return root ? new Kind(root, schemas) : null;
  }
}

/** One kind's schema. */
export class Kind {
  constructor(readonly root: Schema, private readonly schemas: Record<string, Schema>) {}

  /** A schema with its references followed; its own description is kept. */
  resolve(schema: Schema | undefined): Schema {
    let found = schema ?? {};
    for (let depth = 0; depth < 8; depth++) {
      const reference = found.$ref ?? (found.allOf?.length === 1 ? found.allOf[0]!.$ref : undefined);
      if (!reference) return found;
      const { description } = found;
      const next = this.schemas[reference.split("/").at(-1)!] ?? {};
      found = description ? { ...next, description } : next;
    }
    return found;
  }

  /** The schema at a path; numbers are places in lists. */
  at(path: (string | number)[]): Schema | null {
    let schema = this.resolve(this.root);
    for (const part of path) {
      if (typeof part === "number") {
        if (!schema.items) return null;
        schema = this.resolve(schema.items);
      } else if (schema.properties?.[part]) schema = this.resolve(schema.properties[part]);
      else if (schema.additionalProperties && typeof schema.additionalProperties === "object") schema = this.resolve(schema.additionalProperties);
      else return null;
    }
    return schema;
  }

  /** Whether a value may have fields that the schema does not name. */
  isOpen(schema: Schema): boolean {
    return !schema.properties || schema["x-kubernetes-preserve-unknown-fields"] === true || schema.additionalProperties !== undefined;
  }
}

/** Whether a number and a string both fit: ports, percentages, quantities. */
export function isIntOrString(schema: Schema): boolean {
  return Boolean(schema["x-kubernetes-int-or-string"]) || schema.format === "int-or-string" || (!schema.items && !schema.properties && !schema.additionalProperties && !schema.type && Boolean(schema.oneOf));
}

/** A type as a reader knows it. */
export function typeName(kind: Kind, schema: Schema): string {
  if (isIntOrString(schema)) return t("number or string");
  if (schema.items) return t("list of {type}", { type: typeName(kind, kind.resolve(schema.items)) });
  if (schema.properties) return t("object");
  if (schema.additionalProperties) return t("map of {type}", { type: typeof schema.additionalProperties === "object" ? typeName(kind, kind.resolve(schema.additionalProperties)) : t("any") });
  return schema.type ?? t("any");
}
