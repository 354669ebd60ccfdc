/** The error of lib/music: the input cannot be converted. The message gives the reason in musical terms. */
export class MusicError extends Error {
  override name = 'MusicError';
}
