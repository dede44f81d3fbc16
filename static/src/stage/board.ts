// The lenses that are tables of cards with wires between them: traffic, storage, the inside of a node. Pure: cluster -> cards.
// board.ts says what there is and where; drawBoard.ts how it looks.
import type { ClusterIndex } from "../lab/index";
import { isSystem } from "../lab/index";
import type { Components } from "../stream/types";
import { resourceOf, type PodView, type ServiceView } from "../stream/views";
import { t } from "../i18n/t";
import { natural, type Box, type Point } from "./geometry";
import type { AccessAnswer, AccessGraph, InsideAnswer, OwnersAnswer } from "../lab/api";
import { accessBoard } from "./access";
import { capacities, cores, familyOf, times } from "./capacity";
import { nodeBoard, nodeOf } from "./inside";
import type { Tone } from "./pod";

export { nodeOf };

export interface Card {
  id: string;
  title: string;
  lines: string[];
  /** A word in the corner, in the colour of its tone. */
  tag?: string;
  tone?: Tone;
  /** Not there yet, or no longer. */
  dashed?: boolean;
  /** The pod whose version gives the card its colour. */
  pod?: string;
  /** Can be selected. */
  link: boolean;
  /** Part of an answer; false: not part of it. */
  lit?: boolean;
  /** A share of something, 0 to 1, as a bar. */
  part?: number;
}

export interface Wire {
  from: string;
  to: string;
  dashed?: boolean;
  /** Requests a second, and how many of them fail. */
  rate?: number;
  errors?: number;
  lit?: boolean;
  /** What is written beside it. */
  label?: string;
}

export interface Board {
  columns: { title: string; cards: Card[] }[];
  wires: Wire[];
  /** What to say when there is little to see. */
  note: string;
}

export interface PlacedBoard {
  boxes: Map<string, Box>;
  cards: Map<string, Card>;
  wires: { wire: Wire; curve: [Point, Point, Point, Point] }[];
  titles: { text: string; x: number; y: number }[];
  hidden: { text: string; x: number; y: number }[];
  note: string;
  bottom: number;
}

export type BoardLens = "traffic" | "storage" | "node" | "access";
export const isBoard = (lens: string): lens is BoardLens => lens === "traffic" || lens === "storage" || lens === "node" || lens === "access";

/** What a board shows beside what the stream carries. */
export interface BoardExtras {
  access: AccessGraph | null;
  answer: AccessAnswer | null;
  inside: InsideAnswer | null;
  owners: OwnersAnswer | null;
}

export const NO_EXTRAS: BoardExtras = { access: null, answer: null, inside: null, owners: null };

export function boardOf(lens: BoardLens, index: ClusterIndex, components: Components, selected: string, extras = NO_EXTRAS): Board {
  if (lens === "access") return accessBoard(extras.access, extras.answer);
  if (lens === "traffic") return trafficBoard(index, components);
  return lens === "storage" ? storageBoard(index) : nodeBoard(index, components, nodeOf(index, selected), extras.inside);
}

// Traffic: who asks, through which service, which pod answers.

export interface SourceNote {
  rate: number;
  to: string;
  sent?: number;
  answered?: number;
  failed?: number;
  p50?: number;
  p99?: number;
}

interface PodNote {
  served: number;
  errors: number;
  waiting: number;
  ms: number;
}

/** The service that an address leads to: by name, or by cluster IP. */
export function serviceOf(index: ClusterIndex, address: string, from = "default"): string | null {
  const host = /^(?:[a-z]+:\/\/)?([^/:]+)/.exec(address)?.[1] ?? "";
  const parts = host.split(".");
  const named = `services/${parts[1] ?? from}/${parts[0]}`;
  if (index.services.has(named) && (parts.length === 1 || parts[2] === undefined || parts[2] === "svc")) return named;
  for (const [key, service] of index.services) if (service.clusterIP === host || (Array.isArray(service.external) && service.external.includes(host))) return key;
  return null;
}

