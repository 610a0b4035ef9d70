/** What the page of a backtest draws. */
export interface BacktestData {
  readonly source: string;
  /** Unit of every series. */
  readonly unit: string;
  readonly series: readonly BacktestSeries[];
}

/** One model in one region, as it was forecast and as it came. */
export interface BacktestSeries {
  readonly name: string;
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly actual: readonly (number | null)[];
  readonly methods: readonly {
    readonly name: string;
    readonly summary: Readonly<Record<string, string>>;
    readonly median: readonly (number | null)[];
    readonly low: readonly (number | null)[];
    readonly high: readonly (number | null)[];
    readonly answeredBy: readonly string[];
  }[];
}
