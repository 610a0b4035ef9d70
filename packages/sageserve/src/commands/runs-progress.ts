import cliProgress from 'cli-progress';
import { count, type ThreadState } from '@sageserve/experiments';
import { repeatedly, visible, wallClockMs } from '@sageserve/experiments/console';

const REDRAW_MS = 250;
/** In a pipe, where a line can't be drawn again. */
const SAY_MS = 60_000;

/** Who is at work: the threads of this process, or nobody here. */
export interface AtWork<T> {
  readonly cores: number;
  threads(): readonly ThreadState<T>[];
}

export interface RunsProgressOptions<T> {
  readonly total: number;
  /** So many of the total were there already. */
  readonly known?: number;
  /** What else is done besides runs, and takes time as they do. */
  readonly steps?: number;
  readonly nameOf: (item: T) => string;
}

/**
 * A live table on a terminal: all the runs with their rate and the time left, and what each thread
 * is at. In a pipe a line for each run that ends, and one a minute.
 */
export class RunsProgress<T> {
  readonly #atWork: AtWork<T>;
  readonly #total: number;
  readonly #known: number;
  readonly #steps: number;
  readonly #nameOf: (item: T) => string;
  readonly #bars: cliProgress.MultiBar | undefined;
  readonly #whole: cliProgress.SingleBar | undefined;
  readonly #threads: cliProgress.SingleBar[] = [];
  readonly #stopTelling: () => void;
  readonly #startMs = wallClockMs();
  #done = 0;
  #stepsDone = 0;
  #requests = 0;

  constructor(
    atWork: AtWork<T>,
    { total, known = 0, steps = 0, nameOf }: RunsProgressOptions<T>,
    show = process.stderr.isTTY,
  ) {
    this.#atWork = atWork;
    this.#total = total;
    this.#known = known;
    this.#steps = steps;
    this.#nameOf = nameOf;
    if (!show) {
      this.#stopTelling = repeatedly(SAY_MS, () => {
        this.#say(this.#state().text);
      });
      return;
    }
    this.#bars = new cliProgress.MultiBar(
      { stream: process.stderr, barsize: 24, hideCursor: true, clearOnComplete: true, format: '{bar} {text}' },
      cliProgress.Presets.shades_classic,
    );
    this.#whole = this.#bars.create(1_000, 0, { text: '' });
    for (let t = 0; t < atWork.cores; t++) this.#threads.push(this.#bars.create(1_000, 0, { text: '' }));
    this.#stopTelling = repeatedly(REDRAW_MS, () => {
      this.#draw();
    });
    this.#draw();
  }

  /** A run has ended: what is said of it, and how many requests it had. */
  done(text: string, requests: number): void {
    this.#done++;
    this.#requests += requests;
    this.#say(text);
  }

  /** Something else has ended, which nothing is said of. */
  step(): void {
    this.#stepsDone++;
  }

  stop(): void {
    this.#stopTelling();
    this.#bars?.stop();
  }

  #say(text: string): void {
    if (this.#bars === undefined) console.error(`[${this.#known + this.#done}/${this.#total}] ${text}`);
    else this.#bars.log(`${visible(text)}\n`);
  }

  /** Share (0–1) of the whole that is done, and its rate and the time left in words. */
  #state(): { readonly share: number; readonly text: string } {
    const threads = this.#atWork.threads();
    const seconds = (wallClockMs() - this.#startMs) / 1_000;
    const begun =
      this.#done +
      this.#stepsDone +
      threads.reduce((sum, { item, share }) => sum + (item === undefined ? 0 : (share ?? 0)), 0);
    const all = this.#total + this.#steps;
    const toDo = all - this.#known;
    const requests = this.#requests + threads.reduce((sum, thread) => sum + thread.requests, 0);
    const left = begun > 0.05 ? ` · ${count(Math.ceil((seconds / begun) * Math.max(0, toDo - begun)))} s left` : '';
    return {
      share: (this.#known + begun) / all,
      text: `${count(requests / Math.max(seconds, 0.001))} requests/s${left}`,
    };
  }

  #draw(): void {
    const { share: whole, text } = this.#state();
    this.#whole!.update(Math.round(1_000 * whole), {
      text: `${this.#known + this.#done}/${this.#total} runs · ${text}`,
    });
    for (const [t, { item, requests: own, share }] of this.#atWork.threads().entries())
      this.#threads[t]!.update(Math.round(1_000 * (share ?? 0)), {
        text: item === undefined ? 'idle' : visible(`${this.#nameOf(item)} · ${count(own)} requests`),
      });
  }
}
