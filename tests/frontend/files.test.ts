// Files that are dropped: archives are unpacked within bounds, damaged ones are refused, texts become one.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { joined, manifestsOf, unzip } from "../../static/src/lab/files";

/** A zip archive of some files, each stored or deflated. */
function zip(files: [string, Buffer, boolean][]): Uint8Array {
  const parts: Buffer[] = [], directory: Buffer[] = [];
  let at = 0;
  for (const [name, data, deflated] of files) {
    const body = deflated ? deflateRawSync(data) : data, label = Buffer.from(name);
    const local = Buffer.alloc(30), entry = Buffer.alloc(46);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(label.length, 26);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(deflated ? 8 : 0, 10);
    entry.writeUInt32LE(body.length, 20);
    entry.writeUInt16LE(label.length, 28);
    entry.writeUInt32LE(at, 42);
    parts.push(local, label, body);
    directory.push(entry, label);
    at += 30 + label.length + body.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

const web = Buffer.from("---\nkind: Deployment\n"), readme = Buffer.from("# read me");

test("an archive gives its manifests", async () => {
  const bytes = zip([["app/b.yaml", web, true], ["app/README.md", readme, false], ["__MACOSX/app/._b.yaml", readme, false], ["a.json", Buffer.from("{}"), false]]);
  assert.deepEqual(await unzip(bytes), [{ name: "app/b.yaml", text: "---\nkind: Deployment\n" }, { name: "a.json", text: "{}" }]);
  const files = await manifestsOf([new File([bytes as BlobPart], "all.zip"), new File([web], "c.yml"), new File(["x"], "no.txt")]);
  assert.deepEqual(files.map((one) => one.name), ["a.json", "app/b.yaml", "c.yml"]);
  assert.equal(joined(files), "{}\n---\nkind: Deployment\n---\nkind: Deployment\n");
});

test("archives that are damaged or too much are refused", async () => {
  const good = zip([["a.yaml", web, true]]);
  const directory = Buffer.from(good).indexOf(Buffer.from("504b0102", "hex"));
  const torn = Buffer.from(good);
  torn.writeUInt32LE(0xfffffff0, directory + 42);
  for (const bad of [Buffer.from("hello"), good.subarray(0, good.length - 30), torn]) await assert.rejects(unzip(new Uint8Array(bad)), /damaged/);
  await assert.rejects(unzip(zip([["bomb.yaml", Buffer.alloc(30_000_000, 32), true]])), /too large/);
  await assert.rejects(unzip(zip(Array.from({ length: 501 }, (_, at): [string, Buffer, boolean] => [`${at}.yaml`, web, false]))), /too large/);
});
