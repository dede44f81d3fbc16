// The HTTP calls of the page: reading what the stream does not carry.
import type { Frame, Heading, Held } from "../stream/types";
import type { EventView } from "../stream/views";

export interface ObjectAnswer {
  object: Record<string, unknown>;
  yaml: string;
  changed: string[];
  steps: Heading[];
}

export interface DecisionAnswer {
  chosen: string | null;
  message: string;
  filtered: Record<string, [string, string]>;
  scores: Record<string, Record<string, number>>;
  final: Record<string, number>;
  /** The nodes that shared the highest total. */
  ties?: string[];
  preemption?: { node: string; victims: string[] } | null;
}

/** What controllers watch, what waits on their queues; `later`: [key, when, ms]. */
export interface LoopsAnswer {
  time: number;
  loops: Record<string, { watches: string[]; waiting: string[]; later: [string, number][]; failures: Record<string, number> }>;
  queues: Record<"active" | "backoff" | "unschedulable", { pod: string; attempts: number; plugins: string[]; until: number }[]>;
}

export interface HeldAnswer extends Held {
  method: string;
  path: string;
  query: string;
  /** As YAML, where it could be read. */
  body: string;
}

/** Who may do what: bindings join subjects to roles. */
export interface Rule {
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  nonResourceURLs?: string[];
  verbs: string[];
}
export interface AccessGraph {
  bindings: { key: string; role: string; namespace: string; subjects: string[] }[];
  roles: Record<string, { missing: boolean; rules: Rule[]; more: number }>;
  more: number;
}
export interface AccessAnswer {
  allowed: boolean;
  reason: string;
  known: boolean;
  groups: string[];
  namespace: string;
  path: { binding: string; role: string; rule: Rule; subject: string } | null;
}
/** Who made whom and who selects whom, in layers. A node whose id begins with `pods:` stands for the pods of one owner. */
export interface OwnerNode {
  id: string;
  kind: string;
  name: string;
  layer: number;
  y: number;
  part: number;
  count: number;
  pods?: string[];
}
export interface OwnersAnswer {
  nodes: OwnerNode[];
  edges: [string, string, "owns" | "selects"][];
  more: number;
}
/** What only the node itself knows. */
export interface InsideAnswer {
  images: { name: string; size: number; layers: number; shared: number }[];
  services: { key: string; address: string; endpoints: number }[];
  pods: Record<string, { probes: Record<string, string>; volumes: { name: string; kind: string; of: string }[] }>;
}
/** Who wrote a field's value: the step and its causes; the values that it had, newest first. */
export interface FieldWhy {
  set: boolean;
  value: unknown;
  before: unknown;
  explain: string;
  step: Heading | null;
  chain: Heading[];
  writes: { seq: number; time: number; actor: string; value: unknown }[];
}
export interface PastAnswer {
  conditions: { seq: number; time: number; type: string; status: string; before: string; reason: string; message: string }[];
  managed: { manager: string; operation: string; subresource: string; time: string; fields: string[] }[];
}
/** Two labs: the first step in which they part (null: none), the steps there, what differs. */
export interface Comparison {
  shared: number;
  first: number | null;
  here: Heading | null;
  there: Heading | null;
  seq: number;
  withSeq: number;
  last: number;
  withLast: number;
  objects: { key: string; op: string; paths: { path: string; here?: unknown; there?: unknown }[] }[];
  more: number;
}
/** One stop of a request, and what was decided there; `depth` above 0: of a call that it caused. */
export interface Hop {
  where: string;
  what: string;
  decision: string;
  why: string;
  depth: number;
}
export interface FollowedRequest {
  error: string;
  status: number;
  body: string;
  pod: string;
  latency_ms: number;
  hops: Hop[];
  seq: number;
}
/** A node through its own tools. */
export interface ContainerInside {
  id: string;
  name: string;
  state: string;
  cgroup?: { path: string; files: Record<string, string> };
  namespaces?: Record<string, number>;
  processes?: { pid: number; command: string }[];
}
export interface ToolsAnswer {
  runtime: { name: string; version: string; socket: string; shim: string; lowLevel: string };
  disk: { capacity: number; used: number; images: number };
  views: Record<string, string>;
  proxy: { mode: string; views: Record<string, string> };
  layers: { digest: string; size: number; madeBy: string; images: string[] }[];
  sandboxes: { pod: string; ip: string; containers: ContainerInside[] }[];
}
export interface FieldAnswer {
  type: string;
  description: string;
  fields: string[];
}

