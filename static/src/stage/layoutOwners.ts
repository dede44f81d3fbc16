// The ownership lens: who made whom, and who selects whom. The server's networkx says what stands in which layer and in which order
// (clusterlab/stream/owners.py); here it gets its pixels: owners from the left, pods in one column, what selects them at the right.
import { t } from "../i18n/t";
import type { OwnerNode, OwnersAnswer } from "../lab/api";
import type { ClusterIndex } from "../lab/index";
import { clamp, type Box, type Point } from "./geometry";
import type { PodBox, PodDetail, Slots } from "./layoutNodes";

export interface OwnerLink {
  from: string;
  to: string;
  points: Point[];
  /** A selector, not an owner. */
  dashed?: boolean;
  /** Where it turns, from its end. */
  lane: number;
}

export interface OwnerCard {
  box: Box;
  kind: string;
  name: string;
}

export interface Owners {
  boxes: Map<string, Box>;
  /** Objects of which the stream tells nothing more: slices, revisions, budgets, policies. */
  others: Map<string, OwnerCard>;
  pods: Map<string, PodBox>;
  /** Frames around pods of one owner, with what is said of them. */
  groups: Map<string, { box: Box; words: string }>;
  links: OwnerLink[];
  /** What selects pods. */
  services: Map<string, Box>;
  titles: { text: string; x: number }[];
  note: string;
  bottom: number;
}

const CARD = 44, SERVICE = 54;
const GAP_X = 28, GAP_Y = 10, PART_GAP = 16;
/** Room for three pods side by side; and the narrowest card whose name can be read. */
const PODS_W = 318, LEAST_CARD_W = 140;
/** A taller branch has its owner at its top, where it is seen. */
const TALL = 240;

interface PodStyle {
  detail: PodDetail;
  w: number;
  h: number;
  gap: number;
  rows: number;
}

const STYLES: PodStyle[] = [
  { detail: "mini", w: 96, h: 34, gap: 6, rows: 4 }, { detail: "square", w: 15, h: 15, gap: 4, rows: 10 }, { detail: "dot", w: 8, h: 8, gap: 3, rows: 32 }, { detail: "dot", w: 5, h: 5, gap: 2, rows: 90 },
];
const PAD = 6, HEAD = 17;

interface Making {
  index: ClusterIndex;
  slots: Slots;
  area: Box;
  narrow: boolean;
  made: Owners;
  owned: Map<string, OwnerNode[]>;
  /** Group -> keys of its pods. */
  members: Map<string, string[]>;
  podsX: number;
  podsW: number;
  cardW: number;
  podsLayer: number;
  xOf: (layer: number) => number;
}

export function layoutOwners(index: ClusterIndex, area: Box, graph: OwnersAnswer | null, slots: Slots, narrow: boolean): Owners {
  const made: Owners = { boxes: new Map(), others: new Map(), pods: new Map(), groups: new Map(), links: [], services: new Map(), titles: [], note: "", bottom: area.y };
  if (!graph) return { ...made, note: t("Laying out the graph …") };
  const members = membersOf(index, graph);
  const nodes = graph.nodes.filter((node) => isThere(index, node, members)).sort((a, b) => a.part - b.part || a.layer - b.layer || a.y - b.y);
  if (!nodes.length) made.note = t("Nothing owns anything yet. A Deployment will own ReplicaSets, and these their pods.");
  const making = columnsOf(index, slots, area, narrow, made, nodes, members);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const ownedOnes = new Set<string>();
  for (const [from, to, what] of graph.edges) {
    if (what !== "owns" || !byId.has(from) || !byId.has(to)) continue;
    making.owned.set(from, [...(making.owned.get(from) ?? []), byId.get(to)!]);
    ownedOnes.add(to);
  }
  let y = area.y;
  for (const part of new Set(nodes.map((node) => node.part))) {
    const own = nodes.filter((node) => node.part === part);
    const roots = own.filter((node) => node.layer <= making.podsLayer && !ownedOnes.has(node.id));
    const top = y;
    for (const root of roots) y = (narrow ? indented(making, root, 0, y) : branch(making, root, y)) + GAP_Y;
    const right = own.filter((node) => node.layer > making.podsLayer);
    y = Math.max(y, narrow ? listed(making, right, y) : selecting(making, right, graph, top)) + PART_GAP - GAP_Y;
  }
  if (graph.more) made.note = t("and {count} more", { count: graph.more });
  made.bottom = y;
  for (const [from, to, what] of graph.edges) linkUp(made, from, to, what === "selects", narrow);
  return made;
}

