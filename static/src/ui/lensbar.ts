// <cl-lensbar>: above the stage, what the lens shows, and what can be done with it: ask the class, ask who may do what.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import { askAccess, type AccessAnswer } from "../lab/api";
import type { Topic } from "../lab/lab";
import type { Lens } from "../stage/layout";
import { ruleWords } from "../stage/access";
import { nodeOf } from "../stage/board";
import { faultsOf } from "../stage/drawing";
import { nameOf } from "../stream/views";
import { LabElement } from "./element";
import { QUESTIONS } from "./lenses";
import { theScene } from "./stage";

const VERBS = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "impersonate", "escalate", "bind"];
const RESOURCES = ["pods", "pods/log", "pods/exec", "deployments.apps", "deployments.apps/scale", "services", "secrets", "configmaps", "nodes", "jobs.batch", "roles.rbac.authorization.k8s.io"];

@customElement("cl-lensbar")
export class LensbarElement extends LabElement {
  protected override readonly topics: Topic[] = ["lens", "ask", "access", "state", "selection"];
  @state() private problem = "";
  @state() private asked = "";
  private probed = false;

  protected override told(topic: Topic): void {
    if ((topic === "state" || topic === "selection") && this.lab.lens !== "etcd" && this.lab.lens !== "node" && this.probed === theScene?.index.probed) return;
    super.told(topic);
  }

  protected override render(): TemplateResult {
    const { lens } = this.lab;
    return html`<div class="lens-bar" data-lens=${lens}><p class="lens-question">${t(QUESTIONS[lens])}</p>${this.tools(lens)}</div>`;
  }

  private tools(lens: Lens): TemplateResult | typeof nothing {
    switch (lens) {
      case "scheduling":
        return html`<label class="switch"><input type="checkbox" data-testid="ask-class" .checked=${this.lab.ask.on} @change=${(event: Event) => this.lab.ask.toggle((event.target as HTMLInputElement).checked)} /> ${t("Ask the class")}</label>
          ${this.lab.ask.count ? html`<span class="pill">${t("{right} of {count} right", { right: this.lab.ask.right, count: this.lab.ask.count })}</span>` : nothing}`;
      case "access":
        return this.question();
      case "node":
        return this.nodes();
      case "etcd":
        return this.breakEtcd();
      case "traffic":
        return html`<p class="legend"><span><i class="swatch of-asked"></i>${t("bars: the last ten seconds")}</span></p>`;
      case "workloads":
        return html`<p class="legend" aria-hidden="true"><span><i class="swatch of-used"></i>${t("used")}</span><span><i class="swatch of-asked"></i>${t("requested")}</span><span><i class="swatch of-limit"></i>${t("limits")}</span><span><i class="swatch of-dashed"></i>${t("not there yet")}</span>${(this.probed = theScene?.index.probed ?? false) ? html`<span><b class="swatch of-probe">L</b>${t("probes: startup, liveness, readiness")}</span>` : nothing}</p>`;
      default:
        return nothing;
    }
  }

  /** Which node is looked into. */
  private nodes(): TemplateResult | typeof nothing {
    if (!theScene) return nothing;
    const shown = nodeOf(theScene.index, theScene.focus);
    return html`<label class="switch">${t("Node")} <select data-testid="which-node" @change=${(event: Event) => this.lab.select(`nodes/${(event.target as HTMLSelectElement).value}`)}>${theScene.index.nodeNames.map((name) => html`<option value=${name} ?selected=${name === shown}>${name}</option>`)}</select></label>`;
  }

