// The timeline as the page knows it: headings of steps by seq, some of them of a future that was run before and sought back from.
import type { Heading } from "../stream/types";

export class Headings {
  private readonly bySeq = new Map<number, Heading>();
  /** The newest seq of the timeline. */
  last = 0;

  get(seq: number): Heading | undefined {
    return this.bySeq.get(seq);
  }

  /** Takes headings in. Returns the first step that is another one than was known by its number: the timeline has been cut since. */
  put(headings: Iterable<Heading>): number | null {
    let other: number | null = null;
    for (const { seq, time, actor, verb, object, because, explain, routine } of headings) {
      const known = this.bySeq.get(seq);
      if (known && (known.time !== time || known.actor !== actor || known.verb !== verb || known.object !== object)) other = Math.min(other ?? seq, seq);
      this.bySeq.set(seq, { seq, time, actor, verb, object, because, explain, routine });
      if (seq > this.last) this.last = seq;
    }
    return other;
  }

  /** The timeline now ends at `last`; what was after it will not happen. */
  end(last: number): void {
    for (let seq = last + 1; seq <= this.last; seq++) this.bySeq.delete(seq);
    this.last = last;
  }

  clear(): void {
    this.bySeq.clear();
    this.last = 0;
  }

  /** The chain of causes of a step, itself first. */
  why(seq: number): Heading[] {
    const chain: Heading[] = [];
    for (let step = this.get(seq); step && chain.length < 60; step = step.because && step.because < step.seq ? this.get(step.because) : undefined) chain.push(step);
    return chain;
  }

  /** The newest steps up to `seq` that satisfy a test, newest first. */
  newest(seq: number, most: number, test: (heading: Heading) => boolean): Heading[] {
    const found: Heading[] = [];
    for (let at = Math.min(seq, this.last), misses = 0; at > 0 && found.length < most && misses < 5000; at--) {
      const heading = this.get(at);
      if (heading && test(heading)) found.push(heading);
      else misses++;
    }
    return found;
  }

  /** The first seq of the run of unknown headings that ends before `seq`; null when all are known. */
  missingBefore(seq: number): { from: number; to: number } | null {
    let to = Math.min(seq, this.last);
    while (to > 0 && this.bySeq.has(to)) to--;
    if (to < 1) return null;
    let from = to;
    while (from > 1 && !this.bySeq.has(from - 1) && to - from < 500) from--;
    return { from, to };
  }
}
