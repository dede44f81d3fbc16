// A lab with the same past and a future of its own, in a tab of its own.
import { forkLab } from "../lab/api";
import type { Lab } from "../lab/lab";
import { recall, remember } from "../lab/remember";

const MOST = 8;

/** The forks made here of a lab, newest first. */
export const forksOf = (lab: Lab): string[] => JSON.parse(recall(`forks.${lab.options.id}`) ?? "[]") as string[];

export async function fork(lab: Lab): Promise<void> {
  try {
    const made = await forkLab(lab.options.id, lab.player.state.seq);
    remember(`forks.${lab.options.id}`, JSON.stringify([made.id, ...forksOf(lab)].slice(0, MOST)));
    remember(`forks.${made.id}`, JSON.stringify([lab.options.id]));
    lab.tell("debug");
    window.open(made.url, "_blank", "noopener");
  } catch (error) {
    lab.say(error instanceof Error ? error.message : String(error));
  }
}
