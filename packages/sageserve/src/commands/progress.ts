import type { SkippedRows } from '@sageserve/trace';
import cliProgress from 'cli-progress';
import { count } from '@sageserve/experiments';
import { visible, wallClockMs, yieldToEventLoop } from '@sageserve/experiments/console';

/** Batches between two turns of the event loop: often enough for Ctrl-C, too seldom to cost. */
const BATCHES_PER_TURN = 32;
const REDRAW_MS = 200;
/** In a pipe, where a line can't be drawn again. */
const SAY_MS = 60_000;

/**
 * A line on a terminal's standard error with what is done, the rate and the time left; in a pipe
 * such a line once a minute.
 */
export class Progress {
  readonly #label: string;
  readonly #unit: string;
  readonly #bar: cliProgress.SingleBar | undefined;
  readonly #startMs = wallClockMs();
  #drawnMs = -Infinity;
  #saidMs = this.#startMs;
  #batches = 0;

  constructor(label: string, unit: string, show = process.stderr.isTTY) {
    this.#label = visible(label);
    this.#unit = unit;
    if (!show) return;
    this.#bar = new cliProgress.SingleBar(
      {
        stream: process.stderr,
        format: '{label} {bar} {done} {unit} · {rate}/s · {left}',
        barsize: 24,
        hideCursor: true,
        clearOnComplete: true,
      },
      cliProgress.Presets.shades_classic,
    );
    this.#bar.start(1_000, 0, { label: this.#label, unit, done: '0', rate: '–', left: '' });
  }

  /**
   * Reports `done` units and the share (0–1) of the whole, where it is known. Await the promise
   * where there is one.
   */
  update(done: number, share: number | undefined): Promise<void> | undefined {
    const nowMs = wallClockMs();
    const seconds = (nowMs - this.#startMs) / 1_000;
    const timeLeft = (): string =>
      share !== undefined && share > 0.01 ? `${count(Math.ceil((seconds / share) * (1 - share)))} s left` : '';
    if (this.#bar === undefined && nowMs - this.#saidMs >= SAY_MS) {
      this.#saidMs = nowMs;
      const known = share === undefined ? '' : `, ${Math.floor(100 * share)} %`;
      const left = timeLeft() === '' ? '' : `, ${timeLeft()}`;
      console.error(`${this.#label}: ${count(done)} ${this.#unit}${known}${left}`);
    }
    if (this.#bar !== undefined && nowMs - this.#drawnMs >= REDRAW_MS) {
      this.#drawnMs = nowMs;
      this.#bar.update(Math.round(1_000 * (share ?? 0)), {
        label: this.#label,
        unit: this.#unit,
        done: count(done),
        rate: seconds > 0 ? count(done / seconds) : '–',
        left: timeLeft(),
      });
    }
    return ++this.#batches % BATCHES_PER_TURN === 0 ? yieldToEventLoop() : undefined;
  }

  stop(): void {
    this.#bar?.stop();
  }
}

/** Says on standard error how many rows of a trace were left out, and shows some. */
export function reportSkippedRows(skipped: SkippedRows): void {
  if (skipped.count === 0) return;
  console.error(`left out ${count(skipped.count)} bad row${skipped.count === 1 ? '' : 's'}, of which the first:`);
  for (const example of skipped.examples.slice(0, 3)) console.error(`  ${example.message}`);
}
