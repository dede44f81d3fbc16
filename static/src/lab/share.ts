// A cluster as a link: the scenario, packed into the fragment of an address. Browsers send fragments to no server. Pure but for the
// browser's own compression; bounded, since a link may come from anybody.

import { through } from "./through";

export interface Shared {
  scenario: Record<string, unknown>;
  name: string;
}

export const LINK_MOST = 60_000;
/** What a link may unfold into. */
const TEXT_MOST = 1_000_000;
const MARK = "c1=";

export class ShareProblem extends Error {}

/** The fragment that holds a cluster. Raises ShareProblem where it would be too long for an address. */
export async function pack(shared: Shared): Promise<string> {
  const bytes = await through(new TextEncoder().encode(JSON.stringify(shared)), new CompressionStream("deflate-raw"), LINK_MOST, () => new ShareProblem("too large"));
  const text = MARK + btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  if (text.length > LINK_MOST) throw new ShareProblem("too large");
  return text;
}

/** What a fragment holds, "#" or not. Raises ShareProblem where it is none, damaged or too much. */
export async function unpack(fragment: string): Promise<Shared> {
  const text = fragment.replace(/^#/, "");
  if (!text.startsWith(MARK)) throw new ShareProblem("no cluster");
  if (text.length > LINK_MOST || !/^[\w-]*$/.test(text.slice(MARK.length))) throw new ShareProblem("damaged");
  let found: unknown;
  try {
    const bytes = Uint8Array.from(atob(text.slice(MARK.length).replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
    found = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(await through(bytes, new DecompressionStream("deflate-raw"), TEXT_MOST, () => new ShareProblem("too large"))));
  } catch (error) {
    throw error instanceof ShareProblem ? error : new ShareProblem("damaged");
  }
  const { scenario, name } = (found ?? {}) as Partial<Shared>;
  if (typeof scenario !== "object" || scenario === null || Array.isArray(scenario)) throw new ShareProblem("damaged");
  return { scenario, name: typeof name === "string" ? name.slice(0, 80) : "" };
}

/** What is in a scenario, for a person: how many nodes, and its objects by kind. */
export function contents(scenario: Record<string, unknown>): { nodes: number; objects: string[] } {
  const { nodes, manifests } = scenario;
  const count = typeof nodes === "number" ? nodes : Array.isArray(nodes) ? nodes.length : 3;
  const objects = (Array.isArray(manifests) ? manifests : []).filter((each): each is { kind?: unknown; metadata?: { name?: unknown; namespace?: unknown } } => typeof each === "object" && each !== null);
  return { nodes: count, objects: objects.map(({ kind, metadata }) => `${String(kind)} ${metadata?.namespace ? `${String(metadata.namespace)}/` : ""}${String(metadata?.name)}`) };
}
