// What a moment inside a step is, as a sentence.
import { t } from "../i18n/t";
import type { Beat } from "../stage/choreography";
import { STAGES } from "../stage/layoutControl";
import { nameOf } from "../stream/views";
import { requestTitle } from "../stage/travel";
import { actorName } from "../lab/words";

const STAGE_WORDS: Record<string, string> = {
  authentication: "Who is asking?", authorization: "May they do this?", mutating: "Admission may change the object.", schema: "Is it well-formed?",
  validating: "Admission may refuse it.", storage: "It is written to etcd, by majority.", watch: "Everyone who watches is told.",
};

export function sentenceOfBeat(beat: Beat): string {
  switch (beat.kind) {
    case "ask":
      return t("{who} asks the API server: {request} ({object})", { who: actorName(beat.actor), request: requestTitle(beat.span.verb, beat.span.object), object: beat.span.object });
    case "stage": {
      const name = STAGES[beat.stage]!;
      return [`${name}:`, t(STAGE_WORDS[name] ?? ""), beat.why || (beat.ok ? "" : t("Refused."))].filter(Boolean).join(" ");
    }
    case "raft":
      return t("etcd: {from} sends {to} {type} {summary}", { type: beat.message[0], from: beat.message[1], to: beat.message[2], summary: beat.message[3] });
    case "answer":
      return t("The API server answers {code}.", { code: beat.code });
    case "call":
      return t("The API server calls the webhook {name} at {pod}: {outcome}", { name: beat.name, pod: beat.pod ? nameOf(beat.pod) : t("nobody"), outcome: beat.ok ? t("answered") : t("refused or no answer") });
    case "inside":
      return t("{from} tells {to}", { from: beat.from, to: beat.to });
    default:
      return "";
  }
}
