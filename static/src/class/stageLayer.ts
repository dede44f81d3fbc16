// What a class shows over the stage: where the instructor points, and how many pointed at a thing in a poll. Both are tied to things on
// the stage, not to places on the screen, since each page lays the stage out as it fits.
import type { Pointer, PollState } from "./types";

const SEND_EVERY_MS = 90;

const overlay = (): HTMLElement | null => document.querySelector(".stage-overlay");
const buttonOf = (id: string): HTMLElement | null => overlay()?.querySelector(`[data-id="${CSS.escape(id)}"]`) ?? null;

/** Sends where the pointer is on the stage, as part of the thing under it. */
export function sharePointer(send: (at: Pointer | null) => void): void {
  let last = 0, shown = false;
  document.addEventListener("pointermove", (event) => {
    const now = performance.now();
    if (now - last < SEND_EVERY_MS) return;
    const target = (event.target as Element | null)?.closest?.<HTMLElement>(".stage-overlay [data-id]") ?? null;
    if (!target) {
      if (shown) send(null);
      shown = false;
      return;
    }
    last = now;
    shown = true;
    const box = target.getBoundingClientRect();
    send({ id: target.dataset["id"]!, x: Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)), y: Math.min(1, Math.max(0, (event.clientY - box.top) / box.height)) });
  });
}

export class StageLayer {
  private dot: HTMLElement | null = null;
  private pointer: Pointer | null = null;
  private poll: PollState | null = null;
  private readonly badges = new Map<string, HTMLElement>();

  constructor(private readonly pointerName: string) {
    // Things on the stage move by themselves. Where nothing stands over it, the page need not be drawn for this.
    setInterval(() => {
      if (this.pointer || this.badges.size) requestAnimationFrame(() => this.place());
    }, 120);
  }

  point(at: Pointer | null): void {
    this.pointer = at;
    this.place();
  }

  show(poll: PollState | null): void {
    this.poll = poll;
    this.place();
  }

  private place(): void {
    const sheet = document.querySelector<HTMLElement>(".stage-sheet");
    if (!sheet) return;
    this.placeDot(sheet);
    const wanted = new Map<string, string>();
    if (this.poll?.kind === "stage" && this.poll.votes) for (const [id, count] of Object.entries(this.poll.votes)) wanted.set(id, String(count));
    if (this.poll?.kind === "stage" && this.poll.state === "decided" && this.poll.answer) wanted.set(this.poll.answer, `✓ ${wanted.get(this.poll.answer) ?? 0}`);
    for (const [id, badge] of this.badges) {
      if (wanted.has(id)) continue;
      badge.remove();
      this.badges.delete(id);
    }
    for (const [id, text] of wanted) this.placeBadge(sheet, id, text);
  }

  private placeBadge(sheet: HTMLElement, id: string, text: string): void {
    const button = buttonOf(id);
    let badge = this.badges.get(id);
    if (!badge) {
      badge = document.createElement("span");
      badge.className = "stage-badge";
      badge.setAttribute("aria-hidden", "true");
      this.badges.set(id, badge);
      sheet.append(badge);
    }
    if (badge.textContent !== text) badge.textContent = text;
    badge.classList.toggle("right", text.startsWith("✓"));
    badge.hidden = !button;
    if (!button) return;
    const box = button.getBoundingClientRect(), origin = sheet.getBoundingClientRect();
    badge.style.transform = `translate(${box.right - origin.left - 26}px, ${box.top - origin.top - 10}px)`;
  }

  private placeDot(sheet: HTMLElement): void {
    const button = this.pointer ? buttonOf(this.pointer.id) : null;
    if (!this.dot) {
      this.dot = document.createElement("span");
      this.dot.className = "class-pointer";
      this.dot.dataset["testid"] = "class-pointer";
      this.dot.setAttribute("aria-hidden", "true");
      this.dot.textContent = this.pointerName;
      sheet.append(this.dot);
    }
    this.dot.hidden = !button;
    if (!button || !this.pointer) return;
    const name = this.pointer.by || this.pointerName;
    if (this.dot.textContent !== name) this.dot.textContent = name;
    const box = button.getBoundingClientRect(), origin = sheet.getBoundingClientRect();
    this.dot.style.transform = `translate(${box.left - origin.left + this.pointer.x * box.width}px, ${box.top - origin.top + this.pointer.y * box.height}px)`;
  }
}
