// Looking at the stage from nearer: the wheel with Ctrl, two fingers, a drag, keys, and buttons where there is an overview.
import { html, LitElement, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import { currentLab } from "./element";

/** What can be looked at from nearer. Places are in pixels of its window. */
export interface Zoomed {
  readonly zoom: number;
  readonly overview: boolean;
  zoomTo(zoom: number, x?: number, y?: number): void;
}

const STEP = 1.5;
/** A press that goes farther is a drag, px. */
const DRAG_PX = 5;

/** One step nearer (1) or farther (-1), or all of it (0). */
export function zoomBy(way: number): void {
  const stage = document.querySelector("cl-stage") as (HTMLElement & Zoomed) | null;
  stage?.zoomTo(way ? stage.zoom * STEP ** way : 1);
}

export function zoomByHand(scroll: HTMLElement, stage: Zoomed): void {
  const at = (x: number, y: number): [number, number] => {
    const box = scroll.getBoundingClientRect();
    return [x - box.left, y - box.top];
  };
  scroll.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    stage.zoomTo(stage.zoom * Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) / 150), ...at(event.clientX, event.clientY));
  }, { passive: false });

  let pinch: { apart: number; zoom: number } | null = null;
  const apart = ({ touches: [a, b] }: TouchEvent): number => Math.hypot(a!.clientX - b!.clientX, a!.clientY - b!.clientY);
  scroll.addEventListener("touchstart", (event) => (pinch = event.touches.length === 2 ? { apart: apart(event), zoom: stage.zoom } : null), { passive: true });
  scroll.addEventListener("touchmove", (event) => {
    if (!pinch || event.touches.length !== 2) return;
    event.preventDefault();
    const [a, b] = event.touches;
    stage.zoomTo((pinch.zoom * apart(event)) / Math.max(1, pinch.apart), ...at((a!.clientX + b!.clientX) / 2, (a!.clientY + b!.clientY) / 2));
  }, { passive: false });

  scroll.addEventListener("pointerdown", (down) => {
    if (down.pointerType !== "mouse" || down.button !== 0 || stage.zoom === 1) return;
    const from = { left: scroll.scrollLeft, top: scroll.scrollTop };
    const moved = (event: PointerEvent): void => {
      const x = event.clientX - down.clientX, y = event.clientY - down.clientY;
      if (!scroll.classList.contains("is-dragged") && Math.hypot(x, y) < DRAG_PX) return;
      scroll.classList.add("is-dragged");
      scroll.scrollTo(from.left - x, from.top - y);
    };
    const done = (): void => {
      removeEventListener("pointermove", moved);
      setTimeout(() => scroll.classList.remove("is-dragged")); // after the click that ends a drag, which chooses nothing
    };
    addEventListener("pointermove", moved);
    addEventListener("pointerup", done, { once: true });
    addEventListener("pointercancel", done, { once: true });
  });
}

/** <cl-zoom>: the buttons, where there is an overview or something is looked at from near. */
@customElement("cl-zoom")
export class ZoomElement extends LitElement {
  @property({ attribute: false }) stage: Zoomed | null = null;
  @state() private shown = false;

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    currentLab().on(["state", "lens"], () => (this.shown = this.stage?.overview ?? false));
  }

  protected override render(): TemplateResult | typeof nothing {
    const zoom = this.stage?.zoom ?? 1;
    if (zoom === 1 && !this.shown) return nothing;
    const hint = t("Nearer and farther: Ctrl and the wheel, two fingers, or the keys + − 0. Drag to move.");
    return html`<div class="zoom" role="group" aria-label=${t("Zoom")} title=${hint}>${zoom === 1 ? html`<small>${matchMedia("(pointer: coarse)").matches ? t("Two fingers look nearer") : t("Ctrl + wheel, or + and −, to look nearer; G finds")}</small>` : nothing}
      <button type="button" class="quiet" data-testid="zoom-out" aria-label=${t("Farther")} ?disabled=${zoom === 1} @click=${() => zoomBy(-1)}>−</button>
      <button type="button" class="quiet mono" data-testid="zoom-all" aria-label=${`${Math.round(zoom * 100)} %, ${t("show all")}`} @click=${() => zoomBy(0)}>${Math.round(zoom * 100)} %</button>
      <button type="button" class="quiet" data-testid="zoom-in" aria-label=${t("Nearer")} @click=${() => zoomBy(1)}>+</button></div>`;
  }
}