/** The pods of each group: as the server says, where owners alone do not tell; those that came since stand with their siblings. */
function membersOf(index: ClusterIndex, graph: OwnersAnswer): Map<string, string[]> {
  const members = new Map<string, string[]>();
  const listed = new Set(graph.nodes.flatMap((node) => node.pods ?? []));
  for (const node of graph.nodes) if (node.pods) members.set(node.id, node.pods.filter((key) => index.pods.has(key)));
  for (const [from, to, what] of graph.edges) {
    if (what !== "owns" || !to.startsWith("pods:") || to.includes("#")) continue;
    const live = [...(index.childrenOf.get(from) ?? [])].filter((key) => index.pods.has(key) && !listed.has(key));
    members.set(to, [...(members.get(to) ?? []), ...live]);
  }
  return members;
}

const isThere = (index: ClusterIndex, node: OwnerNode, members: Map<string, string[]>): boolean =>
  node.id.startsWith("pods:") ? (members.get(node.id)?.length ?? 0) > 0 : WITH_VIEWS.test(node.id) ? index.workloads.has(node.id) : node.id.startsWith("services/") ? index.services.has(node.id) : true;
const WITH_VIEWS = /^(deployments|replicasets|statefulsets|daemonsets|jobs|cronjobs|replicationcontrollers|rollouts\.argoproj\.io)\//;

