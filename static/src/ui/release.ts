// <cl-release>: how a Deployment or a Rollout is released, beside the pods that it governs: sliders for maxSurge and maxUnavailable, buttons
// that pause, promote, abort and roll back. Each does nothing but what the kubectl command under it does.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import { fetchObject } from "../lab/api";
import type { Topic } from "../lab/lab";
import { clock } from "../lab/words";
import { capacities, cores, familyOf, times } from "../stage/capacity";
import { nameOf, namespaceOf, type AnalysisRunView, type CanaryView, type MetricView, type RolloutView, type WorkloadView } from "../stream/views";
import type { DrawerElement } from "./drawer";
import { LabElement } from "./element";
import { theScene } from "./stage";

type Json = Record<string, unknown>;
const at = (object: unknown, ...path: string[]): unknown => path.reduce<unknown>((value, name) => (value as Json | undefined)?.[name], object);
const quoted = (value: unknown): string => `'${JSON.stringify(value).replaceAll("'", "'\\''")}'`;
const LINE_MOST = 4000;

interface Act {
  name: string;
  line: string;
  off?: boolean;
  testid: string;
}

@customElement("cl-release")
export class ReleaseElement extends LabElement {
  protected override readonly topics: Topic[] = ["state"];
  @property() key = "";
  @property({ attribute: false }) object: Json = {};
  @state() private shown = "";

  private get kind(): string {
    return this.key.startsWith("deployments/") ? "deployment" : this.key.startsWith("canaries.") ? "canary" : "rollout";
  }

  private get where(): string {
    const namespace = namespaceOf(this.key);
    return namespace === "default" ? "" : ` -n ${namespace}`;
  }

  private patch(body: unknown, extra = ""): string {
    return `kubectl patch ${this.kind} ${nameOf(this.key)}${this.where} --type=merge${extra} -p ${quoted(body)}`;
  }

  private run(line: string): void {
    document.querySelector<DrawerElement>("cl-drawer")?.run(line);
  }

  protected override render(): TemplateResult {
    const view = this.lab.player.state.objects[this.key] as RolloutView | undefined;
    const rollout = this.kind === "rollout";
    const canEdit = this.lab.options.canEdit;
    return html`<section class="release" data-testid="release"><h3 class="eyebrow">${t("Release")}</h3>
      ${rollout && view ? this.rolloutPart(view) : nothing}
      ${this.canaryPart(canEdit)}
      ${this.capacityPart()}
      ${this.sliders(canEdit)}
      ${canEdit && this.kind !== "canary" ? html`<p class="acts">${(rollout ? this.rolloutActs(view) : this.deploymentActs()).map((act) => html`<button type="button" class="small" data-testid=${act.testid} ?disabled=${act.off} title=${act.line}
          @click=${() => void this.act(act)} @focus=${() => (this.shown = act.line)} @pointerenter=${() => (this.shown = act.line)}>${act.name}</button> `)}</p>
        ${this.shown ? html`<p class="soft mono line" data-testid="release-line">${this.shown}</p>` : html`<p class="soft">${t("Each button does what a kubectl command does; point at it to see which.")}</p>`}` : this.shown ? html`<p class="soft mono line" data-testid="release-line">${this.shown}</p>` : nothing}
      ${rollout ? this.analysisPart() : nothing}</section>`;
  }

  private async act(act: Act): Promise<void> {
    this.shown = act.line;
    if (act.testid === "release:undo" && this.kind === "rollout") return this.undoRollout();
    this.run(act.line);
  }

  /** What this app asks for while two versions of it stand, against what one needs. */
  private capacityPart(): TemplateResult | typeof nothing {
    const index = theScene?.index;
    const pod = index && [...index.pods.values()].find((one) => one.namespace === namespaceOf(this.key) && one.name.startsWith(`${nameOf(this.key)}-`));
    const one = pod && capacities(index).find((each) => each.app === familyOf(index, pod));
    if (!one || one.asked <= one.needed * 1.001) return nothing;
    return html`<p class="capacity" data-testid="capacity"><meter min="0" max=${one.asked} value=${one.needed} aria-label=${t("CPU of {app}", { app: nameOf(this.key) })}></meter>
      <span><b>${times(one)}</b> ${t("{asked} cores requested, {needed} without a release", { asked: cores(one.asked), needed: cores(one.needed) })}</span></p>`;
  }

