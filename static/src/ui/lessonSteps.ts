// <cl-step>: at the foot of each step of a lesson: undo the last command, begin the step again, go on to the next one.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property } from "lit/decorators.js";
import { sentence } from "../i18n/sentences";
import { t } from "../i18n/t";
import type { Topic } from "../lab/lab";
import { keepNote, note } from "../lab/notes";
import { currentLab, LabElement } from "./element";

/** Those who act for a person: what they did last is what undo takes back. */
const PEOPLE = new Set(["kubectl", "etcdctl", "fault"]);

/** The step of the lab after which its lesson begins: the cluster of a challenge has broken by then. */
export const beginning = (): number => Number(document.body.dataset["begin"] || 0);

/** Where the lab stood when each step of the lesson was begun. */
class Marks {
  private read(): Record<string, number> {
    try {
      return JSON.parse(note("steps") ?? "{}") as Record<string, number>;
    } catch {
      return {};
    }
  }

  of(step: number): number | undefined {
    return step === 0 ? beginning() : this.read()[step];
  }

  set(step: number, seq: number): void {
    const marks = this.read();
    if (marks[step] === undefined) keepNote("steps", JSON.stringify({ ...marks, [step]: seq }));
  }

  /** Forgets what was begun after a step that is begun again. */
  cut(step: number): void {
    this.keep((number) => number <= step);
  }

  /** Forgets what lies beyond the end of the timeline: it was taken back, and goes another way from there. */
  heed(last: number): void {
    this.keep((_number, seq) => seq <= last);
  }

  clear(): void {
    keepNote("steps", null);
    keepNote("at", null);
  }

  private keep(fits: (step: number, seq: number) => boolean): void {
    const all = Object.entries(this.read());
    const left = all.filter(([number, seq]) => fits(Number(number), seq));
    if (left.length < all.length) keepNote("steps", JSON.stringify(Object.fromEntries(left)));
  }
}

export const marks = new Marks();

/** The last step of the timeline that was seen. */
let newest = 0;

@customElement("cl-step")
export class StepElement extends LabElement {
  protected override readonly topics: Topic[] = ["headings", "mode"];
  @property({ type: Number }) number = 0;
  @property({ type: Boolean }) last = false;

  override connectedCallback(): void {
    super.connectedCallback();
    // Before the click does anything: where did the lab stand when this step was begun?
    this.closest("section")?.addEventListener("click", this.touched, true);
    // Go on where one stopped.
    if (this.number > 0 && note("at") === String(this.number)) requestAnimationFrame(() => this.closest("section")?.scrollIntoView({ block: "start" }));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.closest("section")?.removeEventListener("click", this.touched, true);
  }

  private readonly touched = (event: Event): void => {
    const target = event.target as HTMLElement;
    if (!target.closest("button")) return;
    keepNote("at", String(this.number));
    if (!target.closest("cl-step, cl-debrief")) marks.set(this.number, currentLab().headings.last);
  };

  protected override told(topic: Topic): void {
    super.told(topic);
    const { last } = currentLab().mode;
    if (last < newest) marks.heed(last);
    newest = last;
  }

  protected override render(): TemplateResult {
    const lab = currentLab();
    const mark = marks.of(this.number);
    const mine = lab.headings.newest(lab.headings.last, 1, (step) => PEOPLE.has(step.actor) && step.seq > beginning())[0];
    return html`<div class="stepfoot">${lab.options.canEdit
      ? html`<button type="button" class="small" data-testid=${`undo:${this.number}`} ?disabled=${!mine} title=${mine ? sentence(mine.explain) : ""} @click=${() => lab.seek(mine!.seq - 1)}>${t("undo")}</button>
        <button type="button" class="small" data-testid=${`restart:${this.number}`} ?disabled=${mark === undefined || mark >= lab.headings.last} @click=${this.again}>${t("begin this step again")}</button>`
      : nothing}<span class="spacer"></span>${this.last ? nothing : html`<button type="button" class="small" @click=${this.next}>${t("next step")}</button>`}</div>`;
  }

  private again(): void {
    const mark = marks.of(this.number);
    if (mark === undefined) return;
    marks.cut(this.number);
    currentLab().seek(mark);
    currentLab().say(t("The lab stands where this step began."));
    stand(this.closest("section"));
  }

  private next(): void {
    let section = this.closest("section")?.nextElementSibling;
    while (section && section.tagName !== "SECTION") section = section.nextElementSibling;
    stand(section);
  }
}

/** Puts the reader at the heading of a step. */
export function stand(section: Element | null | undefined): void {
  const heading = section?.querySelector<HTMLElement>("h2");
  if (!heading) return;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
  heading.scrollIntoView({ block: "start" });
}
