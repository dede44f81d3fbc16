// The base of the page's elements: drawn into the page itself, so that one style sheet and one tab order hold, and redrawn when a
// topic of the lab that they name is told.
import { LitElement } from "lit";
import type { Lab, Topic } from "../lab/lab";

let theLab: Lab | null = null;

/** Sets the lab of the page; before any element is defined. */
export function useLab(lab: Lab): void {
  theLab = lab;
}

export const currentLab = (): Lab => theLab!;

export abstract class LabElement extends LitElement {
  protected readonly topics: Topic[] = [];
  private leave: (() => void) | null = null;
  private redrawDue = false;

  get lab(): Lab {
    return theLab!;
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (theLab) this.leave = theLab.on(this.topics, (topic) => this.told(topic));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.leave?.();
  }

  /** A topic was told. Many may be in one frame of the screen: the element is redrawn once. */
  protected told(_topic: Topic): void {
    if (this.redrawDue) return;
    this.redrawDue = true;
    requestAnimationFrame(() => {
      this.redrawDue = false;
      this.requestUpdate();
    });
  }
}
