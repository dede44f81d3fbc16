// <cl-fields>: the YAML of an object, line by line. A line that is chosen tells what its field is for, who wrote its value, in which
// step and because of what; it can be watched, or be a breakpoint.
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import { fetchField, fetchWhyField, type FieldAnswer, type FieldWhy, type ObjectAnswer } from "../lab/api";
import { litLines, pathsOf, type YamlLine } from "../lab/yaml";
import { inOneLine, valueAt } from "../lab/paths";
import type { DrawerElement } from "./drawer";
import { LabElement } from "./element";
import { stepLink } from "./object";

@customElement("cl-fields")
export class FieldsElement extends LabElement {
  @property({ attribute: false }) answer!: ObjectAnswer;
  @property() key = "";
  @state() private chosen = "";
  @state() private field: FieldAnswer | null = null;
  @state() private why: FieldWhy | null = null;
  @state() private problem = "";
  private lines: YamlLine[] = [];
  private paths: string[] = [];
  private asked = 0;

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("key") && changed.get("key") !== undefined) {
      this.chosen = "";
      this.asked++;
      this.field = this.why = null;
    }
    if (!changed.has("answer")) return;
    this.lines = litLines(this.answer.yaml, this.answer.changed ?? []);
    this.paths = pathsOf(this.lines.map((line) => line.text));
    if (this.chosen) void this.look(this.chosen);
  }

  protected override render(): TemplateResult {
    const lit = this.lines.some((line) => line.changed);
    const first = this.chosen ? this.paths.indexOf(this.chosen) : -1;
    return html`<p class="soft">${lit ? t("What changed last is lit.") : nothing} ${t("Choose a line to ask why.")}</p>
      <div class="yaml lines mono" role="listbox" tabindex="0" aria-label="YAML" data-testid="yaml" aria-activedescendant=${first < 0 ? nothing : `line-${first}`} @click=${this.clicked} @keydown=${this.keyed}>${this.lines.map((line, i) => html`<div role="option" id=${`line-${i}`} data-line=${i}
        aria-selected=${i === first ? "true" : "false"}>${line.changed ? html`<mark>${line.text}</mark>` : line.text || " "}</div>`)}</div>
      ${this.chosen ? this.told_of(this.chosen) : nothing}`;
  }

  private told_of(path: string): TemplateResult {
    const { field, why } = this;
    return html`<section class="field" data-testid="field"><h3 class="mono">${path}</h3>
      ${field ? html`<p><span class="pill">${field.type}</span> ${field.description}</p>` : nothing}
      ${why ? html`<p data-testid="field-why">${why.explain}</p>${why.step ? html`<ol class="why">${why.chain.map((step) => html`<li>${stepLink(this.lab, step)}</li>`)}</ol>` : nothing}` : nothing}
      ${why && why.writes.length > 1 ? html`<details><summary>${t("{count} values so far", { count: why.writes.length })}</summary><ul class="links mono">${why.writes.map((one) => html`<li>${t("step {seq}", { seq: one.seq })}: ${inOneLine(one.value)}</li>`)}</ul></details>` : nothing}
      ${this.problem ? html`<p class="soft">${this.problem}</p>` : nothing}
      <p><button type="button" class="small" data-testid="field-watch" @click=${() => this.watch(path)}>${t("Watch it")}</button>
        ${this.lab.options.canEdit ? html`<button type="button" class="small" @click=${() => this.stop(path)}>${t("Stop when it changes")}</button>` : nothing}</p></section>`;
  }

  private clicked(event: Event): void {
    const line = (event.target as HTMLElement).closest<HTMLElement>("[data-line]")?.dataset["line"];
    if (line !== undefined) this.choose(Number(line));
  }

  private keyed(event: KeyboardEvent): void {
    const at = this.paths.indexOf(this.chosen);
    const to = { ArrowDown: this.paths.findIndex((path, i) => i > at && path !== this.chosen), ArrowUp: at <= 0 ? 0 : this.paths.indexOf(this.paths[at - 1]!), Home: 0, End: this.paths.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.choose(Math.max(0, to));
    this.querySelector(`#line-${to}`)?.scrollIntoView({ block: "nearest" });
  }

  private choose(line: number): void {
    const path = this.paths[line] ?? "";
    if (!path || path === this.chosen) return;
    this.chosen = path;
    this.field = this.why = null;
    void this.look(path);
  }

  private async look(path: string): Promise<void> {
    const { id } = this.lab.options, asked = ++this.asked;
    const { apiVersion = "v1", kind = "" } = this.answer.object as { apiVersion?: string; kind?: string };
    const plain = path.replace(/\[[^\]]*\]/g, "").replace(/^\./, "");
    let problem = "";
    const [field, why] = await Promise.all([fetchField(id, `${apiVersion}/${kind}`, plain).catch(() => null), fetchWhyField(id, this.key, path).catch((error: unknown) => ((problem = error instanceof Error ? error.message : ""), null))]);
    if (asked !== this.asked) return; // another line was chosen meanwhile, or the object has changed again
    [this.field, this.why, this.problem] = [field, why, problem];
  }

  private watch(path: string): void {
    this.lab.debugger.addWatch(this.key, path);
    document.querySelector<DrawerElement>("cl-drawer")?.show("debug");
  }

  private stop(path: string): void {
    const [, , name] = this.key.split("/");
    const now = inOneLine(valueAt(this.answer.object, path));
    const simple = /^[^\s()=!<>~"]+$/.test(now) ? now : `"${now.replaceAll('"', "")}"`;
    const { kind = "" } = this.answer.object as { kind?: string };
    this.lab.debugger.addBreakpoint(`kind = ${kind} and name = ${name ?? this.key.split("/")[1]} and ${path} != ${now === "—" ? "none" : simple}`);
    document.querySelector<DrawerElement>("cl-drawer")?.show("debug");
  }
}
