/** An error in the points or options of a fit. Its message is written for people, so no stack trace is needed. */
export class ScalingError extends Error {
  override readonly name = 'ScalingError';
}

/** An error in a CSV table. Its message names the file, the line and the column. */
export class TableError extends Error {
  override readonly name = 'TableError';
}
