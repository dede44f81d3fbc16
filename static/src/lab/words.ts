// Short words for people: actors, times, categories of steps.
import { sentence } from "../i18n/sentences";
import { t } from "../i18n/t";
import { componentOf } from "../stage/actors";
import { controllerTitle } from "../stage/layoutControl";
import type { Heading } from "../stream/types";

export type Category = "user" | "etcd" | "controller" | "scheduler" | "node" | "proxy" | "fault";

export function categoryOf(who: string): Category {
  const actor = componentOf(who);
  if (actor.startsWith("etcd")) return "etcd";
  if (actor === "kube-scheduler") return "scheduler";
  if (actor.startsWith("kubelet/") || actor.startsWith("runtime/")) return "node";
  if (actor.startsWith("kube-proxy") || actor === "network" || actor === "traffic") return "proxy";
  if (actor.endsWith("-controller") || actor === "kube-controller-manager") return "controller";
  if (actor === "fault" || actor === "faults") return "fault";
  return "user";
}

/** The custom property with a category's colour. */
export const CATEGORY_COLORS: Record<Category, string> = {
  user: "--accent", etcd: "--etcd", controller: "--warn", scheduler: "--v5", node: "--ok", proxy: "--v6", fault: "--bad",
};

export function actorName(who: string): string {
  const actor = componentOf(who);
  const [program, node] = actor.split("/", 2) as [string, string?];
  if (node) return `${program} · ${node}`;
  if (actor === "kube-scheduler") return t("scheduler");
  if (actor === "kube-apiserver") return t("API server");
  if (actor === "kube-controller-manager") return t("controller manager");
  if (actor.endsWith("-controller")) return t("{name} controller", { name: controllerTitle(actor) });
  return actor;
}

export const sentenceOf = (heading: Heading): string => sentence(heading.explain) || `${actorName(heading.actor)}: ${heading.verb} ${heading.object}`;

/** Simulated time: 4.210 s, 2:05.3, 1:02:03. */
export function clock(ms: number): string {
  const whole = Math.floor(ms / 1000);
  if (whole < 60) return `${(ms / 1000).toFixed(3)} s`;
  const hours = Math.floor(whole / 3600), minutes = Math.floor((whole % 3600) / 60), seconds = whole % 60;
  const two = (value: number): string => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}.${Math.floor((ms % 1000) / 100)}`;
}

/** How long ago, as kubectl writes ages: 45s, 5m, 3h. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}
