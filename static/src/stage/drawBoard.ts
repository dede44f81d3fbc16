// Draws a board: its cards, its wires, and the requests that run along them.
import type { Drawing } from "./drawing";
import { bezier, contains, type Box } from "./geometry";
import type { Card, PlacedBoard } from "./board";
import { podColor, toneColor } from "./pod";
import { wrap } from "./words";

const MOST_DOTS = 9;
const TRIP_MS = 1500;

export function drawBoard(d: Drawing, board: PlacedBoard): void {
  const { pen } = d;
  for (const title of board.titles) pen.text(title.text, title.x, title.y, { size: 10.8, color: pen.theme.soft, spacing: 1 });
  for (const { wire, curve } of board.wires) {
    const lit = d.selected === wire.from || d.selected === wire.to;
    if (d.at.narrow && !lit && !wire.lit) continue;
    if (wire.lit !== undefined) {
      pen.curve(...curve, { stroke: wire.lit ? pen.theme.ok : pen.theme.wire, width: wire.lit ? 3 : 1.2, alpha: wire.lit ? 1 : 0.45, dash: wire.dashed ? [3, 5] : undefined });
      continue;
    }
    // What is on its way has the colour of the version that it goes to, and is as wide as it is much.
    const ink = wire.rate ? inkOf(d, wire.pod) : undefined;
    const width = ink ? 1.6 + Math.min(3, Math.log2(1 + wire.rate!) * 0.45) : 1.3;
    pen.curve(...curve, { stroke: lit ? pen.theme.accent : (ink ?? pen.theme.wire), width: lit ? Math.max(2, width) : width, dash: wire.dashed ? [3, 5] : undefined, alpha: ink && !lit ? 0.55 : 0.9 });
  }
  for (const [id, box] of board.boxes) drawCard(d, board.cards.get(id)!, box);
  for (const { lines, box } of labels(d, board)) {
    pen.rect(box, { fill: pen.theme.panel, fillAlpha: 0.94, stroke: pen.theme.line, radius: 6 });
    lines.forEach((line, i) => pen.text(line, box.x + box.w / 2, box.y + 10.5 + 13.5 * i, { size: 10.2, weight: i ? 500 : 700, align: "center", color: i ? pen.theme.soft : pen.theme.text }));
  }
  for (const { text, x, y } of board.hidden) pen.text(text, x, y, { size: 11, color: pen.theme.soft });
  if (board.note) note(d, board);
}

/** The note stands under the first columns, where there is mostly room. */
function note(d: Drawing, board: PlacedBoard): void {
  const { bus } = d.at;
  const w = d.at.narrow ? bus.w : Math.max(260, bus.w * 0.46);
  const mine = [...board.boxes.values()].filter((box) => box.x < bus.x + w);
  const y = (d.at.narrow ? board.bottom : Math.max(board.boxes.size ? 0 : board.bottom, ...mine.map((box) => box.y + box.h))) + 24;
  wrap(board.note, w, 4, d.pen.width.bind(d.pen), 12).forEach((line, i) => d.pen.text(line, bus.x, y + i * 17, { size: 12, color: d.pen.theme.soft }));
}

function drawCard(d: Drawing, card: Card, box: PlacedBoard["boxes"] extends Map<string, infer B> ? B : never): void {
  const { pen } = d;
  const { theme } = pen;
  const selected = d.selected === card.id;
  const pod = card.pod ? d.index.pods.get(card.pod) : undefined;
  const color = pod ? podColor(d, pod) : theme.line;
  pen.rect({ ...box, y: box.y + 1.5 }, { fill: theme.shadow, fillAlpha: 0.45, radius: 9 });
  pen.rect(box, { fill: theme.panel, radius: 9 });
  if (pod) {
    pen.rect(box, { fill: color, fillAlpha: card.dashed ? 0.04 : 0.1, radius: 9 });
    pen.pattern({ ...box, w: 7 }, 3, d.index.versionOf(pod).pattern, color, 0.5);
  }
  if (card.lit) pen.rect(box, { fill: theme.ok, fillAlpha: 0.14, radius: 9 });
  pen.rect(box, { stroke: selected ? theme.accent : card.lit ? theme.ok : color, width: selected || card.lit ? 2.2 : 1.2, radius: 9, dash: card.dashed ? [5, 4] : undefined });
  const tag = card.tag ?? "", top = card.slim ? 19 : 21;
  const tagW = tag ? Math.min(pen.width(tag, { size: 11, weight: 600 }), box.w * 0.5) : 0;
  if (tag) pen.text(tag, box.x + box.w - 11, box.y + top, { size: 11, weight: 600, align: "right", max: tagW + 1, color: toneColor(theme, card.tone ?? "soft") });
  pen.text(card.title, box.x + 12, box.y + top, { size: 12.4, weight: 650, max: box.w - 30 - tagW });
  if (card.lit === false) pen.rect(box, { fill: theme.panel, fillAlpha: 0.45, radius: 9 });
  card.lines.forEach((line, i) => pen.text(line, box.x + 12, box.y + 37 + 15 * i, { size: 10.9, color: theme.soft, max: box.w - 22 }));
  if (card.shares) drawShares(d, card.shares, { x: box.x + 12, y: box.y + box.h - 20, w: box.w - 24, h: 13 });
  if (card.part !== undefined) drawPart(d, card, { x: box.x + 12, y: box.y + box.h - 18, w: box.w - 24, h: 8 });
}

