/** The one error of lib/music: what cannot be read, and why, in music's terms. */
export class MusicError extends Error {
  override name = 'MusicError';
}