  /** The Canary of Flagger's that has taken this Deployment over, or made it. */
  private canaryPart(canEdit: boolean): TemplateResult | typeof nothing {
    const target = this.key.replace(/-primary$/, "");
    const found = Object.entries(this.lab.player.state.objects).find(([key, view]) => key.startsWith("canaries.flagger.app/") && (key === this.key || [this.key, target].includes((view as CanaryView).target)));
    if (this.kind === "rollout" || !found) return nothing;
    const view = found[1] as CanaryView, going = !["Initialized", "Succeeded", "Failed", "Initializing", ""].includes(view.phase), deployment = nameOf(view.target), on = `kubectl patch canary ${nameOf(found[0])}${this.where} --type=merge -p `;
    const tone = view.phase === "Succeeded" || view.phase === "Initialized" ? "ok" : view.phase === "Failed" ? "bad" : view.phase.startsWith("Waiting") ? "warn" : "";
    const acts: Act[] = [
      { name: view.skip ? t("Analyse again") : t("Promote fully"), line: `${on}${quoted({ spec: { skipAnalysis: !view.skip } })}`, testid: "release:skip-analysis" },
      { name: view.suspended ? t("Resume") : t("Pause"), line: `${on}${quoted({ spec: { suspend: !view.suspended } })}`, testid: "release:suspend" },
      { name: t("Roll back"), line: `kubectl rollout undo deployment ${deployment}${this.where}`, off: !going, testid: "release:undo" },
      { name: t("Retry"), line: `kubectl rollout restart deployment ${deployment}${this.where}`, off: going, testid: "release:retry" },
    ];
    acts.push(...this.gateActs(view, nameOf(found[0])));
    return html`<p><span class="pill ${tone}" data-testid="release-phase">${view.phase || "–"}</span> <span data-testid="release-message">${view.message}</span></p>
      <dl class="fields"><dt>Canary</dt><dd>${nameOf(found[0])} <small>${view.provider}</small></dd>
        <dt>${t("weight")}</dt><dd>${view.weight} <small>${view.wanted ? t("of {count}", { count: view.wanted }) : nothing}</small></dd>
        ${view.iterations ? html`<dt>${t("iteration")}</dt><dd>${view.iteration} <small>${t("of {count}", { count: view.iterations })}</small></dd>` : nothing}
        <dt>${t("failed checks")}</dt><dd>${view.failed} <small>${t("of {count}", { count: view.threshold })}</small></dd></dl>
      ${canEdit ? html`<p class="acts">${acts.map((act) => html`<button type="button" class="small" data-testid=${act.testid} ?disabled=${act.off} title=${act.line} @click=${() => void this.act(act)} @focus=${() => (this.shown = act.line)} @pointerenter=${() => (this.shown = act.line)}>${act.name}</button> `)}</p>` : nothing}`;
  }

