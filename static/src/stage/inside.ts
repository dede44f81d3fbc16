// The node lens: what goes on inside one node. Kubelet, runtime and proxy; pods with their containers and what probes said; images and
// volumes. Pure. Mirrors clusterlab/kubelet, runtime and proxy.
import type { InsideAnswer } from "../lab/api";
import { isSystem, type ClusterIndex } from "../lab/index";
import type { Components } from "../stream/types";
import { nameOf, type ContainerView, type NodeView } from "../stream/views";
import { t } from "../i18n/t";
import { podCard, type Board, type Card, type Wire } from "./board";
import { natural } from "./geometry";

/** The node that a selection is about; else the first worker. */
export function nodeOf(index: ClusterIndex, selected: string): string {
  const name = nameOf(selected);
  if (/^(nodes|kubelet|kube-proxy|runtime)\//.test(selected) && index.nodes.has(name)) return name;
  return index.pods.get(selected)?.node ?? index.nodeNames.find((one) => !(index.nodes.get(one)?.roles ?? []).includes("control-plane")) ?? index.nodeNames[0] ?? "";
}

/** What a component tells of itself in numbers: field -> words for one, words for many. */
const figures = (note: Record<string, unknown> | undefined, names: Record<string, [string, string]>): string =>
  Object.entries(names).flatMap(([field, [one, many]]) => {
    const value = note?.[field];
    const count = Array.isArray(value) ? value.length : value;
    return typeof count === "number" ? [count === 1 ? one : many.replace("{count}", String(count))] : [];
  }).join(" · ");

export function nodeBoard(index: ClusterIndex, components: Components, node: string, inside: InsideAnswer | null): Board {
  const view = index.nodes.get(node);
  const runtime = components[`runtime/${node}`] as { pulling?: string[]; runtime?: string } | undefined;
  const keys = [...index.podsOn(node)].sort((a, b) => Number(isSystem(index.pods.get(a)!)) - Number(isSystem(index.pods.get(b)!)) || natural(a, b));
  const wires: Wire[] = keys.map((key) => ({ from: `kubelet/${node}`, to: key, dashed: !index.pods.get(key)!.ready }));
  const containers: Card[] = [];
  for (const key of keys) {
    for (const container of index.pods.get(key)!.containers ?? []) {
      const card = containerCard(key, container, inside?.pods[key]?.probes ?? {});
      containers.push(card);
      wires.push({ from: key, to: card.id, dashed: container.state !== "running" });
    }
  }
  const pulling = runtime?.pulling ?? [];
  const programs: Card[] = [
    { id: `kubelet/${node}`, title: "kubelet", lines: [keys.length === 1 ? t("sees to 1 pod") : t("sees to {count} pods", { count: keys.length })], link: true },
    { id: `runtime/${node}`, title: String(runtime?.runtime ?? view?.runtime ?? t("runtime")).split(":")[0]!, link: true,
      lines: [figures(runtime, { containers: [t("1 container"), t("{count} containers")], sandboxes: [t("1 sandbox"), t("{count} sandboxes")], images: [t("1 image"), t("{count} images")] }), pulling.length ? t("pulls {images}", { images: pulling.join(", ") }) : ""].filter(Boolean) },
    { id: `kube-proxy/${node}`, title: "kube-proxy", lines: [figures(components[`kube-proxy/${node}`], { services: [t("1 service"), t("{count} services")], rules: [t("rules written once"), t("rules written {count} times")] }) || t("no rules yet")], link: true },
  ];
  const conditions = conditionsOf(view);
  const pods = keys.map((key): Card => {
    const pod = index.pods.get(key)!;
    return { ...podCard(key, pod), lines: [[pod.ip, pod.qos].filter(Boolean).join(" · ")].filter(Boolean) };
  });
  const table = tableOf(inside);
  const storage = volumesOf(inside, keys, wires);
  const images = (inside?.images ?? []).map((image): Card => ({ id: `image:${image.name}`, title: image.name, lines: image.layers > 1 ? [image.shared ? t("{count} layers, {shared} shared", { count: image.layers, shared: image.shared }) : t("{count} layers", { count: image.layers })] : [], tag: bytes(image.size), tone: "soft", link: false }));
  for (const key of keys) for (const container of index.pods.get(key)!.containers ?? []) {
    const image = images.find((card) => card.title === container.image);
    if (image) wires.push({ from: `container:${key}:${container.name}`, to: image.id, dashed: container.state !== "running" });
  }
  const columns = [
    { title: `${t("NODE")} ${node}`, cards: [...programs, ...conditions, ...table] }, { title: t("PODS"), cards: pods },
    { title: t("CONTAINERS"), cards: containers }, { title: t("IMAGES AND VOLUMES"), cards: [...images, ...storage] },
  ];
  return { columns: columns.filter((column) => column.cards.length), wires, note: "" };
}

const bytes = (size: number): string => (size >= 1e9 ? `${(size / 1e9).toFixed(1)} GB` : `${Math.round(size / 1e6)} MB`);
const MOST_ROWS = 6;

/** What the node says of itself, a line a condition. */
function conditionsOf(view: NodeView | undefined): Card[] {
  const all = view?.conditions ?? [];
  if (!all.length) return [];
  const good = (one: NodeView["conditions"][number]): boolean => (one.type === "Ready" ? one.status === "True" : one.status === "False");
  const bad = all.filter((one) => !good(one));
  return [{ id: "conditions", title: t("conditions"), lines: all.map((one) => `${good(one) ? "✓" : "✗"} ${one.type}: ${one.status}`), tag: bad.length ? bad.map((one) => one.type).join(", ") : t("all well"), tone: bad.length ? "bad" : "ok", link: false }];
}

/** What the proxy of the node has in its table. */
function tableOf(inside: InsideAnswer | null): Card[] {
  const rows = inside?.services.filter((row) => !row.key.startsWith("services/kube-system/")) ?? [];
  return rows.slice(0, MOST_ROWS).map((row): Card => {
    return { id: `rule:${row.key}`, title: `→ ${nameOf(row.key)}`, lines: [row.address], tag: row.endpoints === 1 ? t("1 endpoint") : t("{count} endpoints", { count: row.endpoints }), tone: row.endpoints ? "soft" : "bad", link: false };
  });
}

const VOLUMES: Record<string, string> = { persistentVolumeClaim: "claim", configMap: "config map", emptyDir: "scratch", secret: "secret" };
const QUIET = new Set(["projected", "hostPath"]);

/** Volumes that tell something: not the token that every pod gets. */
function volumesOf(inside: InsideAnswer | null, keys: string[], wires: Wire[]): Card[] {
  const cards: Card[] = [];
  for (const key of keys) {
    for (const volume of inside?.pods[key]?.volumes ?? []) {
      if (QUIET.has(volume.kind)) continue;
      const id = `volume:${key}:${volume.name}`;
      cards.push({ id, title: volume.name, lines: [volume.of].filter((of) => of && of !== volume.name), tag: t(VOLUMES[volume.kind] ?? volume.kind), tone: "soft", pod: key, link: false });
      wires.push({ from: key, to: id });
    }
  }
  return cards;
}

function containerCard(pod: string, container: ContainerView, probes: Record<string, string>): Card {
  const running = container.state === "running";
  return {
    id: `container:${pod}:${container.name}`, title: container.name, lines: [container.image, probeWords(container.name, probes)].filter(Boolean), link: false, pod, dashed: !running,
    tag: [container.reason || container.state, container.restarts ? `↻${container.restarts}` : ""].filter(Boolean).join(" "),
    tone: running ? (container.ready ? "ok" : "warn") : /BackOff|Err|Error|OOM/.test(container.reason) ? "bad" : "soft",
  };
}

const PROBES = ["startup", "readiness", "liveness"];

/** What the probes of a container said last: readiness ✓, liveness ✗. */
const probeWords = (container: string, probes: Record<string, string>): string =>
  PROBES.filter((kind) => `${container}/${kind}` in probes).map((kind) => `${t(kind)} ${{ success: "✓", failure: "✗" }[probes[`${container}/${kind}`]!] ?? "…"}`).join(" · ");
