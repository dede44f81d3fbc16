// What goes over the websocket of a class; docs/classroom.md describes it.
export type Mode = "follow" | "own" | "together";

export interface PollState {
  id: number;
  question: string;
  kind: "choice" | "stage";
  choices: string[];
  state: "open" | "closed" | "decided";
  by: string;
  total: number;
  votes?: Record<string, number>;
  answer?: string;
  explain?: string;
  mine?: string | null;
}

export interface Me {
  teaches: boolean;
  /** Of those who teach: whether the class is theirs, and their account. */
  owns?: boolean;
  account?: string;
  name: string;
  seat?: string;
  lab: string | null;
  own?: boolean;
  canEdit?: boolean;
  hand?: boolean;
  taken?: boolean;
  watched?: boolean;
  /** Who has taken over, or looks, where several teach. */
  by?: string;
}

export interface Helper {
  name: string;
  account: string;
  accepted: boolean;
}

export interface ClassState {
  id: string;
  title: string;
  lesson: string;
  mode: Mode;
  locked: boolean;
  frozen: boolean;
  step: number;
  view: { lens?: string; selected?: string };
  pushed: { kind?: string; text?: string; at?: number; by?: string };
  lab: string | null;
  ended: boolean;
  timer: { until: number; label: string } | null;
  count: number;
  poll: PollState | null;
  me: Me;
  activity: { id: number; who: string; text: string; at: number }[];
  code?: string;
  codeUntil?: number | null;
  /** To those who teach: whose class it is, who teaches along, and what they have done. */
  owner?: string;
  helpers?: Helper[];
  deeds?: { id: number; who: string; text: string; at: number }[];
  roster?: { title: string; expected: number; missing: string[]; fetched: number | null } | null;
}

export interface Tile {
  seat: string;
  name: string;
  online: boolean;
  hand: number | null;
  taken: boolean;
  takenBy: string;
  watched: boolean;
  own: boolean;
  step: number;
  done: number;
  tasks: number;
  commands: number;
  line: string;
  failed: boolean;
  stuck: "" | "failing" | "trying" | "idle";
  seq: number | null;
  time: number | null;
  picture: [string, boolean, string][];
}

export interface Pointer {
  id: string;
  x: number;
  y: number;
  by?: string;
}

export type Incoming =
  | { type: "hello"; version: number; now: number; class: ClassState }
  | { type: "class"; class: ClassState }
  | { type: "tiles"; tiles: Tile[]; gone: string[] }
  | { type: "pointer"; at: Pointer | null }
  | { type: "done"; of: string }
  | { type: "error"; code: string; message: string; field?: string }
  | { type: "out" };