/** Processor in thousandths, memory in bytes. */
export interface UsageAnswer {
  time: number;
  nodes: Record<string, { cpu: number; memory: number }>;
  pods: Record<string, { cpu: number; memory: number; containers: Record<string, { cpu: number; memory: number }> }>;
}

export interface ManifestAnswer {
  document: number;
  object: string;
  outcome: "created" | "changed" | "unchanged" | "refused";
  message: string;
  /** What the API server warns of, though it takes the object. */
  warnings?: string[];
  path: string;
  live?: string;
  merged?: string;
}

export class ApiError extends Error {
  constructor(message: string, readonly code: string, readonly status: number) {
    super(message);
  }
}

async function get<T>(path: string): Promise<T> {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  const body = (await answer.json().catch(() => null)) as { error?: { code: string; message: string } } | null;
  if (!answer.ok) throw new ApiError(body?.error?.message ?? answer.statusText, body?.error?.code ?? "", answer.status);
  return body as T;
}

/** A read of what may be gone, or not there yet, where the lab stands when the answer is made: an ApiError then, but no failed request. */
async function present<T>(path: string): Promise<T> {
  const answer = await get<T | null>(`${path}${path.includes("?") ? "&" : "?"}missing=null`);
  if (answer === null) throw new ApiError("", "NotFound", 404);
  return answer;
}

const labPath = (id: string): string => `/api/labs/${encodeURIComponent(id)}`;
const keyPath = (key: string): string => key.split("/").map(encodeURIComponent).join("/");

export const fetchObject = (id: string, key: string): Promise<ObjectAnswer> => present(`${labPath(id)}/objects/${keyPath(key)}`);
export const fetchWhy = (id: string, key: string): Promise<{ chain: Heading[] }> => present(`${labPath(id)}/why?object=${encodeURIComponent(key)}`);
/** null: the lab stands where the scheduler has not decided on this pod. */
export const fetchDecision = (id: string, pod: string): Promise<DecisionAnswer | null> => get(`${labPath(id)}/decisions?missing=null&pod=${encodeURIComponent(pod)}`);
/** A moment of a release, for the timeline. */
export interface Moment {
  seq: number;
  kind: string;
  text: string;
}
export const fetchMoments = (id: string): Promise<{ marks: Moment[] }> => get(`${labPath(id)}/moments`);
export const fetchChart = (id: string, name: string, by: string): Promise<unknown> => get(`${labPath(id)}/charts/${name}?by=${encodeURIComponent(by)}`);
export const fetchWhyField = (id: string, key: string, field: string): Promise<FieldWhy> => present(`${labPath(id)}/why?${new URLSearchParams({ object: key, field })}`);
export const fetchPast = (id: string, key: string): Promise<PastAnswer> => present(`${labPath(id)}/past?object=${encodeURIComponent(key)}`);
export const fetchComparison = (id: string, other: string, seq?: number): Promise<Comparison> => get(`${labPath(id)}/compare?with=${encodeURIComponent(other)}${seq === undefined ? "" : `&seq=${seq}`}`);
/** A held request in full. */
export const fetchHeld = (id: string, number: number): Promise<HeldAnswer> => get(`${labPath(id)}/held/${number}`);
export const fetchLoops = (id: string, of = ""): Promise<LoopsAnswer> => get(`${labPath(id)}/loops${of ? `?of=${encodeURIComponent(of)}` : ""}`);
export const fetchOwners = (id: string): Promise<OwnersAnswer> => get(`${labPath(id)}/owners`);
export const fetchAccess = (id: string): Promise<AccessGraph> => get(`${labPath(id)}/access`);
export const askAccess = (id: string, question: Record<string, string>): Promise<AccessAnswer> => get(`${labPath(id)}/access?${new URLSearchParams(question)}`);
export const fetchInside = (id: string, node: string): Promise<InsideAnswer> => present(`${labPath(id)}/inside?node=${encodeURIComponent(node)}`);
export const fetchTools = (id: string, node: string): Promise<ToolsAnswer> => present(`${labPath(id)}/nodes/${encodeURIComponent(node)}`);
export const fetchField = (id: string, kind: string, path: string): Promise<FieldAnswer> => present(`${labPath(id)}/explain?${new URLSearchParams({ kind, path })}`);
export const fetchUsage = (id: string): Promise<UsageAnswer> => get(`${labPath(id)}/usage`);
export const fetchChecks = (id: string): Promise<unknown> => get(`${labPath(id)}/lesson/checks`);

