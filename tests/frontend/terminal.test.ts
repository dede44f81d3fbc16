// The terminal without a screen: keys become a line, sessions run lines in their order.
import assert from "node:assert/strict";
import { test } from "node:test";
import { columnsOf, commonStart, keysOf, Line } from "../../static/src/terminal/line";
import { plainText, TerminalSession, type SocketLike } from "../../static/src/terminal/session";

function typed(line: Line, data: string): string {
  for (const key of keysOf(data)) line.key(key);
  return `${line.text.slice(0, line.cursor)}|${line.text.slice(line.cursor)}`;
}

test("keys edit a line as in a shell", () => {
  const line = new Line(["kubectl get pods", "kubectl get nodes"]);
  assert.equal(typed(line, "kubectl gt\x1b[De"), "kubectl ge|t");
  assert.equal(typed(line, "\x05 pods -A\x17"), "kubectl get pods |");
  assert.equal(typed(line, "\x01\x0b"), "|");
  assert.equal(typed(line, "\x19\x1bb"), "kubectl get |pods ");
  assert.equal(typed(line, "\x15"), "|pods ");
  assert.equal(typed(line, "\x1b[A"), "kubectl get nodes|");
  assert.equal(typed(line, "\x1b[A\x1b[A"), "kubectl get pods|");
  assert.equal(typed(line, "\x1b[B\x1b[B"), "pods |");
  assert.equal(line.key("\r"), "enter");
});

test("Ctrl-R searches what was typed", () => {
  const line = new Line(["kubectl get pods", "kubectl apply -f web.yaml", "kubectl get nodes"]);
  assert.equal(typed(line, "\x12get"), "kubectl get nodes|");
  assert.equal(typed(line, "\x12"), "kubectl get pods|");
  assert.equal(line.search, "get");
  assert.equal(line.key("\r"), "enter");
  assert.equal(line.text, "kubectl get pods");
});

test("completion replaces what it completes", () => {
  const line = new Line([]);
  typed(line, "kubectl get po -A\x1b[D\x1b[D\x1b[D");
  line.replace("po", "pods");
  assert.equal(typed(line, ""), "kubectl get pods| -A");
  assert.equal(commonStart(["web-1", "web-2", "web-31"]), "web-");
  assert.deepEqual(columnsOf([{ text: "a", about: "" }, { text: "bb", about: "" }, { text: "c", about: "" }], 9), ["a   c", "bb"]);
  assert.deepEqual(columnsOf([{ text: "get", about: "Display" }], 80), ["get  -- Display"]);
});

test("text without its control sequences", () => {
  assert.equal(plainText("", "\x1b[34m~\x1b[0m ok\r\n"), "~ ok\n");
  assert.equal(plainText("a\n10%", "\r20%"), "a\n20%");
  assert.equal(plainText("old\n", "\x1b[H\x1b[2Jnew"), "new");
});

class Socket implements SocketLike {
  binaryType = "";
  onopen = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  sent: Record<string, unknown>[] = [];
  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }
  close(): void {}
  tell(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

test("lines run one after the other; a lost connection ends them", () => {
  const sockets: Socket[] = [];
  const done: string[] = [];
  const later: (() => void)[] = [];
  const session = new TerminalSession(() => (sockets.push(new Socket()), sockets.at(-1)!), { edit: async () => null, act: () => undefined, done: (entry) => void done.push(`${entry.line} ${entry.exit} ${entry.text}`) }, (_ms, task) => void later.push(task));
  session.run("one");
  sockets[0]!.tell({ type: "ready", confined: true });
  session.run("two");
  assert.deepEqual(sockets[0]!.sent.filter((each) => each["type"] === "run").map((each) => each["line"]), ["one"]);
  sockets[0]!.onmessage!({ data: new TextEncoder().encode("hello\r\n").buffer });
  sockets[0]!.tell({ type: "done", exit: 0, cwd: "/lab" });
  assert.deepEqual(done, ["one 0 hello\n"]);
  assert.equal(sockets[0]!.sent.at(-1)!["line"], "two");
  sockets[0]!.tell({ type: "more" });
  session.run("three");
  assert.equal(sockets[0]!.sent.at(-1)!["line"], "two\nthree");
  sockets[0]!.onclose!({ code: 1006 });
  assert.equal(session.state, "connecting");
  assert.equal(session.entries.at(-1)!.exit, 255);
  later[0]!();
  sockets[1]!.tell({ type: "ready", confined: false });
  assert.equal(session.state, "ready");
  assert.equal(session.confined, false);
});
