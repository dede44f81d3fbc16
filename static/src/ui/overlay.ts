// Transparent buttons over the drawn stage. One of them is in the tab order; arrows go to the nearest in that direction.
import { targets } from "../stage/actors";
import type { Layout } from "../stage/layout";
import type { Box } from "../stage/geometry";
import { meets } from "../stage/view";

/** Beyond this many things single pods have no button of their own: their node's inspector lists them. */
const MOST_BUTTONS = 420;

export class Overlay {
  private readonly buttons = new Map<string, HTMLButtonElement>();
  /** How each button was made last: only what differs is touched. */
  private readonly looks = new Map<string, string>();
  private boxes = new Map<string, Box>();
  private current = "kube-apiserver";

  constructor(private readonly root: HTMLElement, private readonly nameOf: (id: string) => string) {
    root.addEventListener("focusin", (event) => this.focused(event.target as HTMLElement));
  }

  place(at: Layout, sight: Box, scale: number, selected: string): void {
    let found = targets(at);
    if (found.length > MOST_BUTTONS) {
      const near = found.filter((target) => target.id.startsWith("pods/") && target.box.w > 9 && meets(target.box, sight));
      found = [...found.filter((target) => !target.id.startsWith("pods/")), ...(near.length > MOST_BUTTONS ? [] : near)];
    }
    if (found.length > MOST_BUTTONS * 3) found.length = MOST_BUTTONS * 3;
    found.reverse();
    this.boxes = new Map(found.map((target) => [target.id, target.box]));
    for (const [id, button] of this.buttons) {
      if (this.boxes.has(id)) continue;
      button.remove();
      this.looks.delete(id);
      this.buttons.delete(id);
    }
    if (!this.boxes.has(this.current)) this.current = "kube-apiserver";
    found.forEach(({ id, box }, depth) => this.put(id, box, scale, depth, selected));
  }

  private put(id: string, box: Box, scale: number, depth: number, selected: string): void {
    const name = this.nameOf(id);
    const looks = `${name}|${id === selected}|${id === this.current}|${depth}|${scale}|${box.x},${box.y},${box.w},${box.h}`;
    if (this.looks.get(id) === looks) return;
    this.looks.set(id, looks);
    let button = this.buttons.get(id);
    if (!button) {
      button = document.createElement("button");
      button.type = "button";
      button.dataset["id"] = id;
      button.dataset["testid"] = `stage:${id}`;
      this.buttons.set(id, button);
      this.root.append(button);
    }
    if (button.getAttribute("aria-label") !== name) button.setAttribute("aria-label", name);
    button.setAttribute("aria-pressed", String(id === selected));
    button.tabIndex = id === this.current ? 0 : -1;
    button.style.zIndex = String(depth);
    button.style.transform = `translate(${box.x * scale}px, ${box.y * scale}px)`;
    button.style.width = `${box.w * scale}px`;
    button.style.height = `${box.h * scale}px`;
  }

  private focused(target: HTMLElement): void {
    const id = target.dataset["id"];
    if (!id || id === this.current) return;
    const before = this.buttons.get(this.current);
    this.looks.delete(this.current);
    this.looks.delete(id);
    if (before) before.tabIndex = -1;
    target.tabIndex = 0;
    this.current = id;
  }

  /** Moves the focus towards an arrow key; false when the key is none or there is nothing that way. */
  move(key: string, from: string): boolean {
    const way = ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] } as Record<string, [number, number]>)[key];
    const start = this.boxes.get(from);
    if (!way || !start) return false;
    let best = "", least = Infinity;
    const x = start.x + start.w / 2, y = start.y + start.h / 2;
    for (const [id, box] of this.boxes) {
      const dx = box.x + box.w / 2 - x, dy = box.y + box.h / 2 - y;
      const ahead = dx * way[0] + dy * way[1], aside = Math.abs(dx * way[1]) + Math.abs(dy * way[0]);
      const cost = ahead + aside * 2.2;
      if (id !== from && ahead > 3 && cost < least) [best, least] = [id, cost];
    }
    this.buttons.get(best)?.focus();
    return best !== "";
  }
}