const shownService = (key: string, view: ServiceView): boolean => !isSystem(view) && key !== "services/default/kubernetes";
const podKey = (endpoint: { pod: string }, namespace: string): string =>
  endpoint.pod?.startsWith("pods/") ? endpoint.pod : `pods/${endpoint.pod?.includes("/") ? "" : `${namespace}/`}${endpoint.pod}`;
const decimal = (value: number): string => (value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1));

function trafficBoard(index: ClusterIndex, components: Components): Board {
  const notes = (components["traffic"] ?? {}) as { sources?: Record<string, SourceNote>; pods?: Record<string, PodNote>; shares?: Shares };
  const wires: Wire[] = [];
  const routes = routeCards(index, notes.shares ?? {}, wires);
  const sources = Object.entries(notes.sources ?? {}).map(([name, source]): Card => {
    const to = serviceOf(index, source.to);
    const failed = source.failed ?? 0;
    const route = to ? undefined : routeOf(index, source.to);
    if (to ?? route) wires.push({ from: `traffic/${name}`, to: (to ?? route)!, rate: source.rate, errors: 0 });
    const latency = source.p50 ? t("half within {p50} ms, 99 % within {p99} ms", { p50: decimal(source.p50), p99: decimal(source.p99 ?? 0) }) : "";
    return {
      id: `traffic/${name}`, title: name, lines: [`${decimal(source.rate)}/s → ${source.to.replace(/^http:\/\//, "")}`, latency].filter(Boolean),
      tag: failed ? t("{count} failed", { count: failed }) : "", tone: "bad", link: false,
    };
  });
  const services = [...index.services].filter(([key, view]) => shownService(key, view)).sort((a, b) => natural(a[0], b[0]));
  const pods = new Map<string, Card>();
  const cards = services.map(([key, service]): Card => {
    const endpoints = index.endpointsOf(service);
    for (const endpoint of endpoints) {
      const pod = podKey(endpoint, service.namespace ?? "default");
      const view = index.pods.get(pod);
      if (!view) continue;
      const note = notes.pods?.[`${view.namespace}/${view.name}`] ?? notes.pods?.[view.name] ?? notes.pods?.[pod];
      wires.push({ from: key, to: pod, dashed: !endpoint.ready, rate: note?.served ?? 0, errors: note?.errors ?? 0 });
      pods.set(pod, trafficPod(pod, view, note));
    }
    const ready = endpoints.filter((endpoint) => endpoint.ready).length;
    const port = service.ports?.[0]?.port;
    return {
      id: key, title: service.name, link: true,
      lines: [`${service.clusterIP === "None" ? t("headless") : service.clusterIP}${port ? `:${port}` : ""}`, ...(sharesOf(notes.shares?.[key], versionsOf(index, service)) || [service.type])],
      tag: ready ? (ready === 1 ? t("1 endpoint") : t("{count} endpoints", { count: ready })) : t("nobody answers"), tone: ready ? "soft" : "bad",
    };
  });
  // Pods of the same apps that no Service leads to: they stand by, and cost what the others do.
  const apps = new Set([...pods.keys()].map((pod) => familyOf(index, index.pods.get(pod)!)));
  for (const [key, pod] of index.pods) {
    if (!pods.has(key) && !isSystem(pod) && apps.has(familyOf(index, pod))) pods.set(key, { ...trafficPod(key, pod, undefined), ...(pod.ready ? { tag: t("idle"), tone: "soft" as const } : {}), dashed: true });
  }
  for (const one of capacities(index)) {
    if (one.asked > one.serves * 1.001) sources.push({ id: `capacity/${one.app}`, title: t("CPU of {app}", { app: one.app.split("/").at(-1)! }), lines: [t("{asked} cores requested, {serves} serve", { asked: cores(one.asked), serves: cores(one.serves) }), ""], tag: times(one), tone: "warn", link: false, part: one.serves / one.asked });
  }
  const note = notes.sources && Object.keys(notes.sources).length ? "" : t("No requests come from outside: this cluster has no sources of traffic. The wires show where they would go.");
  return { columns: [{ title: t("FROM"), cards: sources }, { title: t("ROUTES"), cards: routes }, { title: t("SERVICES"), cards }, { title: t("PODS"), cards: [...pods.values()] }].filter((column) => column.cards.length), wires, note };
}

