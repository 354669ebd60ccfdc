/**
 * Decides whether cuBLASLt is expected to be faster than our kernels.
 *
 * **The constants are estimates.** They come from data sheets and published figures, not from a measurement of this engine.
 * On an H100, kernels with `mma.sync`, such as ours, reach at most 63 to 65 % of the peak; cuBLAS reaches 56 % (2048³) to
 * 77 %. `npm run bench -- gpu --parts products` measures both, and prints which one this rule chooses.
 */

/** Peak speeds of one multiprocessor, and how much of them products reach. */
interface Rates {
  /** the least compute capability that has these rates, times 10 */
  compute: number;
  /** bf16 multiplications and additions on tensor cores, in FLOP/s of a multiprocessor */
  flops: number;
  /** memory bandwidth, in bytes per second of a multiprocessor */
  bytes: number;
  /** the shares of `flops` that our kernels and cuBLASLt reach */
  own: number;
  cublas: number;
}

/**
 * Peaks are from data sheets, without sparsity, divided by the number of multiprocessors. On 8.x and 12.x, cuBLAS has the
 * same instructions as our kernels. On Hopper (9.0) and datacentre Blackwell (10.x) it has faster ones.
 */
const RATES: Rates[] = [
  { compute: 120, flops: 1.2e12, bytes: 10e9, own: 0.7, cublas: 0.8 }, // RTX 5090
  { compute: 100, flops: 15e12, bytes: 54e9, own: 0.25, cublas: 0.7 }, // B200
  { compute: 90, flops: 7.5e12, bytes: 25e9, own: 0.5, cublas: 0.7 }, // H100 SXM
  { compute: 89, flops: 1.3e12, bytes: 8e9, own: 0.7, cublas: 0.8 }, // RTX 4090
  { compute: 86, flops: 0.87e12, bytes: 11e9, own: 0.7, cublas: 0.8 }, // RTX 3090
  { compute: 80, flops: 2.9e12, bytes: 15e9, own: 0.65, cublas: 0.75 }, // A100
];

/** Seconds from the end of a kernel of a CUDA graph to the work of the next. */
const LAUNCH = 2e-6;
/**
 * cuBLASLt must save this many seconds and this share of the time. In doubt our kernels multiply, because their bits depend
 * on no library.
 */
const [LEAST_SECONDS, LEAST_SHARE] = [10e-6, 0.1];

/** The memory traffic of a product, in bytes. */
export interface ProductCost {
  /** bytes that the multiplying launch reads and writes */
  bytes: number;
  /** bytes that each of the launches after it reads and writes */
  passes: number[];
}

/**
 * Compares both with a roofline model. The multiplying launch takes the time of its multiplications or of its bytes,
 * whichever is longer. Each pass after it takes the time of a launch plus the time of its bytes.
 *
 * @param flops 2·M·N·K
 * @example cublasIsFaster({ compute: 90, multiprocessors: 132 }, 2 * 4096 ** 3, own, cublas) // true
 */
export function cublasIsFaster(
  { compute, multiprocessors }: { compute: number; multiprocessors: number },
  flops: number,
  own: ProductCost,
  cublas: ProductCost,
): boolean {
  const rates = RATES.find((each) => each.compute <= compute);
  if (!rates) return false;
  const seconds = ({ bytes, passes }: ProductCost, share: number) => {
    const moving = (n: number) => n / (rates.bytes * multiprocessors);
    const multiplying = flops / (share * rates.flops * multiprocessors);
    return Math.max(multiplying, moving(bytes)) + passes.reduce((sum, n) => sum + LAUNCH + moving(n), 0);
  };
  const ours = seconds(own, rates.own);
  const saved = ours - seconds(cublas, rates.cublas);
  return saved >= LEAST_SECONDS && saved >= LEAST_SHARE * ours;
}