/** The colour of a pod's version. */
function inkOf(d: Drawing, key: string | undefined): string | undefined {
  const pod = key ? d.index.pods.get(key) : undefined;
  return pod && podColor(d, pod);
}

/** What each version got, side by side, in the colour and the pattern of its pods. */
function drawShares(d: Drawing, shares: NonNullable<Card["shares"]>, bar: Box): void {
  const { pen } = d;
  let x = bar.x;
  for (const { part, pod: key } of shares) {
    const pod = key ? d.index.pods.get(key) : undefined, ink = pod ? podColor(d, pod) : pen.theme.soft, box = { ...bar, x, w: bar.w * part };
    pen.rect(box, { fill: ink, fillAlpha: 0.28, stroke: ink, width: 1.4, radius: Math.min(4, box.w / 2) });
    if (pod) pen.pattern(box, 4, d.index.versionOf(pod).pattern, ink, 0.9);
    x += box.w;
  }
}

/** A bar: full for the part that is needed, hatched for what is asked for beyond it. */
function drawPart({ pen }: Drawing, card: Card, bar: Box): void {
  const w = bar.w * card.part!;
  pen.rect({ ...bar, w }, { fill: pen.theme.accent, fillAlpha: 0.75, radius: 4 });
  pen.rect({ ...bar, x: bar.x + w, w: bar.w - w }, { fill: pen.theme.warn, fillAlpha: 0.2, stroke: pen.theme.warn, radius: 4 });
  pen.pattern({ ...bar, x: bar.x + w, w: bar.w - w }, 3, 1, pen.theme.warn, 0.9);
}

/** What is written beside wires, with the box that it stands in. */
function labels(d: Drawing, board: PlacedBoard): { lines: string[]; box: Box }[] {
  if (d.at.narrow) return [];
  return board.wires.filter(({ wire }) => wire.label).map(({ wire, curve }) => {
    const at = bezier(...curve, 0.5), lines = wire.label!.split(" · ");
    const w = Math.max(...lines.map((line) => d.pen.width(line, { size: 10.2, weight: 600 }))) + 8;
    return { lines, box: { x: at.x - w / 2, y: at.y - 7 * lines.length, w, h: 14 * lines.length } };
  });
}

/** Requests on their way: the more there are, the more dots; what fails is a cross. `phase` is 0 to 1, and stands while the cluster does. */
export function drawRequests(d: Drawing, board: PlacedBoard, phase: number): void {
  const { pen } = d;
  const written = labels(d, board).map(({ box }) => box);
  for (const { wire, curve } of board.wires) {
    // On a phone wires are drawn for what is selected alone: without them dots would only lie on the words.
    if (!wire.rate || (d.at.narrow && d.selected !== wire.from && d.selected !== wire.to)) continue;
    const dots = Math.max(1, Math.min(MOST_DOTS, Math.round(Math.log2(1 + wire.rate) * 1.2)));
    const bad = Math.min(dots, Math.ceil((dots * (wire.errors ?? 0)) / wire.rate));
    for (let i = 0; i < dots; i++) {
      const at = bezier(...curve, (i / dots + phase) % 1);
      if (written.some((box) => contains(box, at))) continue; // it passes beneath the words
      if (i < bad) pen.glyph("cross", at, 5, pen.theme.bad);
      else pen.circle(at, 3.4, { fill: inkOf(d, wire.pod) ?? pen.theme.accent });
    }
  }
}

/** Where the dots are at a time. */
export const phaseAt = (now: number): number => (now % TRIP_MS) / TRIP_MS;

export const carriesTraffic = (board: PlacedBoard | null): boolean => board?.wires.some(({ wire }) => wire.rate) ?? false;
