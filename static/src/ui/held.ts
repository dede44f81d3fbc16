// <cl-held>: one request that waits before the API server: who asks what, what is in it, and a button that lets it go on.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import { fetchHeld, type HeldAnswer } from "../lab/api";
import type { Lab, Topic } from "../lab/lab";
import { heldId, heldTitle } from "../stage/door";
import { LabElement } from "./element";

@customElement("cl-held")
export class HeldElement extends LabElement {
  protected override readonly topics: Topic[] = ["mode"];
  @property({ type: Number }) number = 0;
  @state() private answer: HeldAnswer | null = null;

  protected override willUpdate(): void {
    if (this.answer?.id === this.number || !this.lab.options.canEdit || !this.waiting) return;
    const { number } = this;
    void fetchHeld(this.lab.options.id, number).then((answer) => number === this.number && (this.answer = answer)).catch(() => null);
  }

  private get waiting() {
    return this.lab.mode.held?.requests.find((one) => one.id === this.number);
  }

  protected override render(): TemplateResult {
    const { waiting: told, answer } = this;
    if (!told) return html`<p class="soft">${t("It has gone on.")}</p>`;
    return html`<p>${t("It waits before the API server: nothing of it has happened yet.")}</p>
      <p class="row"><button type="button" class="small primary" data-testid="release" ?disabled=${!this.lab.options.canEdit} @click=${() => release(this.lab, told.id)}>${t("Let it go on")}</button></p>
      ${answer?.id === told.id ? html`<p class="mono">${answer.method} ${answer.path}${answer.query ? `?${answer.query}` : ""}</p>${answer.body ? html`<pre class="yaml mono" tabindex="0" data-testid="held-body">${answer.body}</pre>` : nothing}` : nothing}`;
  }
}

const release = (lab: Lab, id: number): void => void lab.send({ type: "release", id });

/** What waits, one a line: where there is no stage to point at. */
export function heldList(lab: Lab): TemplateResult | typeof nothing {
  const { held } = lab.mode;
  if (!held) return nothing;
  return html`<ul aria-label=${t("Held requests")}>${held.requests.map((one) => html`<li data-testid="held"><button type="button" class="link" @click=${() => lab.select(heldId(one.id))}>${heldTitle(one)}</button>
    <button type="button" class="small" @click=${() => release(lab, one.id)}>${t("Let it go on")}</button></li>`)}</ul>${held.count > held.requests.length ? html`<p class="soft">${t("and {count} more", { count: held.count - held.requests.length })}</p>` : nothing}`;
}
