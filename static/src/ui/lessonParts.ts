// The further parts of lesson text: <cl-manifest>, <cl-predict>, <cl-quiz>, <cl-fault>, <cl-wait>, and the help of a task.
// Answers, hints and solutions are not in the page; the lab's lesson API tells them when they are asked for.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import { runLab } from "../lab/api";
import { ask } from "../lab/lessonApi";
import { keepNote, note } from "../lab/notes";
import "../styles/lesson.css";
import type { DrawerElement } from "./drawer";
import type { ManifestEditor } from "../editor/editor";
import { currentLab, LabElement } from "./element";
import { loadEditor } from "./loadEditor";
import { inline, takeContent } from "./inline";

const runLine = (line: string): void => document.querySelector<DrawerElement>("cl-drawer")?.run(line);
const editable = (): boolean => currentLab().options.canEdit;

/** An element that takes its text content as its words. */
export abstract class WordsElement extends LabElement {
  protected words: Node[] | undefined;
  @state() protected trouble = "";
  @state() protected busy = false;

  override connectedCallback(): void {
    this.words ??= takeContent(this);
    super.connectedCallback();
  }

  /** The words of the lesson, or others where it gives none. */
  protected said(other: string): Node[] | string {
    return this.words?.length ? this.words : other;
  }

  /** Asks the server; what it refuses is shown. The focus stays here, though its button may be off meanwhile, or gone afterwards. */
  protected async asking(work: () => Promise<void>): Promise<void> {
    const focused = this.contains(document.activeElement) ? (document.activeElement as HTMLElement) : null;
    this.busy = true;
    this.trouble = "";
    try {
      await work();
    } catch (error) {
      this.trouble = error instanceof Error ? error.message : String(error);
    } finally {
      this.busy = false;
      if (focused) void this.refocus(focused);
    }
  }

  private async refocus(before: HTMLElement): Promise<void> {
    await this.updateComplete;
    if (document.activeElement && document.activeElement !== document.body) return; // it has gone elsewhere by itself
    const here = before.isConnected && !before.matches(":disabled") ? before : this.querySelector<HTMLElement>("button:not(:disabled)");
    here?.focus({ preventScroll: true });
  }

  protected sorry(): TemplateResult | typeof nothing {
    return this.trouble ? html`<p class="trouble" role="alert">${this.trouble}</p>` : nothing;
  }
}

const MOST_ROWS = 26;
/** A longer text is kept in the lab's folder only (web/lesson_notes.py). */
const MOST_KEPT = 20_000;

@customElement("cl-manifest")
export class ManifestElement extends WordsElement {
  @property() file = "";
  @property() text = "";
  @state() private shown = "";
  private original = "";
  private editor: ManifestEditor | null = null;
  private loading = false;

  override connectedCallback(): void {
    super.connectedCallback();
    this.original = this.shown = this.text;
    if (editable()) void this.asking(async () => {
      const found = await ask<{ text: string; original: string }>("GET", `manifests/${encodeURIComponent(this.file)}`);
      this.original = found.original;
      if (this.shown === this.text) this.put(this.latest(found)); // unless the reader was faster
    });
  }

  /** The file may have been changed in the terminal since its text was applied here; what was not applied yet is newer than the file. */
  private latest(found: { text: string; original: string }): string {
    const [mine, applied] = JSON.parse(note(`manifest.${this.file}`) ?? "[]") as [string?, boolean?];
    return mine === undefined || (applied && found.text !== found.original) ? found.text : mine;
  }

  private keep(applied: boolean): void {
    if (!editable()) return;
    const kept = JSON.stringify([this.shown, applied]);
    keepNote(`manifest.${this.file}`, this.shown === this.original || kept.length > MOST_KEPT ? null : kept);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.editor?.close();
    this.editor = null;
  }

  private put(text: string): void {
    this.shown = text;
    if (this.editor && this.editor.text !== text) this.editor.text = text;
  }

