// Cards on their way from where they were to where they are now, for the lenses whose cards move when the cluster changes: the graph of
// owners and the boards. Pods fly by themselves (flights.ts); lines follow the cards.
import { rewire } from "./board";
import { clamp, ease, mixBox, sameBox, type Box } from "./geometry";
import type { Layout } from "./layout";
import { relink } from "./layoutOwners";

const MOVE_MS = 380;

export class Tween {
  private from = new Map<string, Box>();
  private start = 0;
  private ms = 0;

  get active(): boolean {
    return this.from.size > 0;
  }

  clear(): void {
    this.from.clear();
  }

  /** Cards of `before` that stand elsewhere in `after` move there. */
  plan(before: Layout, after: Layout, now: number, rate: number): void {
    const places = boxesOf(after);
    this.from.clear();
    for (const [id, box] of boxesOf(before)) {
      const place = places.get(id);
      if (place && !sameBox(place, box)) this.from.set(id, box);
    }
    this.start = now;
    this.ms = MOVE_MS / clamp(rate, 1, 6);
  }

  /** The layout as it looks now; ends with the layout itself. */
  at(layout: Layout, now: number): Layout {
    const part = clamp((now - this.start) / this.ms, 0, 1);
    if (part >= 1) this.from.clear();
    if (!this.active) return layout;
    const eased = ease(part);
    const moved = (id: string, box: Box): Box => (this.from.has(id) ? mixBox(this.from.get(id)!, box, eased) : box);
    const boxes = (map: Map<string, Box>): Map<string, Box> => new Map([...map].map(([id, box]) => [id, moved(id, box)]));
    const held = <T extends { box: Box }>(map: Map<string, T>): Map<string, T> => new Map([...map].map(([id, one]) => [id, { ...one, box: moved(id, one.box) }]));
    const shown = { ...layout, owners: boxes(layout.owners), services: boxes(layout.services), others: held(layout.others), groups: held(layout.groups) };
    shown.ownerLinks = relink({ ...shown, boxes: shown.owners }, layout.ownerLinks, layout.narrow);
    if (layout.board) shown.board = rewire({ ...layout.board, boxes: boxes(layout.board.boxes) });
    return shown;
  }
}

function boxesOf(at: Layout): Map<string, Box> {
  const found = new Map([...at.owners, ...at.services, ...(at.board?.boxes ?? [])]);
  for (const [id, { box }] of [...at.others, ...at.groups]) found.set(id, box);
  return found;
}
