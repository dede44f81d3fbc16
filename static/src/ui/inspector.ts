// <cl-inspector>: whatever is selected, or else the step on the stage: what it is, why it is here, what changed, what is said of it.
import { html, nothing, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";
import { t } from "../i18n/t";
import { actorName, age, clock, sentenceOf } from "../lab/words";
import type { Topic } from "../lab/lab";
import type { Frame, Heading, Span, View } from "../stream/types";
import { nameOf, namespaceOf, resourceOf, type NodeView, type PodView } from "../stream/views";
import { heldId, heldTitle } from "../stage/door";
import { lookOf } from "../stage/pod";
import { isCall } from "../stage/choreography";
import { requestTitle } from "../stage/travel";
import { LabElement } from "./element";
import { heldList } from "./held";
import "./queue";
import { faultButtons } from "./faults";
import { icons } from "./icons";
import { fork } from "./fork";
import { stepLink } from "./object";

const RUSH_MS = 160;
const MOST_REQUESTS = 8;

@customElement("cl-inspector")
export class InspectorElement extends LabElement {
  protected override readonly topics: Topic[] = ["selection", "step", "state", "mode"];
  private later = 0;

  protected override told(topic: Topic): void {
    // On a phone what is selected rises as a sheet over the stage.
    if (topic === "selection") document.body.dataset["selected"] = this.lab.selected ? "yes" : "no";
    if (topic === "selection" || !this.lab.player.waiting) return super.told(topic);
    // While steps rush by nobody can read each of them.
    this.later ||= window.setTimeout(() => {
      this.later = 0;
      this.requestUpdate();
    }, RUSH_MS);
  }

  protected override render(): TemplateResult {
    const { selected } = this.lab;
    return html`<div class="inspector" data-testid="inspector">${selected.startsWith("held") ? this.heldPart(selected) : selected ? (isObject(selected) ? this.objectPart(selected) : this.componentPart(selected)) : this.stepPart()}</div>`;
  }

  private head(kind: string, name: string, pills: TemplateResult[]): TemplateResult {
    return html`<header class="inspected">
      <p class="eyebrow">${kind}</p>
      ${this.lab.selected ? html`<button type="button" class="quiet" aria-label=${t("Close")} title=${t("Close (Escape)")} @click=${() => this.lab.select("")}>${icons.close}</button>` : nothing}
      <h2 class="mono">${name}</h2><p class="pills">${pills}</p></header>`;
  }

  /** A request that waits before the API server. */
  private heldPart(id: string): TemplateResult {
    const { held } = this.lab.mode;
    const one = held?.requests.find((each) => heldId(each.id) === id);
    return html`${this.head(t("Held request"), one ? heldTitle(one) : t("Held requests"), one ? [html`<span class="pill warn">${t("waits")}</span> <span class="pill">${one.object}</span>`] : [])}
      ${id === "held" ? heldList(this.lab) : html`<cl-held .number=${Number(id.slice(5))}></cl-held>`}`;
  }

  // An object.

  private objectPart(key: string): TemplateResult {
    const view = this.lab.player.state.objects[key];
    return html`${this.head(view?.kind ?? resourceOf(key), nameOf(key), view ? this.pills(view) : [html`<span class="pill">${t("gone")}</span>`])}
      <cl-object .key=${key}></cl-object>`;
  }

  private pills(view: View): TemplateResult[] {
    const pills: TemplateResult[] = [];
    const add = (text: string, kind = ""): number => pills.push(html`<span class="pill ${kind}">${text}</span> `);
    if (view.kind === "Pod") {
      const pod = view as PodView;
      const look = lookOf(pod, this.lab.player.state.time, false);
      add(`${pod.status}`, look.tone);
      add(pod.readyText + " " + t("ready"));
      if (pod.restarts) add(t("{count} restarts", { count: pod.restarts }), "bad");
      if (pod.node) add(pod.node);
      if (pod.ip) add(pod.ip);
    } else if (view.kind === "Node") {
      const node = view as NodeView;
      add(node.ready === "True" ? t("Ready") : node.ready === "Unknown" ? t("lost") : t("NotReady"), node.ready === "True" ? "ok" : "bad");
      if (!node.schedulable) add(t("cordoned"), "warn");
      for (const taint of node.taints ?? []) add(`${taint.key}:${taint.effect}`);
    }
    if (view.namespace) add(view.namespace);
    add(t("age {age}", { age: age(this.lab.player.state.time - view.created) }));
    return pills;
  }

  private stepsPart(title: string, steps: Heading[]): TemplateResult {
    return html`<section><h3 class="eyebrow">${title}</h3><ol class="why plain">${steps.map((step) => html`<li>${stepLink(this.lab, step)}</li>`)}</ol></section>`;
  }

  // A component.

  private componentPart(name: string): TemplateResult {
    const fields = Object.entries(this.lab.player.state.components[name] ?? {}).filter(([, value]) => typeof value !== "object" || Array.isArray(value));
    const plain = fields.filter(([, value]) => typeof value !== "object").map(([field, value]) => html`<dt>${field}</dt><dd>${String(value)}</dd>`);
    const mine = this.lab.headings.newest(this.lab.shownSeq, 14, (step) => (name === "kubectl" ? !step.actor.includes("/") && !step.actor.startsWith("kube-") && !step.actor.endsWith("-controller") && !step.actor.startsWith("etcd") && step.actor !== "fault" : step.actor === name) && !step.routine);
    return html`${this.head(t("Component"), name === "kubectl" ? t("you, with kubectl") : name, [])}
      <p>${t(ABOUT[name.replace(/\/.*/, "")] ?? (name.endsWith("-controller") ? "A loop in the controller manager: it compares what is wanted with what there is, and writes the difference." : ""))}</p>
      ${faultButtons(this.lab, name)}
      ${plain.length ? html`<dl class="fields">${plain}</dl>` : nothing}
      ${name.endsWith("-controller") ? html`<cl-queue .of=${name}></cl-queue>` : nothing}
      ${mine.length ? this.stepsPart(t("What it did last"), mine) : html`<p class="soft">${t("It has not done anything that matters yet.")}</p>`}`;
  }

  // The step.

  private stepPart(): TemplateResult {
    const step = this.lab.shown;
    if (!step) return html`<p class="soft">${t("Select anything on the stage to look into it.")}</p>`;
    const frame = this.lab.frameOf(step.seq);
    const chain = this.lab.headings.why(step.seq).slice(1);
    return html`${this.head(t("Step {seq}", { seq: step.seq }), actorName(step.actor), [html`<span class="pill">${clock(step.time)}</span> `, step.routine ? html`<span class="pill">${t("routine")}</span>` : html``])}
      <p data-testid="step-sentence">${sentenceOf(step)}</p>
      ${frame ? this.framePart(frame) : nothing}
      ${chain.length ? html`<section><h3 class="eyebrow">${t("Call stack: because")}</h3><ol class="why">${chain.map((cause) => html`<li>${stepLink(this.lab, cause)}</li>`)}</ol></section>` : nothing}
      ${this.lab.options.canEdit ? html`<p class="hint"><button type="button" class="small" data-testid="fork" title=${t("A new lab with the same past, to try something else in")} @click=${() => fork(this.lab)}>${t("Fork from here")}</button></p>` : nothing}
      <p class="soft hint">${t("Select anything on the stage to look into it.")}</p>`;
  }

  private requestPart(span: Span, open: boolean): TemplateResult {
    const refused = span.code >= 400, calls = span.messages.filter(isCall), raft = span.messages.length - calls.length;
    return html`<details class="request" ?open=${open || refused}><summary><b class=${refused ? "bad" : ""}>${requestTitle(span.verb, span.object)} → ${span.code}</b> <small class="mono">${span.object}</small></summary>
      ${span.message ? html`<p class="bad">${span.message}</p>` : nothing}
      <ol class="stages">${span.stages.map((stage) => html`<li class=${stage.decision === "refused" ? "bad" : ""}><span>${t(stage.name)}</span> <em>${t(stage.decision)}</em>${stage.why ? html`<small>${stage.why}</small>` : nothing}</li>`)}</ol>
      ${calls.length ? html`<ul class="links" data-testid="webhooks">${calls.map(([, , pod, said]) => html`<li>${t("webhook")} ${said}${pod ? html` <button type="button" class="link" @click=${() => this.lab.select(pod)}>${nameOf(pod)}</button>` : nothing}</li>`)}</ul>` : nothing}
      ${span.revision ? html`<small>${t("revision {revision}", { revision: span.revision })}${raft ? ` · ${t("{count} Raft messages", { count: raft })}` : ""}${span.watchers ? ` · ${span.watchers === 1 ? t("1 watch told") : t("{count} watches told", { count: span.watchers })}` : ""}</small>` : nothing}</details>`;
  }

  private framePart(frame: Frame): TemplateResult {
    const told = frame.requests.filter((span) => span.object.startsWith("events/") && span.code < 400);
    const requests = frame.requests.filter((span) => !told.includes(span)).slice(0, MOST_REQUESTS);
    const changes = frame.changes.filter((change) => !change.key.startsWith("events/"));
    const more = frame.requests.length - told.length - requests.length;
    return html`${requests.length ? html`<section><h3 class="eyebrow">${t("Requests")}</h3>${requests.map((span, i) => this.requestPart(span, i === 0))}
      ${more > 0 ? html`<p class="soft">${t("and {count} more", { count: more })}</p>` : nothing}
      ${told.length ? html`<p class="soft">${told.length === 1 ? t("and it recorded an event") : t("and it recorded {count} events", { count: told.length })}</p>` : nothing}</section>` : nothing}
    ${frame.messages.length ? html`<section><h3 class="eyebrow">${t("Messages")}</h3><ul class="links">${frame.messages.slice(0, 12).map(([type, from, to, summary]) => html`<li><span class="mono">${type}</span> ${from} → ${to} <small>${summary}</small></li>`)}</ul></section>` : nothing}
    ${changes.length ? html`<section><h3 class="eyebrow">${t("Changed")}</h3><ul class="links">${changes.slice(0, 14).map((change) => html`<li><small class=${change.op}>${t(change.op)}</small>
      <button type="button" class="link" @click=${() => this.lab.select(change.key)}>${namespaceOf(change.key) ? nameOf(change.key) : change.key}</button> <small>${resourceOf(change.key)}</small></li>`)}</ul></section>` : nothing}`;
  }
}

/** Selections are objects' keys or components' names; components inside a node have a slash too. */
export const isObject = (id: string): boolean => id.includes("/") && !/^(kubelet|kube-proxy|runtime)\//.test(id);

const ABOUT: Record<string, string> = {
  "kube-apiserver": "The one door to the cluster's state. Every request is authenticated, authorized, admitted, checked and only then stored; everyone who watches is told.",
  etcd: "The cluster's memory: members that agree on a log of changes by majority. Only the API server talks to it.",
  "kube-controller-manager": "The program in which most controllers live.",
  "kube-scheduler": "Finds a node for each pod that has none: filters out those that cannot take it, scores the rest, binds it to the best.",
  kubelet: "The agent of a node: sees pods bound to its node, has the runtime start and stop their containers, reports how they are.",
  "kube-proxy": "Keeps the rules of its node that send traffic for a service to the pods behind it.",
  runtime: "Pulls images and runs containers for the kubelet.",
  kubectl: "You and everyone else who talks to the cluster from outside.",
};
