// <cl-request>: sends one request through the cluster and shows its way, hop by hop, with what each hop decided and why.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import { sendRequest, type FollowedRequest, type Hop } from "../lab/api";
import type { Topic } from "../lab/lab";
import type { PodView, ServiceView } from "../stream/views";
import { LabElement } from "./element";

const ERRORS: Record<string, string> = { name: "no such name", refused: "connection refused", timeout: "no answer" };
const OFFERED = 200;

@customElement("cl-request")
export class RequestElement extends LabElement {
  protected override readonly topics: Topic[] = ["state", "mode"];
  @state() private answer: FollowedRequest | null = null;
  @state() private problem = "";
  @state() private busy = false;
  private from = "";
  private url = "";

  protected override render(): TemplateResult {
    const { objects } = this.lab.player.state;
    const views = Object.values(objects);
    const sources = ["cluster", "outside", ...views.filter((view) => view.kind === "Node").map((view) => view.name),
      ...views.filter((view): view is PodView => view.kind === "Pod" && Boolean((view as PodView).node)).map((pod) => `${pod.namespace}/${pod.name}`)].slice(0, OFFERED);
    const services = views.filter((view): view is ServiceView => view.kind === "Service").slice(0, OFFERED);
    return html`<div class="pad follow"><form class="cmd" @submit=${this.send}>
        <label>${t("from")} <input class="mono" name="from" list="request-sources" maxlength="300" spellcheck="false" autocomplete="off" data-testid="request-from" placeholder="cluster" .value=${this.from} /></label><datalist id="request-sources">${sources.map((name) => html`<option value=${name}></option>`)}</datalist>
        <label class="wide">${t("to")} <input class="mono" name="url" list="request-urls" maxlength="2000" required spellcheck="false" autocomplete="off" data-testid="request-url" placeholder="http://web.default.svc/" .value=${this.url} /></label><datalist id="request-urls">${services.map((one) => html`<option value=${`http://${one.name}.${one.namespace}.svc/`}></option>`)}</datalist>
        <button type="submit" class="small" data-testid="request-send" ?disabled=${this.busy || !this.lab.options.canEdit}>${t("Send")}</button></form>
      ${this.problem ? html`<p class="warn" role="alert">${this.problem}</p>` : nothing}
      <div aria-live="polite">${this.answer ? this.way(this.answer) : html`<p class="soft">${t("One request, followed from its client over names, addresses and rules to the pod that answers, and on through the services that it calls.")}</p>`}</div></div>`;
  }

  private way(answer: FollowedRequest): TemplateResult {
    const outcome = answer.error ? t(ERRORS[answer.error] ?? answer.error) : String(answer.status);
    const bad = Boolean(answer.error) || answer.status >= 400;
    return html`<p data-testid="request-outcome"><b class=${bad ? "failed" : "fine"}>${bad ? "✕" : "✓"} ${outcome}</b> <small>${answer.latency_ms} ms${answer.pod ? html` · <button type="button" class="link" @click=${() => this.lab.select(`pods/${answer.pod}`)}>${answer.pod}</button>` : nothing}</small></p>
      <ol class="why plain hops" data-testid="hops">${answer.hops.map((hop) => this.hop(hop))}</ol>
      ${answer.body ? html`<details><summary>${t("Answer")}</summary><pre class="yaml" tabindex="0">${answer.body}</pre></details>` : nothing}`;
  }

  private hop(hop: Hop): TemplateResult {
    return html`<li data-depth=${Math.min(hop.depth, 6)}><b>${hop.where}</b> <span class="mono">${hop.what}</span> → <b>${hop.decision}</b>${hop.why ? html` <small>${hop.why}</small>` : nothing}</li>`;
  }

  private async send(event: Event): Promise<void> {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    [this.from, this.url] = [String(data.get("from")).trim(), String(data.get("url")).trim()];
    this.busy = true;
    this.problem = "";
    try {
      this.answer = await sendRequest(this.lab.options.id, this.url, this.from || "cluster");
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    }
    this.busy = false;
  }
}
