// Generated from clusterlab/stream/schema.json by `npm run generate`. Do not edit.

export type Mode = "playing" | "paused";

/** type, from, to, summary */
export type Message = [string, string, string, string];

export type Stage = {
  name: string;
  decision: string;
  why: string;
};

export type Span = {
  user: string;
  verb: string;
  object: string;
  code: number;
  message: string;
  stages: Stage[];
  messages: Message[];
  revision: number;
  watchers: number;
};

export type View = {
  kind: string;
  name: string;
  namespace?: string;
  uid: string;
  labels: Record<string, string>;
  owner: string | null;
  created: number;
  deleting: number | null;
};

export type Heading = {
  seq: number;
  time: number;
  actor: string;
  verb: string;
  object: string;
  because: number;
  explain: string;
  routine: boolean;
};

export type Change = {
  key: string;
  op: "created" | "updated" | "deleted";
  revision: number;
};

export type Objects = Record<string, View | null>;

export type Components = Record<string, Record<string, unknown>>;

export type Frame = Heading & {
  requests: Span[];
  messages: Message[];
  changes: Change[];
  objects: Objects;
  components: Components;
};

export type Snapshot = {
  seq: number;
  time: number;
  eventsAfter: number;
  objects: Record<string, View>;
  components: Components;
};

/** all: every row has it; each: one for each row; of and at: places in a list, -1 where a row does not have the field */
export type Column = {
  all?: unknown;
  each?: unknown[];
  of?: unknown[];
  at?: number[];
};

export type Table = {
  resource: string;
  rows: number;
  columns: Record<string, Column>;
};

export type PackedSnapshot = {
  seq: number;
  time: number;
  eventsAfter: number;
  tables: Table[];
  components: Components;
};

export type Held = {
  id: number;
  actor: string;
  verb: string;
  object: string;
};

export type ModeState = {
  mode: Mode;
  speed: number;
  seq: number;
  time: number;
  last: number;
  settled: boolean;
  hold: boolean;
  held?: {
    count: number;
    requests: Held[];
  };
  breakpoints?: {
    condition: string;
    on: boolean;
  }[];
  stopped?: null | {
    seq: number;
    condition: string;
  };
};

export type Lab = {
  id: string;
  scenario: string;
  epoch: string;
  canEdit: boolean;
  server: string;
  generation?: number;
  notice?: string;
};

export type HelloMessage = {
  type: "hello";
  version: number;
  lab: Lab;
  mode: ModeState;
  snapshot?: Snapshot | PackedSnapshot;
  recent: Heading[];
  resumed: boolean;
};

export type StepsMessage = {
  type: "steps";
  frames: Frame[];
  replay?: boolean;
};

export type ModeMessage = ModeState & {
  type: "mode";
};

export type SnapshotMessage = {
  type: "snapshot";
  snapshot: Snapshot | PackedSnapshot;
  mode: ModeState;
  recent: Heading[];
  generation?: number;
};

export type ReadMessage = {
  type: "read";
  user: string;
  verb: string;
  object: string;
  code: number;
};

export type KubectlMessage = {
  type: "kubectl";
  line: string;
  exit: number;
  stdout: string;
  stderr: string;
};

export type ErrorMessage = {
  type: "error";
  code: string;
  message: string;
  field?: string;
};

export type ServerMessage = HelloMessage | StepsMessage | ModeMessage | SnapshotMessage | ReadMessage | KubectlMessage | ErrorMessage;
