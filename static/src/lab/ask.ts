// "Ask the class": before a pod gets its node, the picture stands still until somebody has said which one it will be.
import { t } from "../i18n/t";
import type { Frame } from "../stream/types";
import { nameOf, type PodView } from "../stream/views";
import { fetchDecision, type DecisionAnswer } from "./api";
import type { Lab } from "./lab";

export class Ask {
  on = false;
  /** Right guesses, and all. */
  right = 0;
  count = 0;
  /** The decision that is asked for. */
  decision: DecisionAnswer | null = null;
  pod = "";
  private asked = 0;

  constructor(private readonly lab: Lab) {}

  toggle(on = !this.on): void {
    this.on = on;
    if (!on) this.release();
    this.lab.player.gate = on ? (frame) => this.holds(frame) : () => false;
    this.lab.tell("ask");
  }

  /** Whether a step gives a pod its node, so that it can be asked which. */
  private holds(frame: Frame): boolean {
    if (frame.actor !== "kube-scheduler") return false;
    const bound = Object.entries(frame.objects).find(([key, view]) => key.startsWith("pods/") && view && (view as PodView).node && !(this.lab.player.state.objects[key] as PodView | undefined)?.node);
    if (!bound) return false;
    if (this.pod !== bound[0]) {
      this.pod = bound[0];
      this.decision = null;
      void this.decide(bound[0]);
    }
    this.lab.tell("ask");
    return true;
  }

  /** Fetches how the scheduler decided; where that cannot be known, the step is shown. The class may have been asked another thing meanwhile. */
  private async decide(pod: string): Promise<void> {
    const asked = ++this.asked;
    const decision = await fetchDecision(this.lab.options.id, pod.slice("pods/".length)).catch(() => null);
    if (asked !== this.asked) return;
    if (!decision) return this.release();
    this.decision = decision;
    this.lab.tell("ask");
  }

  /** The timeline has jumped: what was asked is asked no more. */
  forget(): void {
    if (!this.pod) return;
    this.asked++;
    this.pod = "";
    this.decision = null;
    this.lab.tell("ask");
  }

  /** Somebody says which node it will be; "" where nobody will. */
  guess(node: string): void {
    const { decision } = this;
    if (!this.lab.player.gated || !decision) return;
    const chosen = decision.chosen ?? "";
    const refusal = decision.filtered[node];
    if (node) this.count++;
    if (node === chosen) this.right++;
    const why = refusal ? t("{node} was filtered out by {plugin}: {reason}.", { node, plugin: refusal[0], reason: refusal[1] })
      : decision.ties?.includes(node) && node !== chosen ? t("{node} was as good: {chosen} was drawn.", { node, chosen })
      : node && node !== chosen ? t("{node} has {score}, {chosen} has {most}.", { node, score: decision.final[node] ?? 0, chosen, most: decision.final[chosen] ?? 0 }) : "";
    this.lab.say(node === chosen ? t("Right: {node}. {right} of {count} so far.", { node: chosen, right: this.right, count: this.count }) : `${t("It is {node}.", { node: chosen })} ${why}`);
    this.release();
  }

  private release(): void {
    this.asked++;
    this.pod = "";
    this.decision = null;
    this.lab.player.release();
    this.lab.tell("ask");
    this.lab.tell("state");
  }

  /** What is asked, as a sentence. */
  get question(): string {
    return t("Ask the class: on which node will {pod} run? Choose it on the stage.", { pod: nameOf(this.pod) });
  }
}
