/**
 * Puts the arrivals of one span of time in order: a counting sort into about as many buckets as
 * there are arrivals, then insertion within each. Linear for arrivals that are spread out, and
 * still right for those that are not. Equal times keep the order in which they were added.
 */
export class TimeSorter {
  length = 0;
  sortedTimes = new Float64Array(1_024);
  sortedTags = new Int32Array(1_024);
  #times = new Float64Array(1_024);
  #tags = new Int32Array(1_024);
  #starts = new Int32Array(1_025);
  #startMs = 0;
  #endMs = 0;

  clear(startMs: number, endMs: number): void {
    this.length = 0;
    this.#startMs = startMs;
    this.#endMs = endMs;
  }

  /** A time from the span, its end included. */
  add(atMs: number, tag: number): void {
    if (this.length === this.#times.length) this.#grow();
    this.#times[this.length] = atMs;
    this.#tags[this.length++] = tag;
  }

  sort(): void {
    const n = this.length;
    const times = this.#times;
    const starts = this.#starts;
    const sorted = this.sortedTimes;
    const tags = this.sortedTags;
    const scale = n / (this.#endMs - this.#startMs);
    const last = n - 1;
    starts.fill(0, 0, n + 1);
    for (let i = 0; i < n; i++) starts[Math.min(last, Math.floor((times[i] - this.#startMs) * scale)) + 1]++;
    for (let b = 1; b <= n; b++) starts[b] += starts[b - 1];
    for (let i = 0; i < n; i++) {
      const at = starts[Math.min(last, Math.floor((times[i] - this.#startMs) * scale))]++;
      sorted[at] = times[i];
      tags[at] = this.#tags[i];
    }
    for (let i = 1; i < n; i++) {
      const time = sorted[i];
      if (sorted[i - 1] <= time) continue;
      const tag = tags[i];
      let at = i;
      for (; at > 0 && sorted[at - 1] > time; at--) {
        sorted[at] = sorted[at - 1];
        tags[at] = tags[at - 1];
      }
      sorted[at] = time;
      tags[at] = tag;
    }
  }

  #grow(): void {
    const capacity = this.#times.length * 2;
    const times = new Float64Array(capacity);
    times.set(this.#times);
    this.#times = times;
    const tags = new Int32Array(capacity);
    tags.set(this.#tags);
    this.#tags = tags;
    this.sortedTimes = new Float64Array(capacity);
    this.sortedTags = new Int32Array(capacity);
    this.#starts = new Int32Array(capacity + 1);
  }
}
