// One class as a page holds it: the connection, which comes back by itself, and what was told last.
import { t } from "../i18n/t";
import type { ClassState, Incoming, Pointer, Tile } from "./types";

export type Topic = "state" | "tiles" | "pointer" | "connection" | "error" | "done";
const FIRST_MS = 300, MOST_MS = 6000;
/** After these there is nothing to come back to. */
const FINAL = new Set([4400, 4403, 4404]);

export class Room {
  state: ClassState | null = null;
  readonly tiles = new Map<string, Tile>();
  pointer: Pointer | null = null;
  connected = false;
  out = false;
  lastError = "";
  lastDone = "";
  /** What to add to this machine's clock to have the server's. */
  private offsetMs = 0;
  private socket: WebSocket | null = null;
  private failures = 0;
  /** The tiles are those of a connection that is gone; the first ones that are told take their place. */
  private tilesAreOld = false;
  private readonly listeners = new Map<Topic, Set<() => void>>();

  constructor(readonly id: string) {}

  on(topics: Topic[], listener: () => void): void {
    for (const topic of topics) {
      if (!this.listeners.has(topic)) this.listeners.set(topic, new Set());
      this.listeners.get(topic)!.add(listener);
    }
  }

  start(): void {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = (this.socket = new WebSocket(`${scheme}//${location.host}/ws/classes/${encodeURIComponent(this.id)}/`));
    socket.onmessage = (event) => this.receive(JSON.parse(String(event.data)) as Incoming);
    socket.onclose = (event) => this.dropped(event.code);
  }

  /** Sends a message; false while there is no connection. */
  send(message: { type: string } & Record<string, unknown>): boolean {
    if (!this.socket || this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** Sends what somebody has done; they are told where it does not go out. */
  act(message: { type: string } & Record<string, unknown>): boolean {
    if (this.send(message)) return true;
    this.lastError = t("Not connected.");
    this.tell("error");
    return false;
  }

  /** Milliseconds of the server's clock. */
  now(): number {
    return Date.now() + this.offsetMs;
  }

  private tell(topic: Topic): void {
    for (const listener of this.listeners.get(topic) ?? []) listener();
  }

  private receive(message: Incoming): void {
    switch (message.type) {
      case "hello":
        this.failures = 0;
        this.connected = true;
        this.offsetMs = message.now - Date.now();
        this.state = message.class;
        this.tilesAreOld = true;
        this.tell("connection");
        return this.tell("state");
      case "class":
        this.state = message.class;
        return this.tell("state");
      case "tiles":
        if (this.tilesAreOld) this.tiles.clear();
        this.tilesAreOld = false;
        for (const tile of message.tiles) this.tiles.set(tile.seat, tile);
        for (const seat of message.gone) this.tiles.delete(seat);
        return this.tell("tiles");
      case "pointer":
        this.pointer = message.at;
        return this.tell("pointer");
      case "done":
        this.lastDone = message.of;
        return this.tell("done");
      case "error":
        this.lastError = message.message;
        return this.tell("error");
      case "out":
        this.out = true;
        return this.tell("connection");
    }
  }

  private dropped(code: number): void {
    this.connected = false;
    this.socket = null;
    if (FINAL.has(code)) this.out = true;
    this.tell("connection");
    if (this.out) return;
    setTimeout(() => this.start(), Math.min(MOST_MS, FIRST_MS * 2 ** this.failures++));
  }
}
