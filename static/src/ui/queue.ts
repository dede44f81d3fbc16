// <cl-queue>: the whole work queue of a controller: what is due, what waits for a while and how long yet, how often it was tried.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import { fetchLoops, type LoopsAnswer } from "../lab/api";
import type { Topic } from "../lab/lab";
import { OneAtATime } from "../lab/oneAtATime";
import { left } from "../stage/countdown";
import { LabElement } from "./element";

const EVERY_MS = 500;

@customElement("cl-queue")
export class QueueElement extends LabElement {
  protected override readonly topics: Topic[] = ["state"];
  @property() of = "";
  @state() private loop: LoopsAnswer["loops"][string] | null = null;
  private shown = "";
  private timer = 0;
  private readonly asking = new OneAtATime(() => this.load());

  protected override told(): void {
    this.ask();
  }

  protected override willUpdate(): void {
    if (this.shown !== this.of) {
      this.loop = null;
      this.ask();
    }
  }

  private ask(): void {
    this.shown = this.of;
    this.timer ||= window.setTimeout(() => {
      this.timer = 0;
      this.asking.ask();
    }, this.loop ? EVERY_MS : 0);
  }

  private async load(): Promise<void> {
    const { of } = this;
    const answer = await fetchLoops(this.lab.options.id, of).catch(() => null);
    if (answer && of === this.of) this.loop = answer.loops[of] ?? null;
  }

  protected override render(): TemplateResult | typeof nothing {
    const { loop } = this;
    if (!loop) return nothing;
    const rows = [...loop.waiting.map((key) => ({ key, due: 0 })), ...loop.later.filter(([key]) => key).map(([key, due]) => ({ key, due }))];
    return html`<section aria-label=${t("Work queue")}><h3 class="eyebrow">${t("Work queue")}</h3>
      ${rows.length ? html`<table class="queue" data-testid="queue"><thead><tr><th>${t("Key")}</th><th>${t("Due")}</th><th>${t("Tries")}</th></tr></thead>
        <tbody>${rows.map(({ key, due }) => html`<tr><td class="mono">${key}</td><td>${due ? t("in {time}", { time: left(due - this.lab.player.state.time) }) : t("now")}</td><td>${loop.failures[key] ?? 0}</td></tr>`)}</tbody></table>` : html`<p class="soft" data-testid="queue">${t("Nothing waits on its queue.")}</p>`}
      ${loop.watches.length ? html`<p class="soft">${t("It watches {resources}.", { resources: loop.watches.join(", ") })}</p>` : nothing}</section>`;
  }
}
