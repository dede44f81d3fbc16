// Fetches what a lens shows beside what the stream carries, once things have been still for a moment, and not more often than it can
// be seen to change.
import { fetchAccess, fetchInside, fetchLoops, fetchOwners, fetchUsage } from "../lab/api";
import type { Lab } from "../lab/lab";
import { OneAtATime } from "../lab/oneAtATime";
import { nodeOf } from "../stage/board";
import type { Scene } from "../stage/scene";

const EVERY_MS = 900;
const FIRST_MS = 40;
/** With more nodes than this use is not drawn. */
const MOST_MEASURED = 40;

export class Extras {
  private timer = 0;
  private known = "";
  private at = 0;
  private readonly asking = new OneAtATime(() => this.fetch());

  constructor(private readonly lab: Lab, private readonly scene: Scene, private readonly wake: () => void) {}

  /** Something may have changed. */
  due(): void {
    if (this.timer || this.version === this.known) return;
    const wait = Math.max(FIRST_MS, this.at + EVERY_MS - performance.now());
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      this.asking.ask();
    }, this.known.startsWith(`${this.scene.lens} `) ? wait : FIRST_MS);
  }

  private get version(): string {
    return `${this.scene.lens} ${this.lab.player.state.seq} ${this.scene.lens === "node" ? this.node : ""}`;
  }

  private get node(): string {
    return nodeOf(this.scene.index, this.scene.focus);
  }

  private async fetch(): Promise<void> {
    const version = this.version, { lens } = this.scene, { id } = this.lab.options;
    this.at = performance.now();
    this.known = version;
    try {
      if (lens === "control-plane" || lens === "scheduling") this.scene.looped(await fetchLoops(id));
      if (lens === "access") this.scene.informed({ access: await fetchAccess(id) });
      if (lens === "ownership") this.scene.informed({ owners: await fetchOwners(id) });
      if (lens === "node") {
        const { node } = this, inside = await fetchInside(id, node);
        if (node === this.node) this.scene.informed({ inside });
      }
      if (this.scene.at.nodes.size && this.scene.at.nodes.size <= MOST_MEASURED) this.scene.measured(await fetchUsage(id));
    } catch {
      // What cannot be had now is asked for again with the next change.
    }
    this.wake();
    if (this.version !== version) this.due();
  }
}
