// Who is where: from an actor's name to its box, its wire to the API server, and everything that can be pointed at.
import type { Box, Point } from "./geometry";
import type { Layout } from "./layout";

/** The component behind a user name such as system:node:node-1. */
export function componentOf(actor: string): string {
  if (actor.startsWith("system:node:")) return `kubelet/${actor.slice("system:node:".length)}`;
  const service = /^system:serviceaccount:kube-system:(.*)$/.exec(actor)?.[1];
  return service ?? (actor.startsWith("system:kube-") ? actor.slice("system:".length) : actor);
}

/** The box of whoever acts: a component, a controller, a node's kubelet. */
export function actorBox(at: Layout, who: string): Box | null {
  const actor = componentOf(who);
  const [program, node] = actor.split("/", 2) as [string, string?];
  if (at.board) {
    const card = at.board.boxes.get(actor);
    if (card) return card;
  }
  if (node !== undefined) {
    const worker = at.nodes.get(node);
    if (worker) {
      if (program === "kubelet") return worker.kubelet ?? worker.box;
      if (program === "kube-proxy") return worker.proxy ?? worker.box;
      return worker.runtime ?? worker.box;
    }
  }
  if (actor.startsWith("etcd")) return at.members.get(actor) ?? at.etcd;
  if (actor === "kube-scheduler") return at.scheduler;
  if (actor === "kube-apiserver") return at.bus;
  if (actor === "kube-controller-manager") return at.controllers;
  if (at.chips.has(actor)) return at.chips.get(actor)!;
  if (actor.endsWith("-controller")) return at.controllers;
  return node === undefined ? at.kubectl : null;
}

/** The boxes of whoever acts: one, or those of every node where an actor stands for all of its kind ("kube-proxy"). */
export function actorBoxes(at: Layout, actor: string): Box[] {
  const all = actor === "kube-proxy" ? "proxy" : actor === "kubelet" ? "kubelet" : null;
  if (all) return [...at.nodes.values()].map((node) => node[all] ?? node.box);
  const box = actorBox(at, actor);
  return box ? [box] : [];
}

/** The wire from an actor to the API server's bar, ending on the bar. */
export function wireOf(at: Layout, who: string): Point[] {
  const actor = componentOf(who);
  const box = actorBoxes(at, actor)[0] ?? at.kubectl;
  const { bus } = at;
  const x = box.x + box.w / 2;
  if (box.y >= bus.y + bus.h) {
    const worker = at.nodes.get(actor.slice(actor.indexOf("/") + 1));
    const rail = worker && worker.railX !== null ? worker.railX : x;
    const points = [{ x, y: box.y }, { x, y: box.y - 9 }];
    if (rail !== x) points.push({ x: rail, y: box.y - 9 });
    // On a phone the rail runs outside the bar, and enters it from the side.
    if (rail < bus.x) return [...points, { x: rail, y: bus.y + bus.h - 12 }, { x: bus.x + 1, y: bus.y + bus.h - 12 }];
    return [...points, { x: rail, y: bus.y + bus.h }];
  }
  if (at.chips.has(actor)) {
    // A controller speaks through the program that it lives in.
    const { controllers } = at;
    const below = [at.kubectl, at.etcd, at.scheduler].filter((other) => other.y >= controllers.y + controllers.h - 1 && other.x < controllers.x + controllers.w && controllers.x < other.x + other.w).length;
    if (!below) return [{ x: controllers.x + controllers.w / 2, y: controllers.y + controllers.h }, { x: controllers.x + controllers.w / 2, y: bus.y }];
    return wireOf(at, "kube-controller-manager");
  }
  if (box === at.bus) return [{ x: bus.x + 20, y: bus.y + bus.h / 2 }];
  // Cards that stand under one another send their wires round those below: beside the column, or on a phone down the edge.
  const below = [at.kubectl, at.etcd, at.controllers, at.scheduler].filter((other) => other !== box && other.y >= box.y + box.h - 1 && other.x < x && x < other.x + other.w).length;
  if (!below) return [{ x, y: box.y + box.h }, { x, y: bus.y }];
  if (!at.narrow) {
    const lane = box.x + box.w + 9 * below;
    return [{ x: box.x + box.w, y: box.y + box.h / 2 }, { x: lane, y: box.y + box.h / 2 }, { x: lane, y: bus.y }];
  }
  const right = x > at.width / 3;
  const side = right ? at.width - (x > at.width * 0.66 ? 6.5 : 3) : 5;
  const turn = box.y + box.h + (right && x < at.width * 0.66 ? 8 : 4);
  return [{ x, y: box.y + box.h }, { x, y: turn }, { x: side, y: turn }, { x: side, y: bus.y + 10 }, { x: right ? bus.x + bus.w - 2 : bus.x + 2, y: bus.y + 10 }];
}

/** Everything that can be pointed at, topmost first where boxes overlap. */
export function targets(at: Layout): { id: string; box: Box }[] {
  const found: { id: string; box: Box }[] = [...at.door].map(([id, { box }]) => ({ id, box }));
  for (const [key, pod] of at.pods) found.push({ id: key, box: pod.box });
  for (const [name, node] of at.nodes) {
    if (node.kubelet) found.push({ id: `kubelet/${name}`, box: node.kubelet });
    if (node.proxy) found.push({ id: `kube-proxy/${name}`, box: node.proxy });
    if (node.runtime) found.push({ id: `runtime/${name}`, box: node.runtime });
    found.push({ id: `nodes/${name}`, box: node.box });
  }
  for (const [id, box] of at.board?.boxes ?? []) if (at.board!.cards.get(id)!.link) found.push({ id, box });
  for (const [key, { box }] of at.others) found.push({ id: key, box });
  for (const [key, box] of [...at.shelf, ...at.services, ...at.owners]) found.push({ id: key, box });
  for (const [name, box] of at.chips) found.push({ id: name, box });
  for (const [name, box] of at.members) found.push({ id: name, box });
  found.push({ id: "kubectl", box: at.kubectl }, { id: "etcd", box: at.etcd }, { id: "kube-controller-manager", box: at.controllers },
    { id: "kube-scheduler", box: at.scheduler }, { id: "kube-apiserver", box: at.bus });
  return found;
}
