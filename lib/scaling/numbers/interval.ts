/** The intervals of fitted values. */

/** A confidence interval. */
export type Interval = [low: number, high: number];

/** An interval of α. Its upper end is null if the data set α no bound. */
export type AlphaInterval = [low: number, high: number | null];
