// A cluster in a link: what is packed comes back, and what strangers make of a link is refused.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { contents, pack, unpack } from "../../static/src/lab/share";

const scenario = { seed: 7, nodes: [{ name: "node-1", labels: { disk: "ssd" } }], manifests: [{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "größe", namespace: "shop" }, data: { a: "b" } }] };
const linkOf = (bytes: Uint8Array): string => `c1=${Buffer.from(bytes).toString("base64url")}`;

test("a packed cluster comes back", async () => {
  const link = await pack({ scenario, name: "mine" });
  assert.match(link, /^c1=[\w-]+$/);
  assert.deepEqual(await unpack(`#${link}`), { scenario, name: "mine" });
  assert.deepEqual(contents(scenario), { nodes: 1, objects: ["ConfigMap shop/größe"] });
});

test("links that are none are refused", async () => {
  const link = await pack({ scenario, name: "" });
  for (const bad of ["", "#x", "#c1=", `${link.slice(0, -9)}`, `${link}!`, linkOf(Buffer.from("plain")), linkOf(deflateRawSync("[]")), linkOf(deflateRawSync('{"scenario": [1]}'))]) {
    await assert.rejects(unpack(bad), /damaged|no cluster/, bad);
  }
});

test("a link unfolds into no more than a page can hold", async () => {
  await assert.rejects(unpack(linkOf(deflateRawSync(Buffer.alloc(20_000_000, 32)))), /too large/);
  const noise = Array.from({ length: 30_000 }, (_, at) => String((at * 7919 * 7919) % 1000003)).join("");
  await assert.rejects(pack({ scenario: { noise }, name: "" }), /too large/);
});
