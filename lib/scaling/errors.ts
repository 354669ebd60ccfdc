/** What is wrong with the data or with the call, for people: no stack trace is needed to understand it. */
export class ScalingError extends Error {
  override name = 'ScalingError';
}
