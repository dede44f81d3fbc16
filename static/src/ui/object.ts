// <cl-object>: everything about one object, in tabs: why it is here and what changed, its YAML with an explanation of each field, its
// events, what it uses, and its past.
import { html, nothing, svg, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import { ApiError, fetchDescribed, fetchEvents, fetchObject, fetchPast, fetchUsage, fetchWhy, type ObjectAnswer, type PastAnswer, type UsageAnswer } from "../lab/api";
import type { Section } from "../lab/describe";
import { OneAtATime } from "../lab/oneAtATime";
import { related } from "../lab/related";
import { recall, remember } from "../lab/remember";
import { changedExcerpt } from "../lab/yaml";
import { age, clock, sentenceOf, actorName } from "../lab/words";
import type { Topic } from "../lab/lab";
import type { Heading } from "../stream/types";
import { nameOf, resourceOf, type EventView, type NodeView, type PodView } from "../stream/views";
import type { DrawerElement } from "./drawer";
import { LabElement } from "./element";
import { faultButtons } from "./faults";
import "./release";
import "./fields";
import "./nodeTools";

type Tab = "about" | "described" | "yaml" | "events" | "use" | "past" | "tools";
const TABS: [Tab, string][] = [["about", "About"], ["described", "Describe"], ["yaml", "YAML"], ["events", "Events"], ["use", "Use"], ["past", "Past"]];
/** A node has one more: its own tools. */
const TOOLS: [Tab, string] = ["tools", "Tools"];
const REFRESH_MS = 250;
/** kubectl takes a moment: it is not asked more often than this. */
const DESCRIBE_MS = 1000;
const MOST = 60;

/** What is released by changing its template. */
const RELEASED = /^(canaries\.flagger\.app|deployments|rollouts\.argoproj\.io)\//;

type Describe = (object: ObjectAnswer["object"]) => Section[];
let describing: Promise<Describe | null> | null = null;

/** What `describe` knows of each kind; null where it cannot be had now. */
function loadDescribe(): Promise<Describe | null> {
  describing ??= import(new URL("./describe.js", import.meta.url).href).then(({ describe }: { describe: Describe }) => describe, () => (describing = null));
  return describing;
}

@customElement("cl-object")
export class ObjectElement extends LabElement {
  protected override readonly topics: Topic[] = ["step", "state", "mode"];
  @property() key = "";
  @state() private tab: Tab = (recall("object.tab") as Tab | null) ?? "about";
  @state() private answer: ObjectAnswer | null = null;
  @state() private chain: Heading[] = [];
  @state() private past: PastAnswer | null = null;
  @state() private described: { text: string; line: string } | null = null;
  @state() private usage: UsageAnswer | null = null;
  /** Its events, where the page does not hold all there are. */
  @state() private events: EventView[] | null = null;
  @state() private problem = "";
  private sections: Section[] = [];
  private readonly samples = new Map<string, { time: number; cpu: number; memory: number }[]>();
  private fetched = "";
  private timer = 0;
  /** One at a time for each object: what is chosen next does not wait for what was chosen before. */
  private asking = new OneAtATime(() => this.load());

  protected override willUpdate(changed: PropertyValues): void {
    if (!changed.has("key")) return;
    this.answer = this.past = this.described = this.events = null;
    this.chain = [];
    this.problem = this.fetched = "";
    this.asking = new OneAtATime(() => this.load());
    this.refresh();
  }

  protected override told(topic: Topic): void {
    this.refresh();
    super.told(topic);
  }

  /** Fetches what the stream does not carry, once things have been still for a moment. */
  private refresh(): void {
    if (this.timer || !this.key) return;
    if (this.version === this.fetched) return;
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      this.asking.ask();
    }, !this.answer ? 0 : this.tab === "described" && this.described ? DESCRIBE_MS : REFRESH_MS);
  }

  private get version(): string {
    return `${this.key}@${this.lab.player.state.seq}@${this.tab}`;
  }

  private async load(): Promise<void> {
    const { key, tab, asking } = this, { id } = this.lab.options;
    const rows = loadDescribe();
    this.fetched = this.version;
    try {
      const answer = await fetchObject(id, key);
      const why = answer.steps?.length ? await fetchWhy(id, key).catch(() => ({ chain: [] })) : { chain: [] };
      const past = tab === "past" ? await fetchPast(id, key) : this.past;
      const events = tab === "events" && this.lab.player.state.eventsAfter ? (await fetchEvents(id, key)).events : null;
      const usage = tab === "use" ? await fetchUsage(id).catch(() => null) : this.usage;
      // Whoever may not, or a server that runs no kubectl, has our own rendering.
      const described = tab === "described" && this.lab.options.canEdit ? await fetchDescribed(id, key).catch(() => null) : this.described;
      const describe = await rows;
      if (this.asking !== asking) return;
      [this.described, this.events] = [described, events];
      this.sections = describe ? describe(answer.object) : [];
      [this.answer, this.chain, this.past, this.usage, this.problem] = [answer, why.chain, past, usage, ""];
      if (usage) this.sample(key, usage);
    } catch (error) {
      if (this.asking !== asking) return;
      this.problem = error instanceof ApiError && error.status === 404 ? t("It is no longer there.") : t("It cannot be read now.");
    }
    this.refresh();
  }

  private show(tab: Tab): void {
    this.tab = tab;
    remember("object.tab", tab);
    this.refresh();
  }

  protected override render(): TemplateResult {
    return html`<div class="tabs" role="tablist" aria-label=${t("What of it")} @keydown=${this.keyed}>${this.tabs.map(([tab, name]) => html`<button type="button" role="tab" id=${`object-${tab}`} data-testid=${`object:${tab}`} aria-controls="object-panel"
        aria-selected=${this.shownTab === tab ? "true" : "false"} tabindex=${this.shownTab === tab ? 0 : -1} @click=${() => this.show(tab)}>${t(name)}</button>`)}</div>
      <div role="tabpanel" id="object-panel" aria-labelledby=${`object-${this.shownTab}`}>${this.problem && !this.answer ? html`<p class="soft">${this.problem}</p>` : nothing}${this.panel()}</div>`;
  }

  private keyed(event: KeyboardEvent): void {
    const at = this.tabs.findIndex(([tab]) => tab === this.shownTab);
    const way = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!way) return;
    event.preventDefault();
    event.stopPropagation();
    const tab = this.tabs[(at + way + this.tabs.length) % this.tabs.length]![0];
    this.show(tab);
    void this.updateComplete.then(() => this.querySelector<HTMLElement>(`#object-${tab}`)?.focus());
  }

  private get tabs(): [Tab, string][] {
    return this.key.startsWith("nodes/") ? [...TABS, TOOLS] : TABS;
  }

  private get shownTab(): Tab {
    return this.tabs.some(([tab]) => tab === this.tab) ? this.tab : "about";
  }

  private panel(): TemplateResult | typeof nothing {
    switch (this.shownTab) {
      case "tools":
        return html`<cl-node-tools .node=${nameOf(this.key)}></cl-node-tools>`;
      case "yaml":
        return this.answer ? html`<cl-fields .answer=${this.answer} .key=${this.key}></cl-fields>` : nothing;
      case "described":
        return this.describedPart();
      case "events":
        return this.eventsPart();
      case "use":
        return this.usePart();
      case "past":
        return this.pastPart();
      default:
        return this.aboutPart();
    }
  }

  private aboutPart(): TemplateResult {
    const view = this.lab.player.state.objects[this.key];
    return html`${view && !view.deleting ? faultButtons(this.lab, this.key) : nothing}
      ${RELEASED.test(this.key) && view && this.answer ? html`<cl-release .key=${this.key} .object=${this.answer.object}></cl-release>` : nothing}
      ${this.chain.length ? html`<section><h3 class="eyebrow">${t("Why is it here?")}</h3><ol class="why" data-testid="why">${this.chain.map((step) => html`<li>${stepLink(this.lab, step)}</li>`)}</ol></section>` : this.answer ? html`<p class="soft" data-testid="no-why">${t("No step that is known has touched it: it was there before.")}</p>` : nothing}
      ${this.changedPart()}${this.relatedPart()}${this.describePart()}`;
  }

  private changedPart(): TemplateResult | typeof nothing {
    if (!this.answer) return nothing;
    const lines = changedExcerpt(this.answer.yaml, this.answer.changed ?? []);
    if (!lines.length) return nothing;
    return html`<section><h3 class="eyebrow">${t("What changed last")}</h3><pre class="yaml" tabindex="0" aria-label=${t("What changed last")} data-testid="changed">${lines.map((line) => (line.changed ? html`<mark>${line.text}</mark>\n` : `${line.text}\n`))}</pre></section>`;
  }

  private relatedPart(): TemplateResult | typeof nothing {
    const all = related(this.lab.player.state.objects, this.key);
    if (!all.length) return nothing;
    return html`<section><h3 class="eyebrow">${t("Related")}</h3><ul class="links" data-testid="related">${all.slice(0, MOST).map(([kind, key]) => {
      const pod = this.lab.player.state.objects[key] as PodView | undefined;
      return html`<li><small>${t(kind)}</small> <button type="button" class="link" @click=${() => this.lab.select(key)}>${nameOf(key)}</button> <small>${pod?.kind === "Pod" ? pod.status : resourceOf(key)}</small></li>`;
    })}</ul></section>`;
  }

  private describedPart(): TemplateResult | typeof nothing {
    if (!this.described) return this.describePart();
    return html`<p class="row"><code class="mono" data-testid="describe-line">${this.described.line}</code> <button type="button" class="small" @click=${() => document.querySelector<DrawerElement>("cl-drawer")?.run(this.described!.line)}>${t("in the terminal")}</button></p>
      <pre class="described" tabindex="0" aria-label=${t("Described by kubectl")} data-testid="described">${this.described.text}</pre>`;
  }

  private describePart(): TemplateResult | typeof nothing {
    if (!this.answer) return nothing;
    return html`<div data-testid="describe">${this.sections.map(({ title, rows }) => html`<section><h3 class="eyebrow">${title || t("Described")}</h3><dl class="fields">${rows.map(([name, value]) => html`<dt>${t(name)}</dt><dd>${value}</dd>`)}</dl></section>`)}</div>`;
  }

  private eventsPart(): TemplateResult {
    const { objects, time } = this.lab.player.state;
    const events = this.events ?? Object.values(objects).filter((view): view is EventView => view.kind === "Event" && (view as EventView).about === this.key);
    if (!events.length) return html`<p class="soft">${t("No events yet.")}</p>`;
    events.sort((a, b) => b.last - a.last);
    return html`<ul class="events" data-testid="object-events">${events.slice(0, MOST).map((event) => html`<li class=${event.type === "Warning" ? "warn" : ""}>
      <b>${event.reason}</b> <small>${age(time - event.last)}${event.count > 1 ? ` ×${event.count}` : ""} · ${event.source}</small><br />${event.message}</li>`)}</ul>`;
  }

  // What it uses.

  private sample(key: string, usage: UsageAnswer): void {
    const used = key.startsWith("nodes/") ? usage.nodes[nameOf(key)] : usage.pods[key];
    const kept = this.samples.get(key) ?? [];
    if (!used || kept.at(-1)?.time === usage.time) return;
    this.samples.set(key, [...kept.filter((one) => one.time < usage.time), { time: usage.time, cpu: used.cpu, memory: used.memory }].slice(-MOST));
  }

  private usePart(): TemplateResult {
    const view = this.lab.player.state.objects[this.key];
    const kept = this.samples.get(this.key) ?? [];
    const now = kept.at(-1);
    if (!view || !now) return html`<p class="soft">${this.usage ? t("Nothing is measured of it: pods that run and nodes that are up use something.") : t("Measuring …")}</p>`;
    const pod = view as PodView, node = view as NodeView, isNode = view.kind === "Node";
    const whole = isNode ? { cpu: node.cpu, memory: node.memory } : { cpu: pod.cpuLimit ?? 0, memory: pod.memoryLimit ?? 0 };
    const traffic = (this.lab.player.state.components["traffic"]?.["pods"] as Record<string, { served: number; errors: number; ms: number }> | undefined)?.[`${view.namespace}/${view.name}`];
    const containers = Object.entries(this.usage?.pods[this.key]?.containers ?? {});
    return html`<div data-testid="use">${this.meter(t("Processor"), now.cpu, isNode ? 0 : pod.cpu, whole.cpu, (value) => `${(value / 1000).toFixed(2)} cpu`, kept.map((one) => one.cpu))}
      ${this.meter(t("Memory"), now.memory, isNode ? 0 : pod.memory, whole.memory, (value) => `${Math.round(value / 1048576)} Mi`, kept.map((one) => one.memory))}
      ${traffic ? html`<p>${t("{served} requests a second, {errors} of them errors, {ms} ms each", { served: Math.round(traffic.served), errors: Math.round(traffic.errors), ms: Math.round(traffic.ms) })}</p>` : nothing}
      ${containers.length > 1 ? html`<dl class="fields">${containers.map(([name, used]) => html`<dt>${name}</dt><dd>${used.cpu} m · ${Math.round(used.memory / 1048576)} Mi</dd>`)}</dl>` : nothing}</div>`;
  }

  private meter(title: string, now: number, asked: number, limit: number, words: (value: number) => string, history: number[]): TemplateResult {
    const most = Math.max(now, asked, limit, ...history, 1);
    const points = history.map((value, i) => `${((i / Math.max(1, history.length - 1)) * 100).toFixed(1)},${(30 - (28 * value) / most).toFixed(1)}`).join(" ");
    const line = (value: number): string => (30 - (28 * value) / most).toFixed(1);
    return html`<section class="meter"><h3 class="eyebrow">${title}</h3><p><b>${words(now)}</b> ${asked ? html`<small>${t("of {amount} requested", { amount: words(asked) })}</small>` : nothing} ${limit ? html`<small>${t("at most {amount}", { amount: words(limit) })}</small>` : nothing}</p>
      <svg viewBox="0 0 100 32" preserveAspectRatio="none" role="img" aria-label=${`${title}: ${words(now)}`}>${asked ? lineOf(line(asked), "asked") : nothing}${limit ? lineOf(line(limit), "limit") : nothing}${history.length > 1 ? sparkOf(points) : nothing}</svg></section>`;
  }

  // Its past.

  private pastPart(): TemplateResult {
    const { past } = this;
    const steps = [...(this.answer?.steps ?? [])].reverse();
    return html`${past?.conditions.length ? html`<section><h3 class="eyebrow">${t("Conditions")}</h3><ol class="why plain" data-testid="conditions">${past.conditions.map((one) => html`<li><b>${one.type}</b> ${one.before ? html`<del>${one.before}</del> → ` : nothing}<b>${one.status}</b> <small>${one.reason}</small>${one.message ? html`<br />${one.message}` : nothing}
        <br /><button type="button" class="link" ?disabled=${!this.lab.options.canEdit} @click=${() => this.lab.seek(one.seq)}>${t("step {seq}", { seq: one.seq })} · ${clock(one.time)}</button></li>`)}</ol></section>` : nothing}
      ${steps.length ? html`<section><h3 class="eyebrow">${t("Steps that touched it")}</h3><ol class="why plain">${steps.slice(0, 30).map((step) => html`<li>${stepLink(this.lab, step)}</li>`)}</ol></section>` : nothing}
      ${past?.managed.length ? html`<section><h3 class="eyebrow">${t("Who owns which field")}</h3>${past.managed.map((one) => html`<details class="request"><summary><b>${one.manager}</b> <small>${one.operation}${one.subresource ? ` · ${one.subresource}` : ""} · ${t("{count} fields", { count: one.fields.length })}</small></summary><ul class="links mono">${one.fields.map((field) => html`<li>${field}</li>`)}</ul></details>`)}</section>` : nothing}`;
  }
}

export function stepLink(lab: LabElement["lab"], step: Heading): TemplateResult {
  const about = `${t("step {seq}", { seq: step.seq })} · ${actorName(step.actor)} · ${clock(step.time)}`;
  return html`${sentenceOf(step)}<br /><button type="button" class="link" ?disabled=${!lab.options.canEdit || step.seq === lab.shownSeq}
    title=${t("Go to this step")} @click=${() => lab.seek(step.seq)}>${about}</button>`;
}

const lineOf = (y: string, kind: string): TemplateResult<2> => svg`<line class=${kind} x1="0" x2="100" y1=${y} y2=${y}></line>`;
const sparkOf = (points: string): TemplateResult<2> => svg`<polyline class="now" points=${points}></polyline>`;
