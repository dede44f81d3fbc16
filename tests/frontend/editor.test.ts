// The manifest editor without CodeMirror: where a place is, what may stand there, what is wrong, what a field means.
import assert from "node:assert/strict";
import { test } from "node:test";
import { problemsOf } from "../../static/src/editor/check";
import { optionsAt } from "../../static/src/editor/complete";
import { hoverAt } from "../../static/src/editor/hover";
import { Openapi } from "../../static/src/editor/openapi";
import { documentsOf, lineOfPath } from "../../static/src/editor/tree";
import { whereIs } from "../../static/src/editor/where";
import { phrases, useWords } from "../../static/src/editor/words";
import "../../static/src/i18n/words";
import { t, useLanguage } from "../../static/src/i18n/t";

const schemas = {
  Deployment: {
    type: "object", "x-kubernetes-group-version-kind": [{ group: "apps", version: "v1", kind: "Deployment" }],
    properties: { apiVersion: { type: "string" }, kind: { type: "string" }, metadata: { allOf: [{ $ref: "#/components/schemas/Meta" }] }, spec: { description: "What is wanted.", allOf: [{ $ref: "#/components/schemas/Spec" }] }, status: { type: "object" } },
  },
  Meta: { type: "object", properties: { name: { type: "string", description: "Its name." }, labels: { type: "object", additionalProperties: { type: "string" } } } },
  Spec: { type: "object", required: ["template"], properties: { replicas: { type: "integer", format: "int32", default: 1, description: "How many." }, paused: { type: "boolean" }, template: { $ref: "#/components/schemas/Template" } } },
  Template: { type: "object", properties: { containers: { type: "array", items: { $ref: "#/components/schemas/Container" } }, restartPolicy: { type: "string", enum: ["Always", "Never"] } } },
  Container: { type: "object", required: ["name"], properties: { name: { type: "string" }, image: { type: "string" }, port: { "x-kubernetes-int-or-string": true, oneOf: [] }, args: { type: "array", items: { type: "string" } } } },
};
const openapi = new Openapi("/kube/k/openapi/v3", async (address) =>
  address.endsWith("/v3") ? { paths: { "api/v1": { serverRelativeURL: "/openapi/v3/api/v1?hash=1" }, "apis/apps/v1": { serverRelativeURL: "/kube/k/openapi/v3/apis/apps/v1?hash=2" }, version: { serverRelativeURL: "/x" } } } : { components: { schemas } });

const HEAD = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n";
const offered = async (text: string): Promise<string[]> => (await optionsAt(text.replace("|", ""), text.indexOf("|"), openapi)).map((each) => each.label);

test("where a place is", () => {
  const at = (text: string): (string | number)[] => whereIs(text.replace("|", ""), text.indexOf("|")).path;
  assert.deepEqual(at("a:\n  b:\n    c|"), ["a", "b"]);
  assert.deepEqual(at("a:\n- b: 1\n  c|"), ["a", 0]);
  assert.deepEqual(at("a:\n  - b: 1\n  - c|"), ["a", 1]);
  assert.deepEqual(at("a:\n  - b: 1\n    c:\n      d|"), ["a", 0, "c"]);
  assert.deepEqual(at("x: 1\n---\na:\n  b|"), ["a"]);
  assert.deepEqual(at("a:\n  b: 1\nc|"), []);
});

test("completion knows the schema", async () => {
  assert.deepEqual(await offered(`${HEAD}spec:\n  |`), ["replicas", "paused", "template"]);
  assert.deepEqual(await offered(`${HEAD}spec:\n  replicas: 3\n  |`), ["paused", "template"]);
  assert.deepEqual(await offered(`${HEAD}spec:\n  template:\n    containers:\n    - name: a\n      |`), ["image", "port", "args"]);
  assert.deepEqual(await offered(`${HEAD}spec:\n  template:\n    containers:\n    - |`), ["name", "image", "port", "args"]);
  assert.deepEqual(await offered(`${HEAD}spec:\n  template:\n    restartPolicy: |`), ["Always", "Never"]);
  assert.deepEqual(await offered(`${HEAD}spec:\n  paused: |`), ["true", "false"]);
  assert.deepEqual(await offered("apiVersion: |"), ["v1", "apps/v1"]);
  assert.deepEqual(await offered("apiVersion: apps/v1\nkind: |"), ["Deployment"]);
  assert.deepEqual(await offered(`${HEAD}# spec |`), []);
});

