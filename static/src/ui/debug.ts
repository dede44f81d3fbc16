// <cl-debug>: breakpoints, watches and bookmarks, in the drawer right above the timeline on which they are marked.
import { html, nothing, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";
import { t } from "../i18n/t";
import type { Watch } from "../lab/debugger";
import type { Topic } from "../lab/lab";
import { sentenceOf } from "../lab/words";
import { nameOf } from "../stream/views";
import { LabElement } from "./element";
import { heldList } from "./held";
import { historyPart } from "./history";
import { icons } from "./icons";
import { isObject } from "./inspector";

/** Paths that are worth watching, by the resource that an object's key starts with. */
const PATHS: Record<string, string[]> = {
  pods: [".status.phase", ".spec.nodeName", ".status.podIP", ".status.conditions[Ready].status"],
  deployments: [".status.readyReplicas", ".status.updatedReplicas", ".spec.replicas", ".status.observedGeneration"],
  replicasets: [".status.readyReplicas", ".spec.replicas"], nodes: [".status.conditions[Ready].status", ".spec.taints", ".spec.unschedulable"],
  services: [".spec.clusterIP", ".spec.selector"], endpointslices: [".endpoints"], jobs: [".status.succeeded", ".status.active"],
  persistentvolumeclaims: [".status.phase", ".spec.volumeName"], horizontalpodautoscalers: [".status.desiredReplicas", ".status.currentReplicas"],
};

@customElement("cl-debug")
export class DebugElement extends LabElement {
  protected override readonly topics: Topic[] = ["debug", "selection", "mode", "headings", "compare"];

  /** Puts the cursor where a breakpoint or a watch is written. */
  focusField(name: "condition" | "path"): void {
    void this.updateComplete.then(() => {
      const path = this.querySelector<HTMLInputElement>("input[name=path]");
      if (name === "path" && isObject(this.lab.selected)) path?.focus();
      else this.querySelector<HTMLInputElement>(name === "path" ? "input[name=key]" : "input[name=breakpoint]")?.focus();
    });
  }

  protected override render(): TemplateResult {
    const off = !this.lab.options.canEdit;
    return html`<div class="debug" data-testid="debug">${off ? nothing : this.breakpoints()}${this.watches()}${this.bookmarks()}${historyPart(this.lab)}</div>`;
  }

  private breakpoints(): TemplateResult {
    const { breakpoints, running } = this.lab.debugger;
    return html`<section aria-labelledby="breakpoints-title"><h3 class="eyebrow" id="breakpoints-title">${t("Breakpoints")}</h3>
      <ul>${breakpoints.map(({ condition, on }) => html`<li data-testid="breakpoint"><label><input type="checkbox" .checked=${on} @change=${() => this.lab.debugger.toggleBreakpoint(condition)} /> <span class="mono">${condition}</span></label>
        ${this.closeButton(t("Remove {what}", { what: condition }), () => this.lab.debugger.removeBreakpoint(condition))}</li>`)}</ul>
      <form class="cmd" @submit=${this.addBreakpoint}><input class="mono" name="breakpoint" maxlength="400" spellcheck="false" autocomplete="off" data-testid="breakpoint-line" aria-label=${t("Condition of a breakpoint")} placeholder="kind = Pod and status = Running" />
        <button type="submit" class="small">${t("add")}</button></form>
      <p><button type="button" class="small primary" data-testid="continue" ?disabled=${!running && !breakpoints.some((one) => one.on)} title=${`${t("Continue")} (C)`}
        @click=${() => (running ? this.lab.debugger.stop() : void this.lab.debugger.run())}>${running ? t("Stop") : t("Continue")}</button>
        <label class="hold"><input type="checkbox" data-testid="hold" .checked=${this.lab.mode.hold} @change=${(event: Event) => this.lab.hold((event.target as HTMLInputElement).checked)} /> ${t("hold requests from outside until the next step")}</label></p>${heldList(this.lab)}</section>`;
  }

  private closeButton(name: string, act: () => void): TemplateResult {
    return html`<button type="button" class="quiet" aria-label=${name} title=${name} @click=${act}>${icons.close}</button>`;
  }

  private addBreakpoint(event: Event): void {
    event.preventDefault();
    const input = this.querySelector<HTMLInputElement>("input[name=breakpoint]")!;
    input.select();
    this.lab.debugger.addBreakpoint(input.value);
    this.requestUpdate();
  }

  /** A condition stays where it is typed until it is taken: whoever mistyped need not type it again. */
  protected override updated(): void {
    const input = this.querySelector<HTMLInputElement>("input[name=breakpoint]");
    if (input && this.lab.debugger.breakpoints.some((one) => one.condition === input.value.trim())) input.value = "";
  }

  private watches(): TemplateResult {
    const { watches } = this.lab.debugger;
    const key = isObject(this.lab.selected) ? this.lab.selected : "";
    const paths = PATHS[key.split("/")[0] ?? ""] ?? [".metadata.resourceVersion", ".status"];
    return html`<section aria-labelledby="watches-title"><h3 class="eyebrow" id="watches-title">${t("Watches")}</h3>
      ${watches.length ? html`<table data-testid="watches"><tbody>${watches.map((watch) => this.watch(watch))}</tbody></table>` : html`<p class="soft">${t("Fields of objects, with their old and new values.")}</p>`}
      <form class="cmd" @submit=${this.addWatch}><input class="mono" name="key" .value=${key} maxlength="300" spellcheck="false" autocomplete="off" aria-label=${t("Object")} placeholder="deployments/default/web" />
        <input class="mono" name="path" list="watch-paths" maxlength="200" spellcheck="false" autocomplete="off" aria-label=${t("Path of the field")} data-testid="watch-path" placeholder=${paths[0]!} /><datalist id="watch-paths">${paths.map((path) => html`<option value=${path}></option>`)}</datalist>
        <button type="submit" class="small">${t("add")}</button></form></section>`;
  }

  private watch(watch: Watch): TemplateResult {
    return html`<tr><td><button type="button" class="link" @click=${() => this.lab.select(watch.key)}>${nameOf(watch.key)}</button> <span class="mono">${watch.path}</span></td>
      <td class="mono value">${watch.before === undefined ? nothing : html`<del>${watch.before}</del> → `}<b>${watch.value ?? "…"}</b>${watch.changedAt === undefined ? nothing : html` <small>${t("step {seq}", { seq: watch.changedAt })}</small>`}</td>
      <td>${this.closeButton(t("Remove {what}", { what: `${nameOf(watch.key)} ${watch.path}` }), () => this.lab.debugger.removeWatch(watch))}</td></tr>`;
  }

  private addWatch(event: Event): void {
    event.preventDefault();
    const [key, path] = [...this.querySelectorAll<HTMLInputElement>("input[name=key], input[name=path]")] as [HTMLInputElement, HTMLInputElement];
    const wanted = path.value || path.placeholder;
    if (!this.lab.debugger.addWatch(key.value.trim(), wanted)) return this.lab.say(t("A watch needs an object such as pods/default/web and a path such as .status.phase."));
    path.value = "";
  }

  private bookmarks(): TemplateResult {
    const { bookmarks, hits } = this.lab.debugger;
    const go = (seq: number, words: string): TemplateResult => html`<button type="button" class="link" ?disabled=${!this.lab.options.canEdit} @click=${() => this.lab.seek(seq)}>${t("step {seq}", { seq })}</button> ${words}`;
    return html`<section aria-labelledby="bookmarks-title"><h3 class="eyebrow" id="bookmarks-title">${t("Bookmarks")}</h3>
      <ul>${bookmarks.map(({ seq, name }) => html`<li data-testid="bookmark"><span>${go(seq, name)}</span>${this.closeButton(t("Remove {what}", { what: t("step {seq}", { seq }) }), () => this.lab.debugger.toggleBookmark("", seq))}</li>`)}</ul>
      <p><button type="button" class="small" data-testid="mark" title=${`${t("Mark this step")} (M)`} @click=${() => markStep(this.lab)}>${t("Mark this step")}</button></p>
      ${hits.size ? html`<h3 class="eyebrow">${t("Breakpoints met")}</h3><ul>${[...hits].sort((a, b) => a[0] - b[0]).slice(-12).map(([seq, condition]) => html`<li data-testid="hit"><span>${go(seq, "")}<span class="mono">${condition}</span></span></li>`)}</ul>` : nothing}</section>`;
  }
}

export function markStep(lab: LabElement["lab"]): void {
  const step = lab.headings.get(lab.shownSeq);
  lab.debugger.toggleBookmark(step ? sentenceOf(step) : t("The start"));
}
