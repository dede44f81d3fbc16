// What lesson text may hold: <cl-run command="…"> runs a command, <cl-task task="…"> shows how far a task is.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import type { Topic } from "../lab/lab";
import { currentLab, LabElement } from "./element";
import type { DrawerElement } from "./drawer";
import { ask } from "../lab/lessonApi";
import { keepNote, note } from "../lab/notes";
import { inline, takeContent } from "./inline";
import { checks, type Task } from "./lessonChecks";
import "./lessonDebrief";
import "./lessonParts";
import "./lessonPicture";
import { beginning, marks, stand } from "./lessonSteps";

/** A task's text in a notice: what it is about, short enough not to cover the lesson. */
const NOTICE = 60;
const short = (text: string): string => (text.length <= NOTICE ? text : `${text.slice(0, NOTICE).replace(/\s+\S*$/, "")} …`);

/** A place for the name of a pod, or of its node: <pod app=web>. */
const PLACE = /<(?:pod|node) [^<>]+>/;

@customElement("cl-run")
export class RunElement extends LabElement {
  protected override readonly topics: Topic[] = ["kubectl"];
  @property() command = "";
  @state() private ran = false;
  /** What came of it: shown where the terminal is another panel, that is, on a phone. */
  @state() private answer = "";
  private latest: unknown;
  /** The command with the names that its places stood for when it was run. */
  @state() private line = "";

  override connectedCallback(): void {
    this.command ||= this.textContent?.trim() ?? "";
    this.textContent = "";
    super.connectedCallback();
  }

  protected override render(): TemplateResult {
    const off = !currentLab().options.canEdit;
    const word = this.ran ? t("again") : t("run");
    return html`<div class="cmd"><span class="soft mono" aria-hidden="true">$</span><code class="mono">${this.line || this.command}</code>
      <button type="button" class="small" data-testid="run" ?disabled=${off} aria-label=${`${word}: ${this.command}`} @click=${this.run}>${word}</button></div>
      ${this.answer ? html`<pre class="lesson-output mono" data-testid="answer" tabindex="0" aria-label=${t("Output")}>${this.answer}</pre>` : nothing}`;
  }

  protected override told(topic: Topic): void {
    super.told(topic);
    if (!this.ran) return;
    const answers = currentLab().kubectlAnswers;
    const found = answers.slice(answers.findIndex((each) => each === this.latest) + 1).find((each) => each.line.trim() === (this.line || this.command).trim());
    if (found) this.answer = (found.stdout + found.stderr).trim() || t("done");
  }

  private async run(): Promise<void> {
    this.answer = "";
    if (PLACE.test(this.command)) {
      try {
        this.line = (await ask<{ kubectl: string }>("GET", `line?line=${encodeURIComponent(this.command)}`)).kubectl;
      } catch (error) {
        this.answer = error instanceof Error ? error.message : String(error);
        return;
      }
    }
    this.ran = true;
    this.latest = currentLab().kubectlAnswers.at(-1);
    document.querySelector<DrawerElement>("cl-drawer")?.run(this.line || this.command);
  }
}

/** Below the last step: how much is done, and what comes next. */
@customElement("cl-lesson-end")
export class LessonEndElement extends LabElement {
  @property() name = "";
  @property() next = "";
  @property() label = "";
  @property({ type: Number }) tasks = 0;
  @state() private done = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    checks.listen(() => {
      this.done = [...checks.tasks.values()].filter((task) => task.done).length;
    });
  }

  protected override render(): TemplateResult {
    const all = this.done >= this.tasks;
    return html`<div class="lessonend" aria-live="polite"><p><b>${t("{done} of {count} tasks done", { done: this.done, count: this.tasks })}</b></p>
      ${all ? html`<p><a href=${`/lessons/${this.name}/certificate`}>${t("Certificate")}</a></p>` : nothing}
      ${this.next ? html`<p><a href=${`/lessons/#${this.next}`}>${t("Next: {title}", { title: this.label })}</a></p>` : nothing}
      <p><button type="button" class="small" data-testid="again" ?disabled=${!currentLab().options.canEdit} @click=${this.again}>${t("Start again from the beginning")}</button></p></div>`;
  }

  private again(): void {
    marks.clear();
    currentLab().seek(beginning());
    document.querySelector("#lesson")?.scrollTo({ top: 0 });
    stand(document.querySelector("#lesson section"));
  }
}

@customElement("cl-task")
export class TaskElement extends LabElement {
  protected override readonly topics: Topic[] = [];
  @property() task = "";
  @property({ type: Number }) hints = 0;
  @property() allow = "";
  @state() private known: Task | undefined;
  @state() private skipped = false;
  private words: Node[] | undefined;
  private name = "";
  private wasDone = false;

  override connectedCallback(): void {
    this.name ||= this.textContent?.trim() ?? "";
    this.words ??= takeContent(this);
    this.skipped = note(`skipped.${this.task}`) === "yes";
    if (this.skipped) this.tellSkip();
    super.connectedCallback();
    checks.listen(() => {
      const first = this.known === undefined;
      this.known = checks.tasks.get(this.task);
      if (this.known?.done && !this.wasDone && !first) currentLab().say(t("Task done: {task}", { task: short(this.name) }));
      this.wasDone = this.known?.done ?? false;
    });
  }

  /** The server holds kubectl to what the current task allows; a task that is skipped allows everything. */
  private tellSkip(): void {
    if (this.allow && currentLab().options.canEdit) void ask("POST", `skip/${this.task}`, { skip: this.skipped }).catch(() => undefined);
  }

  private skip(): void {
    this.skipped = !this.skipped;
    keepNote(`skipped.${this.task}`, this.skipped ? "yes" : null);
    this.tellSkip();
    void this.updateComplete.then(() => this.querySelector<HTMLElement>("button")?.focus({ preventScroll: true }));
  }

  protected override render(): TemplateResult {
    const { known } = this;
    if (this.skipped && !known?.done)
      return html`<div class="task skipped" role="group" aria-label=${t("Task")} data-testid=${`task:${this.task}`} data-done="false"><b>${t("Skipped")}</b><p class="soft">${this.words}</p>
        <button type="button" class="small" @click=${this.skip}>${t("take it up again")}</button></div>`;
    const open = known?.checks.find((check) => !check.done);
    return html`<div class="task ${known?.done ? "finished" : ""}" role="group" aria-label=${t("Task")} data-testid=${`task:${this.task}`} data-done=${String(known?.done ?? false)}>
      <b>${known?.done ? t("Done") : t("Your task")}</b><p>${this.words}</p>
      <ul>${known?.checks.map((check) => html`<li class=${check.done ? "done" : ""}><span aria-hidden="true">${check.done ? "✓" : "○"}</span><span class="visually-hidden">${check.done ? t("done:") : t("open:")}</span> ${inline(check.text)}</li>`) ?? nothing}</ul>
      ${open?.message ? html`<p class="soft">${inline(open.message)}</p>` : nothing}
      ${this.allow ? html`<p class="soft">${t("Use only: {verbs}", { verbs: this.allow })}</p>` : nothing}
      ${this.hints ? html`<cl-task-help task=${this.task} count=${this.hints}></cl-task-help>` : nothing}
      ${known?.done ? nothing : html`<button type="button" class="small quiet pass" data-testid=${`skip:${this.task}`} @click=${this.skip}>${t("skip this task")}</button>`}</div>`;
  }
}