test("mistakes are found where they are", async () => {
  const text = `${HEAD}spec:\n  replicsa: 3\n  replicas: "3"\n  replicas: 2\n  template:\n    restartPolicy: Sometimes\n    containers:\n    - image: 5\n      port: 80\n      args: [a]\n`;
  const found = (await problemsOf(text, openapi)).map(({ from, to, message }) => `${text.slice(from, to)} | ${message}`);
  assert.deepEqual(found, [
    "replicsa | unknown field spec.replicsa (did you mean replicas?)",
    '"3" | spec.replicas: whole number wanted, not a string',
    "replicas | spec.replicas is there twice",
    "Sometimes | spec.template.restartPolicy: must be one of Always, Never",
    '5 | spec.template.containers[0].image: string wanted: write "5" in quotes',
    "image | spec.template.containers[0].name is required",
  ]);
  assert.deepEqual((await problemsOf("apiVersion: apps/v1\nkind: Deploiment\n", openapi)).map((each) => each.message), ["apps/v1 has no kind Deploiment"]);
  assert.deepEqual((await problemsOf("apiVersion: nope/v1\nkind: X\n", openapi)).map((each) => each.message), ["this cluster has no nope/v1"]);
  assert.deepEqual(await problemsOf(`${HEAD}spec:\n  template: {}\n---\n# nothing\n`, openapi), []);
});

test("a field explains itself", async () => {
  const text = `${HEAD}spec:\n  replicas: 3\n`;
  assert.deepEqual(await hoverAt(text, text.indexOf("replicas") + 2, openapi), { from: text.indexOf("replicas"), to: text.indexOf("replicas") + 8, title: "replicas  integer", text: "How many.\nDefault: 1" });
  assert.equal((await hoverAt(text, text.indexOf("spec"), openapi))?.text, "What is wanted.");
  assert.equal(await hoverAt(text, text.length, openapi), null);
});

test("odd texts are read as far as they go", () => {
  for (const text of ["", "---\n---", "a", "- - a", "a:\n\tb: 1", "{a: 1}", "a: |\n  b: c\n  d", "a:\n- b\n-\n  c: 1", ": : :", "- a: 1\n b: 2", "a: &x 1\nb: *x", '"k": v'.repeat(3)]) {
    assert.ok(documentsOf(text).length >= 1, text);
    for (let at = 0; at <= text.length; at++) whereIs(text, at);
  }
  const text = "a: 1\n---\nspec:\n  list:\n  - x: 1\n  - y: 2\n";
  assert.equal(text.slice(lineOfPath(text, 1, "spec.list[1].y"), lineOfPath(text, 1, "spec.list[1].y") + 1), "y");
  assert.equal(lineOfPath(text, 7, "a"), 0);
});

test("the page that loads the editor says how its words are translated", async () => {
  const text = `${HEAD}spec:\n  replicas: many\n  tempalte: {}\n`;
  const english = (await problemsOf(text, openapi)).map((each) => each.message);
  useLanguage("de");
  useWords(t);
  assert.deepEqual((await problemsOf(text, openapi)).map((each) => each.message), [
    "spec.replicas: erwartet wird eine ganze Zahl, nicht many", "unbekanntes Feld spec.tempalte (meinten Sie template?)", "spec.template ist erforderlich",
  ]);
  assert.equal((await hoverAt(text, text.indexOf("replicas") + 1, openapi))?.text, "How many.\nVorgabe: 1");
  assert.equal(phrases()["Go to line"], "Gehe zu Zeile");
  useLanguage("en");
  assert.deepEqual((await problemsOf(text, openapi)).map((each) => each.message), english);
});
