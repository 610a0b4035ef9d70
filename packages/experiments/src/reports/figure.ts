/** A chart of lines over one axis. */
export interface LineFigure {
  readonly kind: 'lines';
  readonly title: string;
  readonly note: string;
  readonly x: { readonly label: string; readonly values: readonly number[]; readonly log?: boolean };
  readonly y: string;
  readonly log?: boolean;
  /** Several sets of lines to choose from, such as tiers. */
  readonly views: readonly {
    readonly name: string;
    readonly series: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
  }[];
}

/** A chart of grouped bars. */
export interface BarFigure {
  readonly kind: 'bars';
  readonly title: string;
  readonly note: string;
  readonly y: string;
  readonly groups: readonly string[];
  readonly series: readonly { readonly name: string; readonly values: readonly number[] }[];
  /** Bars of a group end to end instead of side by side. */
  readonly stacked?: boolean;
}

/** A chart of points over two axes, with a line along those that no other beats. */
export interface ScatterFigure {
  readonly kind: 'scatter';
  readonly title: string;
  readonly note: string;
  readonly x: string;
  readonly y: string;
  /** A level of y that matters. */
  readonly line?: number;
  readonly lineLabel?: string;
  /** A line along each series, in place of one along all. */
  readonly joined?: boolean;
  readonly series: readonly {
    readonly name: string;
    readonly points: readonly {
      readonly name: string;
      readonly x: number;
      readonly y: number;
      readonly front: boolean;
      readonly best: boolean;
    }[];
  }[];
}

export type Figure = LineFigure | BarFigure | ScatterFigure;
