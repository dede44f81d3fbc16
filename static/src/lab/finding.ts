// Finding things by name: in a cluster of a thousand nodes nobody looks for a pod by eye. Pure.
import { natural } from "../stage/geometry";
import type { View } from "../stream/types";

export const MOST_FOUND = 12;
const HIDDEN = new Set(["Event", "Lease"]);
/** Made by others for the very same name: after what people made. */
const LATER = new Set(["Endpoints", "EndpointSlice", "ControllerRevision"]);

/** Keys of the objects, and names of the components, that hold each of the words; the best first. `count`: how many there are in all. */
export function finding(objects: Record<string, View>, components: string[], text: string): { keys: string[]; count: number } {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return { keys: [], count: 0 };
  const found: [rank: number, key: string][] = [];
  const look = (key: string, name: string, more: string, later: boolean): void => {
    const whole = `${more} ${name}`.toLowerCase();
    if (!words.every((word) => whole.includes(word))) return;
    const last = words.at(-1)!;
    found.push([(name === last ? 0 : name.startsWith(last) ? 2 : name.includes(last) ? 4 : 6) + Number(later), key]);
  };
  for (const [key, view] of Object.entries(objects)) {
    if (!HIDDEN.has(view.kind)) look(key, view.name, `${view.kind} ${view.namespace ?? ""}`, LATER.has(view.kind) || !!view.namespace?.startsWith("kube-") || view.name.startsWith("system:"));
  }
  for (const name of components) if (name !== "versions") look(name, name, "", false);
  found.sort(([one, a], [other, b]) => one - other || a.length - b.length || natural(a, b));
  return { keys: found.slice(0, MOST_FOUND).map(([, key]) => key), count: found.length };
}
