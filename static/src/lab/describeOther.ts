// What is said first of the kinds that are no workloads: rules, bindings, routes, quotas, volumes. Pure.
import { dict, list, pairs, text, words, type Json, type Row } from "./plain";

type Teller = (spec: Json, status: Json, object: Json) => Row[];

const subject = (one: Json): string => `${text(one["kind"])} ${one["namespace"] ? `${text(one["namespace"])}/` : ""}${text(one["name"])}`;
const rule = (one: Json): string => `${words(one["verbs"])} ${words(one["resources"]) || words(one["nonResourceURLs"])}${one["resourceNames"] ? ` (${words(one["resourceNames"])})` : ""}`;
const rules: Teller = (_spec, _status, object) => list(object["rules"]).map((one): Row => [words(one["apiGroups"]) || "core", rule(one)]);
const binding: Teller = (_spec, _status, object) => [["Role", `${text(dict(object["roleRef"])["kind"])}/${text(dict(object["roleRef"])["name"])}`], ["Subjects", list(object["subjects"]).map(subject).join(", ")]];
const backend = (value: unknown): string => {
  const service = dict(dict(value)["service"]), port = dict(service["port"]);
  return `${text(service["name"])}:${text(port["number"] ?? port["name"])}`;
};
const peer = (one: Json): string => {
  const block = dict(one["ipBlock"]);
  if (block["cidr"]) return `${text(block["cidr"])}${block["except"] ? ` except ${words(block["except"])}` : ""}`;
  const part = (name: string, value: unknown): string => (value === undefined ? "" : `${name} ${pairs(dict(value)["matchLabels"]) || "all"}`);
  return [part("pods", one["podSelector"]), part("namespaces", one["namespaceSelector"])].filter(Boolean).join(" in ");
};
const side = (entries: unknown, key: string): string =>
  list(entries).map((one) => `${list(one[key]).map(peer).join(" or ") || "anybody"}${list(one["ports"]).length ? ` on ${list(one["ports"]).map((port) => `${text(port["port"])}/${text(port["protocol"]) || "TCP"}`).join(", ")}` : ""}`).join("; ");

