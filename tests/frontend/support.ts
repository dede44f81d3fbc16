// What the front end's tests share.
import { readFileSync } from "node:fs";
import type { Frame, Snapshot } from "../../static/src/stream/types";

export interface Recording {
  snapshot: Snapshot;
  frames: Frame[];
  final: Snapshot;
}

/** A recorded stream from tests/frontend/fixtures. */
export const recording = (name = "rollout"): Recording => JSON.parse(readFileSync(`tests/frontend/fixtures/${name}.json`, "utf8")) as Recording;

/** The value, so that any change to it throws. */
export function frozen<T>(value: T): T {
  if (value && typeof value === "object") {
    Object.freeze(value);
    Object.values(value).forEach(frozen);
  }
  return value;
}
