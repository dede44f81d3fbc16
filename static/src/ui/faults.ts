// What can be broken, beside the thing it befalls; and how it is healed.
import { html, nothing, type TemplateResult } from "lit";
import { t } from "../i18n/t";
import type { Lab } from "../lab/lab";
import { faultsOf } from "../stage/drawing";
import { nameOf } from "../stream/views";

interface Choice {
  kind: string;
  target: string;
  name: string;
}

function choicesOf(id: string): Choice[] {
  const name = nameOf(id);
  if (id.startsWith("nodes/")) return [{ kind: "node-down", target: name, name: t("Cut the power") }, { kind: "node-cut-off", target: name, name: t("Cut it off the network") }, { kind: "clock-skew", target: name, name: t("Set its clock ten minutes ahead") }];
  if (id.startsWith("pods/")) return [{ kind: "container-crash", target: id.slice(5), name: t("Crash its container") }];
  if (id.startsWith("kubelet/")) return [{ kind: "kubelet-stop", target: name, name: t("Stop it") }, { kind: "certificate-expired", target: name, name: t("Let its certificate expire") }];
  if (id.startsWith("runtime/")) return [{ kind: "runtime-stop", target: name, name: t("Stop it") }];
  if (/^etcd-\d+$/.test(id)) return [{ kind: "etcd-kill", target: id, name: t("Kill this member") }, { kind: "etcd-partition", target: id, name: t("Cut it off from the others") }, { kind: "etcd-disk-full", target: id, name: t("Fill its disk") }, { kind: "etcd-slow-disk", target: id, name: t("Slow its disk down") }];
  if (id === "kube-apiserver") return [{ kind: "component-stop", target: id, name: t("Stop it") }, { kind: "api-overload", target: "", name: t("Flood it with requests") }];
  if (["kube-controller-manager", "kube-scheduler"].includes(id) || id.startsWith("kube-proxy/")) return [{ kind: "component-stop", target: id, name: t("Stop it") }];
  return [];
}

/** Buttons that break or heal what is selected. */
export function faultButtons(lab: Lab, id: string): TemplateResult | typeof nothing {
  if (!lab.options.canEdit) return nothing;
  const choices = choicesOf(id);
  if (!choices.length) return nothing;
  const active = faultsOf(lab.player.state.components).filter((fault) => choices.some((choice) => choice.target === fault.target && choice.kind === fault.kind));
  const shown = active.length
    ? active.map((fault) => html`<button type="button" class="small ok" data-testid="heal" @click=${() => lab.send({ type: "heal", id: fault.id, kind: fault.kind })}>${t("Heal: {kind}", { kind: fault.kind })}</button>`)
    : choices.map((choice) => html`<button type="button" class="small" data-testid=${`fault:${choice.kind}`} @click=${() => lab.send({ type: "fault", fault: { kind: choice.kind, target: choice.target } })}>${choice.name}</button>`);
  return html`<section class="break"><h3 class="eyebrow">${t("Break it")}</h3>${shown}</section>`;
}