const TELLERS: Record<string, Teller> = {
  Role: rules,
  ClusterRole: rules,
  RoleBinding: binding,
  ClusterRoleBinding: binding,
  Ingress: (spec, status) => [["Class", text(spec["ingressClassName"])], ["Address", list(dict(status["loadBalancer"])["ingress"]).map((one) => text(one["ip"] ?? one["hostname"])).join(", ")],
    ["Default backend", spec["defaultBackend"] ? backend(spec["defaultBackend"]) : ""], ...list(spec["rules"]).flatMap((one) => list(dict(one["http"])["paths"]).map((path): Row => [`${text(one["host"]) || "*"}${text(path["path"])}`, backend(path["backend"])])), ["TLS", list(spec["tls"]).map((one) => `${text(one["secretName"])}: ${words(one["hosts"])}`).join(", ")]],
  NetworkPolicy: (spec) => [["Pods", pairs(dict(spec["podSelector"])["matchLabels"]) || "all"], ["Policy types", words(spec["policyTypes"])], ["Ingress from", words(spec["policyTypes"]).includes("Ingress") ? side(spec["ingress"], "from") || "nobody" : ""], ["Egress to", words(spec["policyTypes"]).includes("Egress") ? side(spec["egress"], "to") || "nobody" : ""]],
  Job: (spec, status) => [["Completions", `${text(status["succeeded"]) || "0"} of ${text(spec["completions"] ?? 1)}`], ["Parallelism", text(spec["parallelism"])], ["Active", text(status["active"])], ["Failed", text(status["failed"])], ["Back-off limit", text(spec["backoffLimit"])], ["Deadline", spec["activeDeadlineSeconds"] === undefined ? "" : `${text(spec["activeDeadlineSeconds"])} s`], ["Suspended", spec["suspend"] ? "true" : ""]],
  CronJob: (spec, status) => [["Schedule", text(spec["schedule"])], ["Concurrency policy", text(spec["concurrencyPolicy"])], ["Suspended", spec["suspend"] ? "true" : ""], ["Last scheduled", text(status["lastScheduleTime"])], ["Active", list(status["active"]).map((one) => text(one["name"])).join(", ")], ["History", `${text(spec["successfulJobsHistoryLimit"])} done, ${text(spec["failedJobsHistoryLimit"])} failed`]],
  PersistentVolume: (spec, status) => [["Class", text(spec["storageClassName"])], ["Phase", text(status["phase"])], ["Claim", spec["claimRef"] ? `${text(dict(spec["claimRef"])["namespace"])}/${text(dict(spec["claimRef"])["name"])}` : ""], ["Capacity", pairs(spec["capacity"])], ["Access modes", words(spec["accessModes"])], ["Reclaim policy", text(spec["persistentVolumeReclaimPolicy"])]],
  StorageClass: (_spec, _status, object) => [["Provisioner", text(object["provisioner"])], ["Reclaim policy", text(object["reclaimPolicy"])], ["Binding", text(object["volumeBindingMode"])], ["Expansion", text(object["allowVolumeExpansion"])], ["Parameters", pairs(object["parameters"])]],
  ResourceQuota: (spec, status) => Object.entries(dict(spec["hard"])).map(([name, hard]): Row => [name, `${text(dict(status["used"])[name]) || "0"} of ${text(hard)}`]),
  LimitRange: (spec) => list(spec["limits"]).flatMap((one) => ["min", "max", "default", "defaultRequest"].filter((name) => one[name]).map((name): Row => [`${text(one["type"])} ${name}`, pairs(one[name])])),
  PodDisruptionBudget: (spec, status) => [["Selector", pairs(dict(spec["selector"])["matchLabels"])], ["Min available", text(spec["minAvailable"])], ["Max unavailable", text(spec["maxUnavailable"])], ["Healthy", `${text(status["currentHealthy"])} of ${text(status["desiredHealthy"])} wanted, ${text(status["expectedPods"])} expected`], ["Disruptions allowed", text(status["disruptionsAllowed"])]],
  EndpointSlice: (_spec, _status, object) => [["Ports", list(object["ports"]).map((one) => `${text(one["name"])} ${text(one["port"])}/${text(one["protocol"])}`).join(", ")], ...list(object["endpoints"]).map((one): Row => [words(one["addresses"]), [dict(one["conditions"])["ready"] ? "ready" : "not ready", text(dict(one["targetRef"])["name"]), text(one["nodeName"])].filter(Boolean).join(", ")])],
  Lease: (spec) => [["Holder", text(spec["holderIdentity"])], ["Duration", `${text(spec["leaseDurationSeconds"])} s`], ["Renewed", text(spec["renewTime"])], ["Transitions", text(spec["leaseTransitions"])]],
  Event: (_spec, _status, object) => [["Type", text(object["type"])], ["Reason", text(object["reason"])], ["Message", text(object["message"])], ["About", `${text(dict(object["involvedObject"])["kind"])}/${text(dict(object["involvedObject"])["name"])}`], ["Count", text(object["count"])]],
  PriorityClass: (_spec, _status, object) => [["Value", text(object["value"])], ["Global default", text(object["globalDefault"])], ["Preemption", text(object["preemptionPolicy"])], ["Description", text(object["description"])]],
  CustomResourceDefinition: (spec) => [["Group", text(spec["group"])], ["Kind", text(dict(spec["names"])["kind"])], ["Scope", text(spec["scope"])], ["Versions", list(spec["versions"]).map((one) => text(one["name"])).join(", ")]],
};

/** null where the kind has nothing of its own. */
export function ofOther(kind: string, spec: Json, status: Json, object: Json): Row[] | null {
  return TELLERS[kind]?.(spec, status, object) ?? null;
}