async function post<T>(path: string, body: object): Promise<T> {
  const token = document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]")?.value ?? "";
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": token }, body: JSON.stringify(body) });
  const got = (await answer.json().catch(() => null)) as { error?: { code: string; message: string } } | null;
  if (!answer.ok || !got) throw new ApiError(got?.error?.message ?? answer.statusText, got?.error?.code ?? "", answer.status);
  return got as T;
}

/** Sends one request through the cluster; the answer tells its way. */
export const sendRequest = (id: string, url: string, from: string): Promise<FollowedRequest> => post(`${labPath(id)}/request`, { url, from });
/** What becomes of manifests: applied, tried, or compared with what is there. */
export const sendManifests = (id: string, text: string, mode: "apply" | "dry-run" | "diff"): Promise<{ objects: ManifestAnswer[] }> => post(`${labPath(id)}/manifests`, { text, mode });
export const fetchGallery = (): Promise<{ manifests: { name: string; title: string }[] }> => get("/api/gallery");
export const fetchGalleryFile = (name: string): Promise<{ text: string }> => get(`/api/gallery/${encodeURIComponent(name)}`);
/** A new lab with the same past up to `seq`; the answer says where it is. */
export const forkLab = (id: string, seq: number): Promise<{ id: string; url: string }> => post(`${labPath(id)}/fork`, { seq });
/** Runs, and answers when it has stopped. */
/** With `since`, what a condition waits for counts as well if it has come about since the latest command. */
export const runLab = (id: string, until: unknown, limit: number, since?: "command"): Promise<{ seq: number; settled: boolean }> => post(`${labPath(id)}/run`, { until, limit, since });
/** Steps of any lab whose id is known. */
export const fetchSteps = (id: string, from: number, limit: number): Promise<{ steps: Frame[] }> => get(`${labPath(id)}/steps?from=${from}&limit=${limit}`);
/** Events that the page does not hold, the newest first: about one object, or written before a revision. */
export const fetchEvents = (id: string, about: string, before = 0): Promise<{ events: EventView[]; more: boolean }> => get(`${labPath(id)}/events?${new URLSearchParams({ about, before: String(before) })}`);
/** A link through which everybody can open a copy of the lab at a step. */
export const makeReplay = (id: string, seq: number): Promise<{ id: string; url: string }> => post(`${labPath(id)}/replays`, { seq });
/** What kubectl describe says of an object, and the line that asks for it. */
export const fetchDescribed = (id: string, key: string): Promise<{ text: string; line: string }> => present(`${labPath(id)}/describe?object=${encodeURIComponent(key)}`);
/** What a link has to hold for the cluster to come up anew. */
export const fetchShare = (id: string): Promise<{ scenario: Record<string, unknown>; name: string; objects: number }> => get(`${labPath(id)}/share`);
/** Opens a lab's file as a lab of one's own. */
export const importLab = (file: object): Promise<{ id: string; url: string }> => post("/api/labs/import", file);
