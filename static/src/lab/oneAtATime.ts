// Work that asks the server, done one at a time: what is asked for meanwhile is done once more afterwards. So answers cannot overtake
// each other, the last one is of the last state, and a slow server is not asked faster than it answers.
export class OneAtATime {
  private running = false;
  private again = false;

  constructor(private readonly work: () => Promise<void>) {}

  /** Does the work, now or once more after what is under way. */
  ask(): void {
    if (this.running) this.again = true;
    else void this.run();
  }

  private async run(): Promise<void> {
    this.running = true;
    try {
      do {
        this.again = false;
        await this.work();
      } while (this.again);
    } finally {
      this.running = false;
    }
  }
}
