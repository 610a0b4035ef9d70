/**
 * Whose a line, bar or point is: a strategy's place in the comparison, which gives it its colour in
 * every figure of a page; undefined for what is no strategy's, which is drawn in greys.
 */
export interface Drawn {
  readonly ink?: number;
  /** Ours: drawn the strongest. */
  readonly strong?: boolean;
}

/** A level that matters. */
export interface Level {
  readonly value: number;
  readonly label: string;
  readonly unit?: string;
}

interface LineSeries extends Drawn {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

/** A set of lines. */
export interface LineView {
  readonly name: string;
  /** In place of the figure's label of the axis. */
  readonly y?: string;
  readonly level?: Level;
  readonly series: readonly LineSeries[];
}

/** A chart of lines over one axis. */
export interface LineFigure {
  readonly kind: 'lines';
  readonly title: string;
  readonly note: string;
  readonly x: {
    readonly label: string;
    readonly values: readonly number[];
    /**
     * Where values are hours from a midnight: the date of that day (`2024-05-12`), or the day of
     * the week that stands for it (0 is Sunday).
     */
    readonly firstDay?: string | number;
    /** Values stand at equal distances, and each has its label. */
    readonly even?: boolean;
  };
  readonly y: string;
  readonly log?: boolean;
  /** Several sets of lines to choose from, such as tiers. */
  readonly views: readonly LineView[];
}

/** A chart of grouped bars. */
export interface BarFigure {
  readonly kind: 'bars';
  readonly title: string;
  readonly note: string;
  /** What bars measure, with its unit. */
  readonly y: string;
  readonly usd?: boolean;
  readonly groups: readonly string[];
  /** Whose each group is, where bars of a group are one strategy's. */
  readonly groupInk?: readonly Drawn[];
  readonly series: readonly (Drawn & {
    readonly name: string;
    /** `null` for what is not known. */
    readonly values: readonly (number | null)[];
    /** Half of the 95 % confidence interval, where it is known. */
    readonly halfWidths?: readonly (number | undefined)[];
  })[];
  /** Bars of a group end to end instead of side by side. */
  readonly stacked?: boolean;
  /** Of what bars that are end to end come to. */
  readonly totalHalfWidths?: readonly (number | undefined)[];
}

/** A chart of points over two axes, with a line along those that no other beats. */
export interface ScatterFigure {
  readonly kind: 'scatter';
  readonly title: string;
  readonly note: string;
  readonly x: string;
  readonly y: string;
  /** Levels of y that matter. */
  readonly levels?: readonly Level[];
  /** Points under this y are in the data only. */
  readonly from?: number;
  /** A line along each series, in place of one along all. */
  readonly joined?: boolean;
  readonly series: readonly (Drawn & {
    readonly name: string;
    readonly points: readonly {
      readonly name: string;
      readonly x: number;
      readonly y: number;
      readonly front: boolean;
      readonly best: boolean;
    }[];
  })[];
}

export type Figure = LineFigure | BarFigure | ScatterFigure;