  /** What can be done to etcd as a whole: take its leader, or heal all that was done. */
  private breakEtcd(): TemplateResult | typeof nothing {
    if (!this.lab.options.canEdit) return nothing;
    const { components } = this.lab.player.state;
    const leader = String(components["etcd"]?.["leader"] ?? "");
    const faults = faultsOf(components).filter((fault) => fault.kind.startsWith("etcd-"));
    const fault = (kind: string): boolean => this.lab.send({ type: "fault", fault: { kind, target: leader } });
    return html`${leader ? html`<button type="button" class="small" data-testid="kill-leader" @click=${() => fault("etcd-kill")}>${t("Kill the leader")}</button><button type="button" class="small" data-testid="cut-leader" @click=${() => fault("etcd-partition")}>${t("Cut the leader off")}</button>` : nothing}
      ${faults.length ? html`<button type="button" class="small primary" data-testid="heal-etcd" @click=${() => faults.forEach((one) => this.lab.send({ type: "heal", id: one.id }))}>${t("Heal etcd")}</button>` : nothing}`;
  }

  /** "Can X do Y?", answered by the API server's own authorizer. */
  private question(): TemplateResult {
    const { access } = this.lab;
    return html`<form class="can" @submit=${this.ask}><label>${t("Can")} <input name="who" required list="can-who" value="ServiceAccount:default/default" size="26" spellcheck="false" autocomplete="off" data-testid="can-who" aria-label=${t("Who")} /></label>
        <datalist id="can-who">${this.subjects().map((who) => html`<option value=${who}></option>`)}</datalist>
        <input name="verb" required list="can-verb" value="get" size="7" spellcheck="false" autocomplete="off" data-testid="can-verb" aria-label=${t("Verb")} /><datalist id="can-verb">${VERBS.map((verb) => html`<option value=${verb}></option>`)}</datalist>
        <input name="resource" required list="can-resource" value="pods" size="14" spellcheck="false" autocomplete="off" data-testid="can-resource" aria-label=${t("Resource")} /><datalist id="can-resource">${RESOURCES.map((resource) => html`<option value=${resource}></option>`)}</datalist>
        <label>${t("in")} <input name="namespace" value="default" size="9" spellcheck="false" autocomplete="off" data-testid="can-namespace" aria-label=${t("Namespace")} /></label>
        <button type="submit" class="small primary" data-testid="can-ask">${t("ask")}</button></form>
      ${this.problem ? html`<p class="bad answer" role="status">${this.problem}</p>` : access ? this.answer(access) : nothing}`;
  }

  private answer(access: AccessAnswer): TemplateResult {
    const path = access.path;
    const [verbs, what] = path ? ruleWords(path.rule) : ["", ""];
    return html`<p class="answer ${access.allowed ? "yes" : "no"}" role="status" data-testid="can-answer"><b>${access.allowed ? t("Yes.") : t("No.")}</b> ${this.asked}
      ${access.allowed ? (path ? html`<button type="button" class="link" @click=${() => this.lab.select(path.role)}>${nameOf(path.role)}</button> ${t("says: {verbs} {what}; {binding} gives it to {subject}.", { verbs, what, binding: nameOf(path.binding), subject: path.subject.replace(":", " ") })}` : access.reason) : access.reason || t("No rule allows it, and what no rule allows is forbidden.")}${access.known ? nothing : html` <em>${t("The server knows no such resource.")}</em>`}</p>`;
  }

  private subjects(): string[] {
    const accounts = Object.keys(this.lab.player.state.objects).filter((key) => key.startsWith("serviceaccounts/")).map((key) => `ServiceAccount:${key.slice("serviceaccounts/".length)}`);
    return ["User:ana", "Group:developers", "Group:system:authenticated", ...accounts.filter((who) => !who.includes(":kube-system/")), ...accounts.filter((who) => who.includes(":kube-system/"))].slice(0, 60);
  }

  private async ask(event: Event): Promise<void> {
    event.preventDefault();
    const question = Object.fromEntries([...new FormData(event.target as HTMLFormElement)].map(([name, value]) => [name, String(value).trim()])) as Record<string, string>;
    this.problem = "";
    try {
      const answer = await askAccess(this.lab.options.id, question);
      this.asked = t("{who} {verb} {resource}", { who: question["who"]!.replace(":", " "), verb: question["verb"]!, resource: question["resource"]! }) + (answer.namespace ? ` ${t("in {namespace}", { namespace: answer.namespace })}:` : ":");
      this.lab.answered(answer);
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
      this.lab.answered(null);
    }
    this.requestUpdate();
  }
}
