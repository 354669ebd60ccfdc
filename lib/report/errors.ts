/** Thrown if the data of a report cannot be put into a page. The message is for people. */
export class ReportError extends Error {
  override readonly name = 'ReportError';
}