  protected override updated(): void {
    const rows = Math.max(3, Math.min(MOST_ROWS, this.shown.split("\n").length));
    this.querySelector<HTMLElement>(".editor-box")!.style.setProperty("--rows", String(rows));
  }

  /** The editor comes when the reader does: a lesson may hold a dozen of them. */
  protected override firstUpdated(): void {
    const box = this.querySelector<HTMLElement>(".editor-box")!;
    const sight = new IntersectionObserver((seen) => {
      if (!seen.at(-1)!.isIntersecting || this.loading) return;
      this.loading = true;
      sight.disconnect();
      void this.load(box);
    }, { rootMargin: "300px" });
    sight.observe(box);
  }

  private async load(box: HTMLElement): Promise<void> {
    const editor = await loadEditor(box, { text: this.shown, label: t("Text of {file}", { file: this.file }), readOnly: !editable(), changed: (text) => this.typed(text), save: () => this.apply() });
    if (!this.isConnected) return editor.close();
    this.editor = editor;
    if (editor.text !== this.shown) editor.text = this.shown;
  }

  private typed(text: string): void {
    if (text === this.shown) return;
    this.shown = text;
    this.keep(false);
  }

  /** Takes the text of the lesson again. */
  private undo(): void {
    this.put(this.original);
    this.keep(false);
  }

  protected override render(): TemplateResult {
    return html`<div class="manifest" role="group" aria-label=${this.file}>
      <div class="bar"><code class="mono">${this.file}</code><span class="spacer"></span>
        ${this.shown === this.original ? nothing : html`<button type="button" class="small" @click=${this.undo}>${t("undo")}</button>`}
        <button type="button" class="small" data-testid=${`apply:${this.file}`} ?disabled=${!editable() || this.busy} @click=${this.apply}>${t("apply")}</button></div>
      <div class="editor-box"></div>${this.sorry()}</div>`;
  }

  private apply(): void {
    if (this.busy || !editable()) return;
    void this.asking(async () => {
      const { command } = await ask<{ command: string }>("POST", `manifests/${encodeURIComponent(this.file)}`, { text: this.shown });
      this.keep(true);
      runLine(command);
    });
  }
}

/** A comment that says by itself that the answer is right. */
const SAID = /^(?:Right|Richtig)[:,]/;

/** What a prediction and a quiz have in common: a question, choices, and what is said after one was taken. */
abstract class AskedElement extends WordsElement {
  @property() name = "";
  @property() choices = "[]";
  @state() protected taken = -1;
  @state() protected right: boolean | undefined;
  @state() protected comment = "";
  protected abstract readonly kind: string;
  protected abstract take(number: number, choice: string): Promise<void>;

  override connectedCallback(): void {
    super.connectedCallback();
    // What was answered before stays answered.
    const [taken, right, comment] = JSON.parse(note(`asked.${this.name}`) ?? "[]") as [number?, boolean?, string?];
    if (taken === undefined) return;
    this.taken = taken;
    this.right = right;
    this.comment = comment ?? "";
  }

  protected override render(): TemplateResult {
    const choices = JSON.parse(this.choices) as string[];
    const word = this.right === undefined || SAID.test(this.comment) ? "" : this.right ? t("Right.") : t("Not so.");
    return html`<div class="asked" role="group" aria-label=${this.kind} data-testid=${`asked:${this.name}`} data-right=${String(this.right ?? "")}>
      <b>${this.kind}</b><p>${this.words}</p>
      <div class="choices">${choices.map((choice, number) => html`<button type="button" class=${number === this.taken && this.right !== undefined ? (this.right ? "good" : "bad") : ""} aria-pressed=${number === this.taken}
        ?disabled=${this.busy || !editable()} @click=${() => this.choose(number, choice)}>${inline(this.choice(choice))}</button>`)}</div>
      <div aria-live="polite">${this.right === undefined ? nothing : html`<p class="said"><strong>${word}</strong> ${inline(this.comment)}</p>`}${this.sorry()}</div></div>`;
  }

