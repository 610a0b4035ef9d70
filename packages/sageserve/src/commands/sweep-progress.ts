import cliProgress from 'cli-progress';
import { count, decimal, parametersText, type SweepRun, type ThreadState } from '@sageserve/experiments';
import { repeatedly, visible, wallClockMs } from '@sageserve/experiments/console';

const REDRAW_MS = 250;

/** Who is at work: the threads of this process, or nobody here. */
export interface AtWork {
  readonly cores: number;
  threads(): readonly ThreadState<SweepRun>[];
}

/**
 * A live table on a terminal: the whole sweep with its rate and the time left, and what each thread
 * is at. In a pipe a line for each run that ends.
 */
export class SweepProgress {
  readonly #pool: AtWork;
  readonly #total: number;
  readonly #known: number;
  readonly #bars: cliProgress.MultiBar | undefined;
  readonly #whole: cliProgress.SingleBar | undefined;
  readonly #threads: cliProgress.SingleBar[] = [];
  readonly #stopDrawing: (() => void) | undefined;
  readonly #startMs = wallClockMs();
  #done = 0;
  #requests = 0;

  /** `known` of `total` runs were there already. */
  constructor(pool: AtWork, total: number, known: number, show = process.stderr.isTTY) {
    this.#pool = pool;
    this.#total = total;
    this.#known = known;
    if (!show) return;
    this.#bars = new cliProgress.MultiBar(
      { stream: process.stderr, barsize: 24, hideCursor: true, clearOnComplete: true, format: '{bar} {text}' },
      cliProgress.Presets.shades_classic,
    );
    this.#whole = this.#bars.create(1_000, 0, { text: '' });
    for (let t = 0; t < pool.cores; t++) this.#threads.push(this.#bars.create(1_000, 0, { text: '' }));
    this.#stopDrawing = repeatedly(REDRAW_MS, () => {
      this.#draw();
    });
    this.#draw();
  }

  done(run: SweepRun, requests: number, busySeconds: number): void {
    this.#done++;
    this.#requests += requests;
    this.#say(`${nameOf(run)}: ${count(requests)} requests in ${decimal(busySeconds, 1)} s`);
  }

  failed(run: SweepRun, message: string): void {
    this.#done++;
    this.#say(`${nameOf(run)} failed: ${message}`);
  }

  stop(): void {
    this.#stopDrawing?.();
    this.#bars?.stop();
  }

  #say(text: string): void {
    if (this.#bars === undefined) console.error(`[${this.#known + this.#done}/${this.#total}] ${text}`);
    else this.#bars.log(`${visible(text)}\n`);
  }

  #draw(): void {
    const threads = this.#pool.threads();
    const seconds = (wallClockMs() - this.#startMs) / 1_000;
    const begun =
      this.#done + threads.reduce((sum, { item, share }) => sum + (item === undefined ? 0 : (share ?? 0)), 0);
    const toDo = this.#total - this.#known;
    const requests = this.#requests + threads.reduce((sum, thread) => sum + thread.requests, 0);
    const left = begun > 0.05 ? `${count(Math.ceil((seconds / begun) * (toDo - begun)))} s left` : '';
    this.#whole!.update(Math.round((1_000 * (this.#known + begun)) / this.#total), {
      text:
        `${this.#known + this.#done}/${this.#total} runs · ${count(requests / Math.max(seconds, 0.001))} ` +
        `requests/s · ${left}`,
    });
    for (const [t, { item, requests: own, share }] of threads.entries())
      this.#threads[t]!.update(Math.round(1_000 * (share ?? 0)), {
        text: item === undefined ? 'idle' : visible(`${nameOf(item)} · ${count(own)} requests`),
      });
  }
}

function nameOf({ scenario, strategy, parameters, seed }: SweepRun): string {
  const varied = parametersText(parameters);
  return `${scenario}, ${strategy}${varied === '' ? '' : `, ${varied}`}, seed ${seed}`;
}