/** Requests that each service's versions were sent in the last ten seconds. */
type Shares = Record<string, Record<string, number>>;

const total = (versions: Record<string, number> | undefined): number => Object.values(versions ?? {}).reduce((sum, count) => sum + count, 0);
const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(part === 0 || part === whole ? 0 : 1)} %`;

/** How many ready pods of each version a service leads to. */
function versionsOf(index: ClusterIndex, service: ServiceView): Map<string, number> {
  const found = new Map<string, number>();
  for (const endpoint of index.endpointsOf(service)) {
    const pod = endpoint.ready ? index.pods.get(podKey(endpoint, service.namespace ?? "default")) : undefined;
    if (pod) found.set(pod.version, (found.get(pod.version) ?? 0) + 1);
  }
  return found;
}

/** How a service's requests were shared by version, beside the share of pods that decides it: "v1 9/10 · 90 %", "v2 1/10 · 10 %". */
export function sharesOf(versions: Record<string, number> | undefined, pods = new Map<string, number>()): string[] | null {
  const whole = total(versions), ready = [...pods.values()].reduce((sum, count) => sum + count, 0);
  const exact = (version: string): string => (pods.size > 1 && pods.has(version) ? `${pods.get(version)}/${ready} · ` : "");
  const lines = whole ? Object.entries(versions!).filter(([, count]) => count).map(([version, count]) => `${version} ${exact(version)}${percent(count, whole)}`) : [];
  if (!lines.length) return null;
  return pods.size > 1 ? lines.slice(0, 3) : [lines.join(" · ")];
}

/** The route that answers for the host of an address. */
const routeOf = (index: ClusterIndex, address: string): string | undefined => {
  const host = /^(?:[a-z]+:\/\/)?([^/:]+)/.exec(address)?.[1] ?? "";
  return [...index.routes].find(([, route]) => route.hostnames.includes(host) || !route.hostnames.length)?.[0];
};

/** HTTPRoutes, and a wire for each Service that a rule leads to: the weight that is set, and the share that was measured. */
function routeCards(index: ClusterIndex, shares: Shares, wires: Wire[]): Card[] {
  return [...index.routes].map(([key, route]): Card => {
    const services = [...new Set(route.rules.flatMap((rule) => rule.backends.map((backend) => backend.service)))];
    const measured = (service: string): number => total(shares[`services/${route.namespace}/${service}`]);
    const whole = services.reduce((sum, service) => sum + measured(service), 0);
    // The last rule is the one that most requests meet; others are for headers.
    const main = route.rules.at(-1), weights = main?.backends.reduce((sum, backend) => sum + backend.weight, 0) ?? 0;
    for (const service of services) {
      const backend = main?.backends.find((one) => one.service === service);
      const share = whole ? ` · ${percent(measured(service), whole)}` : "";
      const label = backend && weights ? `${backend.weight}/${weights}${share}` : share.slice(3);
      wires.push({ from: key, to: `services/${route.namespace}/${service}`, dashed: !backend?.weight, rate: measured(service) / 10, errors: 0, label });
    }
    for (const rule of route.rules) for (const mirror of rule.mirrors) wires.push({ from: key, to: `services/${route.namespace}/${mirror}`, dashed: true, label: t("copies") });
    const special = route.rules.filter((rule) => rule.headers.length).map((rule) => `${rule.headers.join(", ")} → ${rule.backends.filter((backend) => backend.weight).map((backend) => backend.service).join(", ")}`);
    return { id: key, title: route.name, lines: [route.hostnames.join(", ") || "*", ...special].slice(0, 2), tag: "HTTPRoute", tone: "soft", link: true };
  });
}

function trafficPod(key: string, pod: PodView, note: PodNote | undefined): Card {
  const figures = note ? [t("{count}/s in {ms} ms", { count: note.served, ms: decimal(note.ms) }), note.waiting ? t("{count} wait", { count: note.waiting }) : ""] : [];
  return { ...podCard(key, pod), lines: [[pod.ip, pod.node].filter(Boolean).join(" · "), figures.filter(Boolean).join(" · ")].filter(Boolean), ...(note?.errors ? { tag: note.errors === 1 ? t("1 error") : t("{count} errors", { count: note.errors }), tone: "bad" as const } : {}) };
}

export function podCard(key: string, pod: PodView): Card {
  return { id: key, title: pod.name, lines: [], tag: pod.ready ? t("ready") : pod.status, tone: pod.ready ? "ok" : "warn", dashed: !pod.ready, pod: key, link: true };
}

// Storage: what was asked for, and what was found for it.

interface ClaimLike {
  phase: string;
  size: string;
  volume?: string;
  claim?: string;
  class?: string;
  /** Of a class. */
  provisioner?: string;
  binding?: string;
  reclaim?: string;
  default?: boolean;
  /** Of an attachment. */
  node?: string;
  attached?: boolean;
}

/** Where a volume is attached, as its attachments say. */
function attachedTo(index: ClusterIndex, volume: string): string {
  const nodes = [...index.storage].filter(([key, view]) => key.startsWith("volumeattachments/") && (view as unknown as ClaimLike).volume === volume)
    .map(([, view]) => view as unknown as ClaimLike).map((one) => (one.attached ? t("attached to {node}", { node: one.node ?? "" }) : t("being attached to {node}", { node: one.node ?? "" })));
  return nodes.join(", ");
}

function storageBoard(index: ClusterIndex): Board {
  const classes: Card[] = [], volumes: Card[] = [], claims: Card[] = [], pods = new Map<string, Card>();
  const wires: Wire[] = [];
  for (const [key, view] of [...index.storage].sort((a, b) => natural(a[0], b[0]))) {
    const like = view as unknown as ClaimLike;
    const bound = like.phase === "Bound";
    const card: Card = { id: key, title: view.name, lines: [[like.size, like.class].filter(Boolean).join(" · ")].filter(Boolean), tag: like.phase, tone: bound ? "ok" : like.phase === "Available" ? "soft" : "warn", dashed: !bound, link: true };
    switch (resourceOf(key)) {
      case "storageclasses":
        classes.push({ ...card, tag: like.default ? t("default") : "", tone: "soft", dashed: false, lines: [like.provisioner ?? "", [like.binding, like.reclaim].filter(Boolean).join(" · ")].filter(Boolean) });
        break;
      case "persistentvolumes":
        volumes.push({ ...card, lines: [...card.lines, attachedTo(index, view.name)].filter(Boolean) });
        if (like.claim) wires.push({ from: `persistentvolumeclaims/${like.claim}`, to: key });
        break;
      case "persistentvolumeclaims":
        claims.push(card);
        if (!like.volume && like.class && index.storage.has(`storageclasses/${like.class}`)) wires.push({ from: key, to: `storageclasses/${like.class}`, dashed: true });
    }
    if (like.class && resourceOf(key) === "persistentvolumes") wires.push({ from: key, to: `storageclasses/${like.class}` });
  }
  for (const [key, pod] of index.pods) {
    for (const claim of pod.claims ?? []) {
      const to = `persistentvolumeclaims/${pod.namespace}/${claim}`;
      wires.push({ from: key, to, dashed: !index.storage.has(to) });
      pods.set(key, { ...podCard(key, pod), lines: pod.node ? [pod.node] : [] });
    }
  }
  const columns = [{ title: t("PODS"), cards: [...pods.values()] }, { title: t("CLAIMS"), cards: claims }, { title: t("VOLUMES"), cards: volumes }, { title: t("CLASSES"), cards: classes }];
  return { columns: columns.filter((column) => column.cards.length), wires, note: claims.length || volumes.length ? "" : t("Nobody has asked for storage yet.") };
}

// Where it all is.

const MOST_CARDS = 60;
const HEAD = 34;

/** Puts the columns side by side, cards one under the other; beyond a limit it says how many more there are. */
export function placeBoard(board: Board, area: Box, narrow: boolean): PlacedBoard {
  const placed: PlacedBoard = { boxes: new Map(), cards: new Map(), wires: [], titles: [], hidden: [], note: board.note, bottom: area.y };
  const count = Math.max(1, board.columns.length);
  if (narrow) return placeStacked(board, area);
  const gap = Math.min(110, area.w * (count > 3 ? 0.055 : 0.09));
  const w = Math.min(330, (area.w - gap * (count - 1)) / count);
  board.columns.forEach((column, i) => {
    const x = area.x + i * (w + gap);
    placed.titles.push({ text: column.title, x, y: area.y - 8 });
    let y = area.y;
    for (const card of column.cards.slice(0, MOST_CARDS)) {
      const h = heightOf(card);
      placed.boxes.set(card.id, { x, y, w, h });
      placed.cards.set(card.id, card);
      y += h + 9;
    }
    if (column.cards.length > MOST_CARDS) placed.hidden.push({ text: t("and {count} more", { count: column.cards.length - MOST_CARDS }), x, y: (y += 16) });
    placed.bottom = Math.max(placed.bottom, y);
  });
  placeWires(board, placed);
  return placed;
}

/** On a phone the columns follow one another, two cards abreast; wires would only tangle, so those of what is selected are enough. */
function placeStacked(board: Board, area: Box): PlacedBoard {
  const placed: PlacedBoard = { boxes: new Map(), cards: new Map(), wires: [], titles: [], hidden: [], note: board.note, bottom: area.y };
  const w = (area.w - 10) / 2;
  let y = area.y;
  for (const column of board.columns) {
    placed.titles.push({ text: column.title, x: area.x, y: y - 8 });
    const shown = column.cards.slice(0, MOST_CARDS);
    for (let i = 0; i < shown.length; i += 2) {
      const pair = shown.slice(i, i + 2);
      const h = Math.max(...pair.map(heightOf));
      pair.forEach((card, side) => {
        placed.boxes.set(card.id, { x: area.x + side * (w + 10), y, w, h });
        placed.cards.set(card.id, card);
      });
      y += h + 8;
    }
    if (column.cards.length > MOST_CARDS) placed.hidden.push({ text: t("and {count} more", { count: column.cards.length - MOST_CARDS }), x: area.x, y: (y += 14) });
    y += 26;
  }
  placed.bottom = y - 26;
  placeWires(board, placed);
  return placed;
}

const heightOf = (card: Card): number => HEAD + 15 * card.lines.length - (card.lines.length ? 2 : 0);

/** The wires anew, after boxes have moved. */
export function rewire(placed: PlacedBoard): PlacedBoard {
  const moved = { ...placed, wires: [] };
  placeWires({ wires: placed.wires.map(({ wire }) => wire) }, moved);
  return moved;
}

function placeWires(board: Pick<Board, "wires">, placed: PlacedBoard): void {
  for (const wire of board.wires) {
    const a = placed.boxes.get(wire.from), b = placed.boxes.get(wire.to);
    if (!a || !b) continue;
    const back = a.x > b.x;
    const from = { x: back ? a.x : a.x + a.w, y: a.y + Math.min(a.h / 2, 22) }, to = { x: back ? b.x + b.w : b.x, y: b.y + Math.min(b.h / 2, 22) };
    const bend = Math.max(26, Math.abs(to.x - from.x) * 0.5) * (back ? -1 : 1);
    placed.wires.push({ wire, curve: [from, { x: from.x + bend, y: from.y }, { x: to.x - bend, y: to.y }, to] });
  }
}
