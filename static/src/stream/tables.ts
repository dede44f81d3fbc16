// Snapshots that come as tables, opened: a value that many objects share was sent once, and is one value here. Mirrors clusterlab/stream/tables.py.
import type { Column, PackedSnapshot, Snapshot, Table, View } from "./types";

const keyOf = (resource: string, view: View): string => (view.namespace === undefined ? `${resource}/${view.name}` : `${resource}/${view.namespace}/${view.name}`);

function fill(views: Record<string, unknown>[], field: string, { all, each, of, at }: Column): void {
  if (each) for (let i = 0; i < views.length; i++) views[i]![field] = each[i];
  else if (of && at) for (let i = 0; i < views.length; i++) at[i]! < 0 || (views[i]![field] = of[at[i]!]);
  else for (const view of views) view[field] = all;
}

function unpack({ resource, rows, columns }: Table, into: Record<string, View>): void {
  const views: Record<string, unknown>[] = Array.from({ length: rows }, () => ({}));
  for (const [field, column] of Object.entries(columns)) fill(views, field, column);
  for (const view of views as View[]) into[keyOf(resource, view)] = view;
}

/** A snapshot as the page holds it, however it came. */
export function opened(snapshot: Snapshot | PackedSnapshot): Snapshot {
  if (!("tables" in snapshot)) return snapshot;
  const { tables, ...rest } = snapshot, objects: Record<string, View> = {};
  for (const table of tables) unpack(table, objects);
  return { ...rest, objects };
}
