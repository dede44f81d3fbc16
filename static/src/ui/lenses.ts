// The lenses: what they are called, and the question that each answers.
import type { Lens } from "../stage/layout";

export const LENSES: [Lens, string][] = [["workloads", "Workloads"], ["control-plane", "Control plane"], ["scheduling", "Scheduling"], ["etcd", "etcd"], ["ownership", "Ownership"], ["node", "Node"], ["traffic", "Traffic"], ["storage", "Storage"], ["access", "Access"]];
export const LENS_ORDER = LENSES.map(([lens]) => lens);
export const LENS_NAMES = Object.fromEntries(LENSES) as Record<Lens, string>;

export const QUESTIONS: Record<Lens, string> = {
  workloads: "What runs where, and is there room?", "control-plane": "Who talks to whom, and what waits?", scheduling: "Which node, and why not the others?",
  etcd: "Who leads, and what is agreed on?", ownership: "Who made whom?", node: "What goes on inside a node?", traffic: "Where do requests go?",
  storage: "Whose disk is whose?", access: "Who may do what, and which rule says so?",
};