  /** A choice as it is shown. */
  protected choice(text: string): string {
    return text;
  }

  private choose(number: number, choice: string): void {
    this.taken = number;
    this.right = undefined;
    void this.asking(async () => {
      await this.take(number, choice);
      keepNote(`asked.${this.name}`, JSON.stringify([this.taken, this.right, this.comment]));
    });
  }
}

@customElement("cl-predict")
export class PredictElement extends AskedElement {
  protected readonly kind = t("What will happen?");

  /** What the model answers with are values; the few that are words are translated. */
  protected override choice(text: string): string {
    return ["yes", "no", "none", "there"].includes(text) ? t(text) : text;
  }

  protected async take(_number: number, choice: string): Promise<void> {
    const found = await ask<{ right: boolean; answer: string; explain: string }>("POST", `predict/${this.name}`, { choice });
    // An explanation that begins with the answer tells it well enough.
    const answer = this.choice(found.answer);
    const told = found.right || found.explain.toLowerCase().replace(/^`/, "").startsWith(answer.toLowerCase());
    this.comment = `${told ? "" : t("The cluster's answer is {answer}.", { answer })} ${found.explain}`.trim();
    this.right = found.right;
  }
}

@customElement("cl-quiz")
export class QuizElement extends AskedElement {
  protected readonly kind = t("A question");

  protected async take(number: number): Promise<void> {
    const found = await ask<{ right: boolean; feedback: string }>("POST", `quiz/${this.name}`, { choice: number });
    // The feedback of a right answer begins with the word itself, which may lead into its sentence: Right: …
    this.comment = found.feedback.replace(/^(?:Right|Richtig)\.\s*/, "");
    this.right = found.right;
  }
}

@customElement("cl-fault")
export class FaultElement extends WordsElement {
  @property() name = "";
  @property() kind = "";
  @state() private on = false;

  protected override render(): TemplateResult {
    const off = !editable() || this.busy;
    return html`<div class="breaks" role="group" aria-label=${t("Break it")}><span>${this.said(this.kind)}</span><span class="spacer"></span>
      <button type="button" class="small" data-testid=${`break:${this.name}`} ?disabled=${off} @click=${() => this.send("POST")}>${t("break")}</button>
      <button type="button" class="small ok" data-testid=${`heal:${this.name}`} ?disabled=${off || !this.on} @click=${() => this.send("DELETE")}>${t("mend")}</button>${this.sorry()}</div>`;
  }

  private send(method: "POST" | "DELETE"): void {
    void this.asking(async () => {
      await ask(method, `fault/${this.name}`, method === "POST" ? {} : undefined);
      document.dispatchEvent(new CustomEvent("clusterlab:did", { detail: { type: method === "POST" ? "lesson-fault" : "heal", name: this.name, kind: this.kind } }));
      this.on = method === "POST";
    });
  }
}

/** What is waited for may never come, and a cluster never runs out of heartbeats. */
const MOST_STEPS = 20_000, MOST_EVENTS = 5_000_000;
const DURATION = /^(\d+)(ms|s|m|h)$/;
const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

@customElement("cl-wait")
export class WaitElement extends WordsElement {
  @property() until = "settled";

  protected override render(): TemplateResult {
    return html`<div class="waits" role="group"><span>${this.said(this.until)}</span><span class="spacer"></span>
      <button type="button" class="small" data-testid="wait" ?disabled=${this.busy || !editable()} @click=${this.go}>${this.busy ? t("running …") : t("go")}</button>${this.sorry()}</div>`;
  }

  private go(): void {
    const time = DURATION.exec(this.until);
    const now = currentLab().mode.time;
    const until = time ? { time: now + Number(time[1]) * UNITS[time[2]!]! } : this.until === "settled" ? "settled" : { condition: this.until };
    // The button comes back when the time has passed: who went on before would act in the middle of it.
    void this.asking(async () => {
      if (typeof until === "object" && "condition" in until) await runLab(currentLab().options.id, until, MOST_STEPS, "command"); // the lab may have played on while the text was read
      else await runLab(currentLab().options.id, until, MOST_EVENTS);
    });
  }
}

interface Action {
  kubectl?: string;
  fault?: { kind: string };
  heal?: string;
  wait?: string;
}

/** Hints one after the other, then the solution: below each task. */
@customElement("cl-task-help")
export class TaskHelpElement extends WordsElement {
  @property() task = "";
  @property({ type: Number }) count = 0;
  @state() private hints: string[] = [];
  @state() private actions: Action[] | undefined;
  @state() private why = "";

  /** What was shown before is shown again. */
  override connectedCallback(): void {
    super.connectedCallback();
    const [hints, solved] = (note(`hints.${this.task}`) ?? "0").split(" ");
    if (Number(hints) > 0 && !this.hints.length) void this.asking(() => this.fetchHints(Number(hints)));
    if (solved && !this.actions) void this.asking(() => this.fetchSolution());
  }

  protected override render(): TemplateResult {
    const left = this.count - this.hints.length;
    return html`<div class="help" aria-live="polite">${this.hints.length ? html`<ol>${this.hints.map((hint) => html`<li>${inline(hint)}</li>`)}</ol>` : nothing}
      ${this.actions ? html`<div class="solution">${this.actions.map((action) => this.step(action))}${this.why ? html`<p>${inline(this.why)}</p>` : nothing}</div>` : nothing}
      ${left > 0 ? html`<button type="button" class="small" data-testid=${`hint:${this.task}`} ?disabled=${this.busy} @click=${this.hint}>${this.hints.length ? t("another hint") : t("a hint")}</button>` : nothing}
      ${left <= 0 && !this.actions ? html`<button type="button" class="small" data-testid=${`solution:${this.task}`} @click=${this.solve}>${t("show the solution")}</button>` : nothing}${this.sorry()}</div>`;
  }

  private step(action: Action): TemplateResult {
    if (action.kubectl) return html`<cl-run command=${action.kubectl}></cl-run>`;
    if (action.wait) return html`<cl-wait until=${action.wait}>${t("Wait: {until}", { until: action.wait })}</cl-wait>`;
    const off = !editable();
    if (action.heal) return html`<div class="waits"><span>${t("Mend the fault {kind}.", { kind: action.heal })}</span><span class="spacer"></span><button type="button" class="small ok" data-testid="do-heal" ?disabled=${off} @click=${() => this.heal(action.heal!)}>${t("mend")}</button></div>`;
    return action.fault ? html`<div class="waits"><span>${t("Cause the fault {kind}.", { kind: action.fault.kind })}</span><span class="spacer"></span><button type="button" class="small" data-testid="do-fault" ?disabled=${off} @click=${() => currentLab().send({ type: "fault", fault: action.fault })}>${t("break")}</button></div>` : html`${nothing}`;
  }

  /** Takes away all faults of a kind. */
  private heal(kind: string): void {
    void this.asking(async () => {
      await ask("POST", `heal/${encodeURIComponent(kind)}`, {});
      document.dispatchEvent(new CustomEvent("clusterlab:did", { detail: { type: "heal", kind } }));
    });
  }

  private hint(): void {
    void this.asking(async () => {
      await this.fetchHints(this.hints.length + 1);
      keepNote(`hints.${this.task}`, String(this.hints.length));
    });
  }

  private async fetchHints(count: number): Promise<void> {
    this.hints = (await ask<{ hints: string[] }>("GET", `hints/${this.task}?count=${count}`)).hints;
  }

  private solve(): void {
    void this.asking(async () => {
      await this.fetchSolution();
      keepNote(`hints.${this.task}`, `${this.hints.length} solution`);
    });
  }

  private async fetchSolution(): Promise<void> {
    const found = await ask<{ actions: Action[]; why: string }>("GET", `solution/${this.task}`);
    this.actions = found.actions;
    this.why = found.actions.length ? found.why : t("What stands above is all that is needed: run it, and let the cluster run.");
  }
}
