// An object in plain rows, as kubectl describe tells it: what a person asks first of each kind. Pure.
import { t } from "../i18n/t";
import { ofOther } from "./describeOther";
import { dict, list, pairs, text, type Json, type Row } from "./plain";

export interface Section {
  title: string;
  rows: Row[];
}

const rows = (...all: Row[]): Row[] => all.filter(([, value]) => value !== "");

export function describe(object: Json): Section[] {
  const meta = dict(object["metadata"]), spec = dict(object["spec"]), status = dict(object["status"]);
  const first: Section = { title: "", rows: rows(["Labels", pairs(meta["labels"])], ["Annotations", pairs(meta["annotations"])], ...ofKind(String(object["kind"]), spec, status, object)) };
  const sections = [first];
  const pod = object["kind"] === "Pod" ? spec : dict(dict(spec["template"])["spec"]);
  for (const container of [...list(pod["initContainers"]), ...list(pod["containers"])]) sections.push(containerSection(container, status));
  const volumes = list(pod["volumes"]).map((volume): Row => volumeRow(volume));
  if (volumes.length) sections.push({ title: t("Volumes"), rows: volumes });
  return sections.filter((section) => section.rows.length);
}

function ofKind(kind: string, spec: Json, status: Json, object: Json): Row[] {
  switch (kind) {
    case "Pod":
      return [["Node", text(spec["nodeName"])], ["IP", text(status["podIP"])], ["QoS class", text(status["qosClass"])], ["Service account", text(spec["serviceAccountName"])], ["Priority", text(spec["priority"])],
        ["Node selector", pairs(spec["nodeSelector"])], ["Restart policy", text(spec["restartPolicy"])], ["Grace period", spec["terminationGracePeriodSeconds"] === undefined ? "" : `${text(spec["terminationGracePeriodSeconds"])} s`], ["Tolerations", list(spec["tolerations"]).map(toleration).join(", ")]];
    case "Node":
      return [["Addresses", list(status["addresses"]).map((one) => text(one["address"])).join(", ")], ["Taints", list(spec["taints"]).map((one) => `${text(one["key"])}${one["value"] ? `=${text(one["value"])}` : ""}:${text(one["effect"])}`).join(", ")],
        ["Unschedulable", text(spec["unschedulable"])], ["Capacity", pairs(status["capacity"])], ["Allocatable", pairs(status["allocatable"])], ["Pod network", text(spec["podCIDR"])], ["Kubelet", text(dict(status["nodeInfo"])["kubeletVersion"])], ["Runtime", text(dict(status["nodeInfo"])["containerRuntimeVersion"])]];
    case "Service":
      return [["Type", text(spec["type"])], ["Cluster IP", text(spec["clusterIP"])], ["Selector", pairs(spec["selector"])], ["Ports", list(spec["ports"]).map((one) => `${text(one["port"])} → ${text(one["targetPort"])}${one["nodePort"] ? ` (${t("node port {port}", { port: text(one["nodePort"]) })})` : ""}`).join(", ")],
        ["Session affinity", spec["sessionAffinity"] === "None" ? "" : text(spec["sessionAffinity"])], ["Load balancer", list(dict(status["loadBalancer"])["ingress"]).map((one) => text(one["ip"] ?? one["hostname"])).join(", ")]];
    case "ConfigMap":
    case "Secret":
      return Object.entries(dict(object["data"])).map(([key, value]): Row => [key, kind === "Secret" ? t("{count} characters, base64", { count: String(value).length }) : text(value).slice(0, 300)]);
    case "PersistentVolumeClaim":
      return [["Class", text(spec["storageClassName"])], ["Volume", text(spec["volumeName"])], ["Asked for", pairs(dict(spec["resources"])["requests"])], ["Capacity", pairs(status["capacity"])], ["Access modes", list(spec["accessModes"]).join(", ")], ["Phase", text(status["phase"])]];
    case "HorizontalPodAutoscaler":
      return [["Target", `${text(dict(spec["scaleTargetRef"])["kind"])}/${text(dict(spec["scaleTargetRef"])["name"])}`], ["Replicas", t("{least} to {most}", { least: text(spec["minReplicas"]), most: text(spec["maxReplicas"]) })], ["Now", t("{count} of {wanted}", { count: text(status["currentReplicas"]), wanted: text(status["desiredReplicas"]) })], ["Metrics", text(status["currentMetrics"])]];
    default:
      return ofOther(kind, spec, status, object) ?? [["Replicas", replicas(spec, status)], ["Selector", selector(spec["selector"])], ["Strategy", strategy(dict(spec["strategy"] ?? spec["updateStrategy"]))], ["Paused", spec["paused"] ? "true" : ""], ["Schedule", text(spec["schedule"])], ["Completions", text(spec["completions"])],
        ["Back-off limit", text(spec["backoffLimit"])], ["Class", text(spec["storageClassName"] ?? object["provisioner"])], ["Phase", text(status["phase"])]];
  }
}

