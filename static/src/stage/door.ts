// The door of the API server: requests that are held wait above its bar, each a packet that says who asks what. A click lets one be looked
// into and go on.
import type { Held, ModeState } from "../stream/types";
import { actorBox, wireOf } from "./actors";
import type { Drawing } from "./drawing";
import { center, ease, mixBox, type Box } from "./geometry";
import type { Layout } from "./layout";
import { requestTitle } from "./travel";

export interface Packet {
  box: Box;
  words: string;
  /** When it came, on the page's clock. */
  since: number;
}

type Waiting = NonNullable<ModeState["held"]>;

const H = 20, GAP = 6, TRAVEL_MS = 420;
const FONT = { size: 11, weight: 650 };
/** How many stand so that there is room for others' words beside them. */
const MOST = 6;

export const heldId = (id: number): string => `held:${id}`;

/** What is asked, and by whom if not by kubectl. */
export const heldTitle = (held: Held): string => (held.actor === "kubectl" ? "" : `${held.actor}: `) + requestTitle(held.verb, held.object);

/** Puts the packets in a row above the bar, from where requests from outside come in. Those that stood there keep their time. */
export function placeDoor(at: Layout, held: Waiting | undefined, width: (words: string) => number, now: number): Map<string, Packet> {
  const door = new Map<string, Packet>();
  if (!held) return door;
  const { bus } = at;
  const end = wireOf(at, "kubectl").at(-1)!;
  const right = bus.x + bus.w * (at.narrow ? 1 : 0.72);
  let x = at.narrow ? bus.x : Math.max(bus.x, end.x - 12);
  const y = bus.y - H - (at.narrow ? 1 : 4);
  for (const one of held.requests) {
    const words = heldTitle(one);
    const w = Math.min(width(words) + 30, bus.w * 0.44);
    if (door.size === MOST || x + w > right - 34) break;
    door.set(heldId(one.id), { box: { x, y, w, h: H }, words, since: at.door.get(heldId(one.id))?.since ?? now });
    x += w + GAP;
  }
  const rest = held.count - door.size;
  if (rest > 0) door.set("held", { box: { x, y, w: 34, h: H }, words: `+${rest}`, since: at.door.get("held")?.since ?? now });
  return door;
}

/** Draws what waits; returns whether something is still on its way there. */
export function drawDoor(d: Drawing, now: number): boolean {
  const { pen, at } = d;
  const { theme } = pen;
  let moving = false;
  for (const [id, packet] of at.door) {
    const part = Math.min(1, (now - packet.since) / TRAVEL_MS);
    if (part < 1) moving = true;
    const from = center(actorBox(at, "kubectl") ?? at.kubectl);
    const box = part < 1 ? mixBox({ x: from.x - 8, y: from.y, w: 16, h: 10 }, packet.box, ease(part)) : packet.box;
    const chosen = d.selected === id;
    pen.rect(box, { fill: theme.panel, stroke: theme.warn, width: chosen ? 2.6 : 1.5, dash: chosen ? undefined : [4, 3], radius: H / 2 });
    if (part < 1) continue;
    if (id !== "held") pen.glyph("clock", { x: box.x + 12, y: box.y + H / 2 }, 5.4, theme.warn, 0.25);
    pen.text(packet.words, box.x + (id === "held" ? 8 : 22), box.y + 14, { ...FONT, color: theme.warn, max: box.w - (id === "held" ? 10 : 28) });
  }
  return moving;
}

export const doorFont = FONT;
