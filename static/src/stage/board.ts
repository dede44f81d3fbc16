// The lenses that are tables of cards with wires between them: traffic, storage, the inside of a node. Pure: cluster -> cards.
// board.ts says what there is and where; drawBoard.ts how it looks.
import type { ClusterIndex } from "../lab/index";
import type { Components } from "../stream/types";
import { resourceOf, type PodView } from "../stream/views";
import { t } from "../i18n/t";
import { natural, type Box, type Point } from "./geometry";
import type { AccessAnswer, AccessGraph, InsideAnswer, OwnersAnswer } from "../lab/api";
import { accessBoard } from "./access";
import { nodeBoard, nodeOf } from "./inside";
import { trafficBoard } from "./traffic";
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
  /** Shares of versions, each with a pod that gives its colour and pattern, as one bar. */
  shares?: { part: number; pod?: string }[];
  /** The word in the corner when the card has to do with one line. */
  short?: string;
  slim?: boolean;
}

export interface Wire {
  from: string;
  to: string;
  dashed?: boolean;
  /** Requests a second, and how many of them fail. */
  rate?: number;
  errors?: number;
  lit?: boolean;
  /** The pod whose version gives what runs along it its colour. */
  pod?: string;
  /** What is written beside it. */
  label?: string;
}

export interface Board {
  /** `below`: what stands under the cards of a column, with a heading of its own. */
  columns: { title: string; cards: Card[]; below?: { title: string; cards: Card[] } }[];
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

const stateOf = (pod: PodView): { tag: string; tone: Tone } => {
  if (pod.deleting !== null && pod.deleting !== undefined) return { tag: t("stopping"), tone: "warn" };
  if (pod.ready) return { tag: t("ready"), tone: "ok" };
  return { tag: pod.status === "Running" ? t("not ready") : pod.status, tone: "warn" };
};

export function podCard(key: string, pod: PodView): Card {
  return { id: key, title: pod.name, lines: [], ...stateOf(pod), dashed: !pod.ready, pod: key, link: true };
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
const HEAD = 34, SLIM = 29;
/** Room for a bar of shares. */
const SHARES_H = 19;

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
    const shown = column.cards.slice(0, MOST_CARDS);
    const whole = shown.reduce((sum, card) => sum + heightOf(card) + 9, 0);
    const put = (card: Card, between: number): void => {
      const h = heightOf(card);
      placed.boxes.set(card.id, { x, y, w, h });
      placed.cards.set(card.id, card);
      y += h + between;
    };
    // Rather all pods in one line each than some out of sight.
    for (const card of shown) whole > area.h && card.short !== undefined ? put({ ...card, lines: [], slim: true, tag: card.short || card.tag }, 4) : put(card, 9);
    if (column.below?.cards.length) {
      y += 24;
      placed.titles.push({ text: column.below.title, x, y: y - 8 });
      for (const card of column.below.cards) put(card, 9);
    }
    if (column.cards.length > MOST_CARDS) placed.hidden.push({ text: t("and {count} more", { count: column.cards.length - MOST_CARDS }), x, y: (y += 16) });
    placed.bottom = Math.max(placed.bottom, y);
  });
  placeWires(board, placed);
  return placed;
}

/** On a phone the columns follow one another, two cards abreast; wires would only tangle, so those of what is selected are enough. */
function placeStacked(board: Board, area: Box): PlacedBoard {
  /** What stands beside wires otherwise: the weight of a Service, in place of its address. */
  const weights = new Map(board.wires.filter((wire) => wire.label && /\d\/\d/.test(wire.label)).map((wire) => [wire.to, wire.label!]));
  const placed: PlacedBoard = { boxes: new Map(), cards: new Map(), wires: [], titles: [], hidden: [], note: board.note, bottom: area.y };
  const w = (area.w - 10) / 2;
  let y = area.y;
  for (const column of board.columns.flatMap((one) => (one.below?.cards.length ? [one, one.below] : [one]))) {
    placed.titles.push({ text: column.title, x: area.x, y: y - 8 });
    const shown = column.cards.slice(0, MOST_CARDS);
    for (let i = 0; i < shown.length; i += 2) {
      const pair = shown.slice(i, i + 2);
      const h = Math.max(...pair.map(heightOf));
      pair.forEach((card, side) => {
        placed.boxes.set(card.id, { x: area.x + side * (w + 10), y, w, h });
        placed.cards.set(card.id, weights.has(card.id) ? { ...card, lines: [weights.get(card.id)!, ...card.lines.slice(1)] } : card);
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

const heightOf = (card: Card): number => (card.slim ? SLIM : HEAD) + 15 * card.lines.length - (card.lines.length ? 2 : 0) + (card.shares ? SHARES_H : 0);

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