const toleration = (one: Json): string => `${text(one["key"]) || t("everything")}${one["value"] ? `=${text(one["value"])}` : ""}${one["effect"] ? `:${text(one["effect"])}` : ""}${one["tolerationSeconds"] === undefined ? "" : ` ${t("for {seconds} s", { seconds: text(one["tolerationSeconds"]) })}`}`;
const selector = (value: unknown): string => pairs("matchLabels" in dict(value) ? dict(value)["matchLabels"] : value);

function replicas(spec: Json, status: Json): string {
  if (spec["replicas"] === undefined) return "";
  const parts = ["updatedReplicas", "readyReplicas", "availableReplicas"].flatMap((name) => (status[name] === undefined ? [] : [`${text(status[name])} ${t(name.replace("Replicas", ""))}`]));
  return `${t("{wanted} wanted, {there} there", { wanted: text(spec["replicas"]), there: text(status["replicas"]) || "0" })}${parts.length ? `, ${parts.join(", ")}` : ""}`;
}

const strategy = (value: Json): string => [text(value["type"]), pairs(value["rollingUpdate"])].filter(Boolean).join(": ");

function containerSection(container: Json, status: Json): Section {
  const name = text(container["name"]);
  const state = [...list(status["initContainerStatuses"]), ...list(status["containerStatuses"])].find((one) => one["name"] === name);
  const resources = dict(container["resources"]);
  const probes = ["startupProbe", "readinessProbe", "livenessProbe"].map((kind): Row => [kind.replace("Probe", " probe"), probe(dict(container[kind]))]);
  return {
    title: t("Container {name}", { name }),
    rows: rows(["Image", text(container["image"])], ["State", stateOf(dict(state?.["state"]))], ["Last state", stateOf(dict(state?.["lastState"]))], ["Restarts", state?.["restartCount"] ? text(state["restartCount"]) : ""],
      ["Ports", list(container["ports"]).map((one) => text(one["containerPort"])).join(", ")], ["Command", [...list(container["command"]), ...list(container["args"])].join(" ")], ["Requested", pairs(resources["requests"])], ["Limits", pairs(resources["limits"])],
      ["Environment", list(container["env"]).map((one) => `${text(one["name"])}=${text(one["value"]) || "…"}`).join(", ")], ["Mounts", list(container["volumeMounts"]).map((one) => t("{path} from {volume}", { path: text(one["mountPath"]), volume: text(one["name"]) })).join(", ")], ...probes),
  };
}

function stateOf(state: Json): string {
  const [name, detail] = Object.entries(state)[0] ?? [];
  if (!name) return "";
  const more = dict(detail);
  return [name, text(more["reason"]), more["exitCode"] === undefined ? "" : t("exit code {code}", { code: text(more["exitCode"]) }), text(more["message"])].filter(Boolean).join(", ");
}

function probe(value: Json): string {
  const http = dict(value["httpGet"]), tcp = dict(value["tcpSocket"]);
  const how = "httpGet" in value ? t("GET {path} on {port}", { path: text(http["path"]), port: text(http["port"]) }) : "tcpSocket" in value ? t("connects to {port}", { port: text(tcp["port"]) }) : "exec" in value ? t("runs {command}", { command: list(dict(value["exec"])["command"]).join(" ") }) : "grpc" in value ? "grpc" : "";
  return how && t("{how}, every {seconds} s, {count} failures", { how, seconds: text(value["periodSeconds"]) || "10", count: text(value["failureThreshold"]) || "3" });
}

function volumeRow(volume: Json): Row {
  const kind = Object.keys(volume).find((key) => key !== "name") ?? "emptyDir";
  const source = dict(volume[kind]);
  return [text(volume["name"]), [kind, text(source["claimName"] ?? source["name"] ?? source["secretName"] ?? source["path"])].filter(Boolean).join(": ")];
}
