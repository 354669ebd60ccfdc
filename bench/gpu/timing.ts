/** Times work on a GPU in blocks, and waits for the GPU at the end of each. */

export const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Seconds of one unit of work, the mean of each of several blocks, as in peers.py. */
export async function blocks(work: (n: number) => Promise<unknown>, seconds: number): Promise<number[]> {
  await work(3);
  let start = performance.now();
  await work(2);
  const each = (performance.now() - start) / 2000;
  const n = Math.max(1, Math.min(200, Math.round(seconds / 10 / each)));
  const times: number[] = [];
  const begin = performance.now();
  while (times.length < 3 || (times.length < 40 && performance.now() - begin < seconds * 1000)) {
    start = performance.now();
    await work(n);
    times.push((performance.now() - start) / 1000 / n);
  }
  return times;
}
