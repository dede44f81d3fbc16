// What steps say is said in the reader's language, with the values in their places; what is not known stays.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { clauses, sentences } from "../../static/src/i18n/de/sentences";
import { sentence } from "../../static/src/i18n/sentences";
import "../../static/src/i18n/words";
import { useLanguage } from "../../static/src/i18n/t";

afterEach(() => useLanguage("en"));

const SAID: [string, string][] = [
  ["kube-scheduler binds web-1 to node-2: of the 3 nodes that fit it has the image already (score 595 to 492 and 490).", "kube-scheduler bindet web-1 an node-2: Unter den 3 Nodes, die passen, hat er das Image schon (Punkte: 595 gegen 492 und 490)."],
  ["The kubelet on node-1 sees to pod web-1: the image shop/web:v1 has been pulled; container web was started again; something new.", "Das Kubelet auf node-1 kümmert sich um Pod web-1: das Image shop/web:v1 ist geladen; Container web wurde neu gestartet; something new."],
  ["kubectl asks the API server to create pods/default/web; it refuses at schema: Pod \"web\" is invalid: a. B", "kubectl bittet den API-Server um create pods/default/web; er lehnt ab (schema): Pod \"web\" is invalid: a. B"],
  ["etcd-1 becomes leader in term 3 with 2 of 3 votes. etcd-2 follows etcd-1 in term 3.", "etcd-1 wird Leader in Amtszeit 3, mit 2 von 3 Stimmen. etcd-2 folgt etcd-1 in Amtszeit 3."],
  ["The kubelet on node-2 stops: no heartbeats, no status. The containers there go on.", "Das Kubelet auf node-2 hält an: keine Heartbeats, kein Status. Die Container dort laufen weiter."],
  ["The StatefulSet db creates db-0: the pods before it are well. The StatefulSet db creates db-1: the pods before it are well.", "Das StatefulSet db macht db-0: Den Pods davor geht es gut. Das StatefulSet db macht db-1: Den Pods davor geht es gut."],
  ["Somebody says this. ReplicaSet web-5 wants 3 pods, so it creates 3.", "Somebody says this. ReplicaSet web-5 will 3 Pods, also macht es 3."],
  ["The node controller notes of node-3: Node node-3 status is now: NodeNotReady. The 6 pods of node node-3 no longer count as ready.", "Der Node-Controller vermerkt zu node-3: Node node-3 status is now: NodeNotReady. Die 6 Pods von Node node-3 gelten nicht mehr als bereit."],
  ["Nobody has translated this.", "Nobody has translated this."],
];

test("sentences of steps in German", () => {
  useLanguage("de-CH");
  for (const [english, german] of SAID) assert.equal(sentence(english), german);
  useLanguage("en");
  for (const [english] of SAID) assert.equal(sentence(english), english);
});

test("each template is found by itself, with the values in their places", () => {
  useLanguage("de");
  for (const [english, german] of [...sentences, ...clauses]) {
    const places = [...english.matchAll(/\{(\d+)[;*]?\}/g)].map((each) => Number(each[1]));
    assert.deepEqual(places, places.map((_, at) => at), english);
    assert.deepEqual([...german.matchAll(/\{(\d+)\}/g)].map((each) => Number(each[1])).sort(), [...places].sort(), english);
    const fill = (text: string): string => text.replace(/\{(\d+)[;*]?\}/g, (_, at: string) => `value-${at}`);
    const inside = clauses.some(([each]) => each === english);
    if (inside) assert.equal(sentence(`The kubelet on a syncs pod b: ${fill(english)}.`), `Das Kubelet auf a gleicht Pod b ab: ${fill(german)}.`);
    else assert.equal(sentence(fill(english)), fill(german));
  }
});