  /** Gates of a Canary: those of the load tester by their address, others by the Deployment whose pods answer for them. */
  private gateActs(view: CanaryView, canary: string): Act[] {
    const made: Act[] = [];
    (view.gates ?? []).forEach((gate, number) => {
      const [, head, path] = /^(\w+:\/\/[^/]+)(\/.*)?$/.exec(gate.url) ?? ["", "", ""];
      const tester = /^\/(gate|rollback)\/\w+$/.test(path ?? "");
      const [service, namespace] = (head ?? "").replace(/^\w+:\/\//, "").replace(/:\d+$/, "").split(".");
      const behind = this.lab.player.state.objects[`deployments/${namespace ?? namespaceOf(this.key)}/${service}`] as WorkloadView | undefined;
      if (!tester && !behind) return;
      const open = tester ? path === "/gate/approve" : !!behind?.desired;
      const line = tester
        ? `kubectl patch canary ${canary}${this.where} --type=json -p ${quoted([{ op: "replace", path: gate.path, value: `${head}${open ? "/gate/halt" : "/gate/approve"}` }])}`
        : `kubectl scale deployment ${service}${namespace && namespace !== "default" ? ` -n ${namespace}` : ""} --replicas=${open ? 0 : 1}`;
      const values = { name: gate.name };
      made.push({ name: open ? t("Close gate {name}", values) : gate.type === "rollback" ? t("Roll back by {name}", values) : t("Open gate {name}", values), line, testid: `release:gate-${number}` });
    });
    return made;
  }

  // Bounds of a rolling update.

  private sliders(canEdit: boolean): TemplateResult | typeof nothing {
    if (this.kind === "canary") return nothing;
    const rollout = this.kind === "rollout";
    const path = rollout ? ["spec", "strategy", "canary"] : ["spec", "strategy", "rollingUpdate"];
    const recreate = !rollout && at(this.object, "spec", "strategy", "type") === "Recreate";
    if (recreate || (rollout && !at(this.object, "spec", "strategy", "canary"))) return recreate ? html`<p class="soft">${t("Recreate: all old pods end before the first new one begins.")}</p>` : nothing;
    const replicas = Number(at(this.object, "spec", "replicas") ?? 1);
    return html`${(["maxSurge", "maxUnavailable"] as const).map((field) => {
      const value = at(this.object, ...path, field) ?? "25%";
      const percent = typeof value === "string";
      const most = percent ? 100 : Math.max(replicas, Number(value), 1);
      const body = (to: number): Json => ({ spec: { strategy: { [path[2]!]: { [field]: percent ? `${to}%` : to } } } });
      return html`<label class="slide"><span>${field}</span><input type="range" min="0" max=${most} step=${percent ? 5 : 1} .value=${String(parseInt(String(value)))} data-testid=${`release:${field}`} ?disabled=${!canEdit}
          @input=${(event: Event) => (this.shown = this.patch(body(Number((event.target as HTMLInputElement).value))))} @change=${(event: Event) => this.run(this.patch(body(Number((event.target as HTMLInputElement).value))))} />
        <output>${String(value)} <small>${t("of {count}", { count: replicas })}</small></output></label>`;
    })}`;
  }

  private deploymentActs(): Act[] {
    const name = nameOf(this.key), paused = !!at(this.object, "spec", "paused");
    const recreate = at(this.object, "spec", "strategy", "type") === "Recreate";
    const other = recreate ? { spec: { strategy: { type: "RollingUpdate" } } } : { spec: { strategy: { type: "Recreate", rollingUpdate: null } } };
    return [
      paused ? { name: t("Resume"), line: `kubectl rollout resume deployment ${name}${this.where}`, testid: "release:resume" } : { name: t("Pause"), line: `kubectl rollout pause deployment ${name}${this.where}`, testid: "release:pause" },
      { name: t("Undo"), line: `kubectl rollout undo deployment ${name}${this.where}`, off: paused, testid: "release:undo" },
      { name: t("Restart"), line: `kubectl rollout restart deployment ${name}${this.where}`, off: paused, testid: "release:restart" },
      { name: recreate ? t("Roll instead") : t("Recreate instead"), line: this.patch(other), testid: "release:strategy" },
    ];
  }

  // A Rollout.

  private rolloutActs(view: RolloutView | undefined): Act[] {
    const status = " --subresource=status";
    const waiting = !!view && view.phase === "Paused", going = !!view && view.new !== view.stable;
    return [
      { name: t("Promote"), line: this.patch({ spec: { paused: false }, status: { pauseConditions: null } }, status), off: !waiting || view?.aborted, testid: "release:promote" },
      { name: t("Promote fully"), line: this.patch({ status: { promoteFull: true, pauseConditions: null } }, status), off: !going || view?.aborted, testid: "release:promote-full" },
      { name: t("Abort"), line: this.patch({ status: { abort: true } }, status), off: !going || view?.aborted, testid: "release:abort" },
      { name: t("Retry"), line: this.patch({ status: { abort: false } }, status), off: !view?.aborted, testid: "release:retry" },
      { name: t("Roll back"), line: `kubectl patch rollout ${nameOf(this.key)}${this.where} --type=json -p '[{"op":"replace","path":"/spec/template","value":…}]'`, testid: "release:undo" },
    ];
  }

  /** The template of the revision before this one, put back. */
  private async undoRollout(): Promise<void> {
    const namespace = namespaceOf(this.key);
    const revision = (object: unknown): number => Number(at(object, "metadata", "annotations", "rollout.argoproj.io/revision") ?? 0);
    const sets = Object.entries(this.lab.player.state.objects).filter(([key, view]) => key.startsWith("replicasets/") && view.owner === this.key).map(([key]) => key);
    const objects = await Promise.all(sets.map((key) => fetchObject(this.lab.options.id, key).then((answer) => answer.object).catch(() => null)));
    const mine = String(at(this.object, "status", "currentPodHash") ?? "");
    const before = objects.filter((object) => object && at(object, "metadata", "labels", "rollouts-pod-template-hash") !== mine).sort((a, b) => revision(b) - revision(a))[0];
    if (!before) return this.lab.say(t("There is no revision before this one."));
    const template = structuredClone(at(before, "spec", "template")) as { metadata: { labels: Json; creationTimestamp?: unknown } };
    delete template.metadata.labels["rollouts-pod-template-hash"];
    delete template.metadata.creationTimestamp;
    const line = `kubectl patch rollout ${nameOf(this.key)}${namespace === "default" ? "" : ` -n ${namespace}`} --type=json -p ${quoted([{ op: "replace", path: "/spec/template", value: template }])}`;
    if (line.length > LINE_MOST) return this.lab.say(t("Its template is too long for one line; apply the manifest of the revision before."));
    this.shown = line;
    this.run(line);
  }

  private rolloutPart(view: RolloutView): TemplateResult {
    const tone = view.phase === "Healthy" ? "ok" : view.phase === "Degraded" ? "bad" : view.phase === "Paused" ? "warn" : "";
    const weights = Object.entries(view.weights ?? {});
    return html`<p><span class="pill ${tone}" data-testid="release-phase">${view.phase || "–"}</span> <span data-testid="release-message">${view.message}</span></p>
      ${view.strategy === "canary" && view.steps.length ? html`<ol class="release-steps" data-testid="release-steps">${view.steps.map((step, i) => html`<li class=${i < view.step ? "done" : i === view.step ? "now" : ""} aria-current=${i === view.step ? "step" : nothing}>${i < view.step ? "✓ " : ""}${step}</li>`)}</ol>` : nothing}
      ${weights.length ? html`<dl class="fields">${weights.map(([name, weight]) => html`<dt>${t(name)}</dt><dd>${t("weight {weight}", { weight: weight.weight })} <small>${weight.service}</small></dd>`)}</dl>` : nothing}
      ${view.strategy === "blueGreen" ? html`<dl class="fields"><dt>${t("active")}</dt><dd class="mono">${view.active || "–"}</dd>${view.preview ? html`<dt>${t("preview")}</dt><dd class="mono">${view.preview}</dd>` : nothing}</dl>` : nothing}`;
  }

  // Analyses: measurements against limits.

  private analysisPart(): TemplateResult | typeof nothing {
    const runs = Object.entries(this.lab.player.state.objects).filter(([key, view]) => key.startsWith("analysisruns.argoproj.io/") && view.owner === this.key).map(([, view]) => view as AnalysisRunView);
    if (!runs.length) return nothing;
    runs.sort((a, b) => b.created - a.created);
    return html`<h3 class="eyebrow">${t("Analysis")}</h3>${runs.slice(0, 3).map((run) => html`<div class="analysis" data-testid="analysis"><p><b>${run.name}</b> <span class="pill ${run.phase === "Successful" ? "ok" : ["Failed", "Error"].includes(run.phase) ? "bad" : ""}">${run.phase || t("Pending")}</span></p>
      ${run.message ? html`<p class="soft">${run.message}</p>` : nothing}
      ${run.metrics.map((metric) => this.metricPart(metric))}</div>`)}`;
  }

  private metricPart(metric: MetricView): TemplateResult {
    return html`<p class="mono">${metric.name}: ${metric.condition}</p>
      <p class="soft">${t("{failed} failed, {limit} allowed", { failed: metric.failed, limit: metric.limit })} · ${t("{count} measured", { count: metric.count })}${metric.wanted ? ` / ${metric.wanted}` : ""}</p>
      <ol class="measured" data-testid="measurements">${metric.measurements.map((one) => html`<li class=${one.phase}><span class="mono">${one.phase === "Successful" ? "✓" : one.phase === "Failed" ? "✗" : one.phase === "Error" ? "!" : "?"} ${shortened(one.value)}</span> <small>${clock(one.time)}</small></li>`)}</ol>`;
  }
}

/** Numbers of a measurement, no longer than they can be read. */
const shortened = (value: string): string => value.replace(/\d+\.\d{4,}/g, (number) => Number(number).toFixed(4));
