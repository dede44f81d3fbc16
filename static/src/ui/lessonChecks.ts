// How far the tasks of the lesson are: one fetch serves all elements of the page.
import { fetchChecks } from "../lab/api";
import { OneAtATime } from "../lab/oneAtATime";
import { currentLab } from "./element";

export interface Check {
  text: string;
  done: boolean;
  message?: string;
}

export interface Task {
  id: string;
  text: string;
  done: boolean;
  checks: Check[];
}

const EVERY_MS = 500;

class Checks {
  tasks = new Map<string, Task>();
  /** Set while a chain of causes is replayed: what has been done stays done, though the stage shows a moment before it. */
  replaying = false;
  private readonly listeners = new Set<() => void>();
  private timer = 0;
  private started = false;
  private readonly asking = new OneAtATime(() => this.fetch());

  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    if (!this.started) {
      this.started = true;
      currentLab().on(["state", "mode", "connection"], () => this.later());
      this.later();
    }
    return () => this.listeners.delete(listener);
  }

  get allDone(): boolean {
    return this.tasks.size > 0 && [...this.tasks.values()].every((task) => task.done);
  }

  private later(): void {
    this.timer ||= window.setTimeout(() => {
      this.timer = 0;
      this.asking.ask();
    }, EVERY_MS);
  }

  private async fetch(): Promise<void> {
    try {
      const answer = (await fetchChecks(currentLab().options.id)) as { tasks: Task[]; past: boolean };
      if (this.replaying && answer.past) return;
      this.tasks = new Map(answer.tasks.map((task) => [task.id, task]));
      for (const listener of this.listeners) listener();
    } catch {
      // The next change asks again.
    }
  }
}

export const checks = new Checks();