function columnsOf(index: ClusterIndex, slots: Slots, area: Box, narrow: boolean, made: Owners, nodes: OwnerNode[], members: Map<string, string[]>): Making {
  const groups = nodes.filter((node) => node.id.startsWith("pods:"));
  const rights = nodes.filter((node) => /^(services|poddisruptionbudgets|networkpolicies)\//.test(node.id));
  const podsLayer = groups[0]?.layer ?? (rights[0] ? rights[0].layer - 1 : Math.max(0, ...nodes.map((node) => node.layer)) + 1);
  let last = Math.max(podsLayer, ...nodes.map((node) => node.layer));
  const widths = (): [number, number] => {
    const cards = Math.max(1, last);
    const w = clamp((area.w - PODS_W) / cards - GAP_X, 120, 190);
    return [w, area.w - cards * (w + GAP_X)];
  };
  while (last > podsLayer + 1 && widths()[0] < LEAST_CARD_W) last--;
  const [cardW, podsW] = widths();
  const podsX = area.x + podsLayer * (cardW + GAP_X);
  const xOf = (layer: number): number => (layer <= podsLayer ? area.x + layer * (cardW + GAP_X) : podsX + podsW + GAP_X + (layer - podsLayer - 1) * (cardW + GAP_X));
  if (!narrow && nodes.length) {
    if (podsLayer > 0) made.titles.push({ text: "OWNERS AND OWNED", x: area.x });
    if (groups.length) made.titles.push({ text: "PODS", x: podsX });
    if (rights.length && last > podsLayer) made.titles.push({ text: "SELECTED BY", x: xOf(podsLayer + 1) });
  }
  const shown = narrow ? Infinity : last;
  for (const node of [...nodes]) if (node.layer > shown) nodes.splice(nodes.indexOf(node), 1);
  return { index, slots, area, narrow, made, owned: new Map(), members, podsX, podsW, cardW, podsLayer, xOf };
}

function card(making: Making, node: OwnerNode, box: Box): void {
  if (WITH_VIEWS.test(node.id)) making.made.boxes.set(node.id, box);
  else if (node.id.startsWith("services/")) making.made.services.set(node.id, box);
  else making.made.others.set(node.id, { box, kind: node.kind, name: node.name });
}

/** A node and what it owns from `y` down; returns the bottom. */
function branch(making: Making, node: OwnerNode, y: number): number {
  if (node.id.startsWith("pods:")) return group(making, node, making.podsX, making.podsW, y);
  let bottom = y;
  for (const child of making.owned.get(node.id) ?? []) bottom = branch(making, child, bottom) + GAP_Y;
  bottom = Math.max(y + CARD, bottom - GAP_Y);
  const tall = bottom - y > TALL;
  card(making, node, { x: making.xOf(node.layer), y: tall ? y : y + (bottom - y - CARD) / 2, w: making.cardW, h: CARD });
  return bottom;
}

function group(making: Making, node: OwnerNode, x: number, width: number, y: number): number {
  const { made, slots, index } = making;
  const keys = making.members.get(node.id) ?? [];
  const inner = width - 2 * PAD;
  const across = (style: PodStyle): number => Math.max(1, Math.floor((inner + style.gap) / (style.w + style.gap)));
  const style = STYLES.find((one) => keys.length <= across(one) * one.rows) ?? STYLES.at(-1)!;
  const cols = across(style), room = cols * style.rows;
  const head = style.detail === "mini" ? 0 : HEAD;
  const used = Math.min(Math.ceil(keys.length / cols), style.rows);
  for (const [key, slot] of slots.assign(`owners ${node.id}`, keys, room)) {
    if (slot >= room) continue;
    const box = { x: x + PAD + (slot % cols) * (style.w + style.gap), y: y + PAD + head + Math.floor(slot / cols) * (style.h + style.gap), w: style.w, h: style.h };
    made.pods.set(key, { box, detail: style.detail, node: index.pods.get(key)?.node ?? "" });
  }
  const highest = Math.max(0, ...keys.map((key) => (made.pods.has(key) ? made.pods.get(key)!.box.y + style.h - y : 0)));
  const h = Math.max(highest, PAD + head + used * (style.h + style.gap) - style.gap) + PAD;
  const ready = keys.filter((key) => index.pods.get(key)?.ready).length;
  const hidden = Math.max(0, keys.length - room);
  const words = head ? t("{ready} of {desired} ready", { ready, desired: keys.length }) + (hidden ? `, ${t("{count} not drawn", { count: hidden })}` : "") : "";
  const w = Math.min(width, Math.max(head ? 190 : 0, Math.min(cols, keys.length) * (style.w + style.gap) - style.gap + 2 * PAD));
  made.groups.set(node.id, { box: { x, y, w: style.detail === "mini" ? w : width, h }, words });
  return y + h;
}

/** What selects pods, beside the middle of what it selects; and what that owns. */
function selecting(making: Making, nodes: OwnerNode[], graph: OwnersAnswer, top: number): number {
  const { made } = making;
  const free = new Map<number, number>();
  let bottom = top;
  for (const node of nodes) {
    const near = graph.edges.filter(([, to]) => to === node.id).flatMap(([from]) => made.groups.get(from)?.box ?? boxOf(made, from) ?? []);
    const h = node.id.startsWith("services/") ? SERVICE : CARD;
    const wanted = near.length ? near.reduce((sum, box) => sum + portY(box), 0) / near.length - h / 2 : top;
    const y = Math.max(free.get(node.layer) ?? top, Math.min(wanted, top + 4 * TALL));
    card(making, node, { x: making.xOf(node.layer), y, w: making.cardW, h });
    free.set(node.layer, y + h + GAP_Y);
    bottom = Math.max(bottom, y + h + GAP_Y);
  }
  return bottom;
}

const INDENT = 18;

/** On a phone what is owned stands under its owner, set in a little. */
function indented(making: Making, node: OwnerNode, depth: number, y: number): number {
  const { area } = making;
  const box = { x: area.x + depth * INDENT, y, w: area.w - depth * INDENT, h: CARD };
  if (node.id.startsWith("pods:")) return group(making, node, box.x, box.w, y);
  card(making, node, box);
  let bottom = y + CARD;
  for (const child of making.owned.get(node.id) ?? []) bottom = indented(making, child, depth + 1, bottom + 8);
  return bottom;
}

function listed(making: Making, nodes: OwnerNode[], y: number): number {
  const { area } = making;
  for (const node of nodes) {
    const h = node.id.startsWith("services/") ? SERVICE : CARD;
    const depth = node.layer - making.podsLayer;
    card(making, node, { x: area.x + depth * INDENT, y, w: area.w - depth * INDENT, h });
    y += h + 8;
  }
  return y;
}

const boxOf = (made: Pick<Owners, "boxes" | "services" | "others" | "groups">, id: string): Box | undefined => made.boxes.get(id) ?? made.services.get(id) ?? made.others.get(id)?.box ?? made.groups.get(id)?.box;

/** Where a line meets a box: in its middle, or near the top of a tall one. */
const portY = (box: Box): number => box.y + Math.min(box.h / 2, 60);

function linkUp(made: Owners, from: string, to: string, dashed: boolean, narrow: boolean): void {
  const a = boxOf(made, from), b = boxOf(made, to);
  if (!a || !b || (narrow && dashed)) return;
  const lane = dashed ? 12 + 6 * (made.links.filter((link) => link.dashed && link.from === from).length % 3) : GAP_X / 2;
  made.links.push({ from, to, dashed, lane, points: elbow(a, b, lane, narrow) });
}

function elbow(a: Box, b: Box, lane: number, narrow: boolean): Point[] {
  if (narrow) return [{ x: a.x + 8, y: a.y + a.h }, { x: a.x + 8, y: b.y + Math.min(b.h / 2, 22) }, { x: b.x, y: b.y + Math.min(b.h / 2, 22) }];
  const start = { x: a.x + a.w, y: portY(a) }, end = { x: b.x, y: portY(b) };
  return [start, { x: end.x - lane, y: start.y }, { x: end.x - lane, y: end.y }, end];
}

/** The lines anew, after boxes have moved. */
export function relink(made: Pick<Owners, "boxes" | "services" | "others" | "groups">, links: OwnerLink[], narrow: boolean): OwnerLink[] {
  return links.flatMap((link) => {
    const a = boxOf(made, link.from), b = boxOf(made, link.to);
    return a && b ? [{ ...link, points: elbow(a, b, link.lane, narrow) }] : [];
  });
}
