/**
 * Whether cuBLASLt is expected to make a product sooner than the kernels of ours.
 *
 * **The constants are estimates.** They come from data sheets and published figures, not from a measurement of this engine:
 * kernels with `mma.sync`, as ours are, reach at most 63 to 65 % of the peak of an H100; cuBLAS reaches 56 % (2048³) to 77 %
 * there. `npm run bench -- gpu --parts products` measures both, and prints what this rule would choose.
 */

/** What a GPU can do in a second. */
interface Rates {
  /** compute capability times 10, from which on these rates hold */
  compute: number;
  /** multiplications and additions of bf16 on tensor cores, of each multiprocessor: FLOP/s */
  flops: number;
  /** bytes between memory and each multiprocessor */
  bytes: number;
  /** the shares of `flops` that the kernels of ours and cuBLASLt reach */
  own: number;
  cublas: number;
}

/**
 * Peaks are those of data sheets without sparsity, divided by the number of multiprocessors. On 8.x and 12.x, cuBLAS has the
 * instructions that we have; on Hopper (9.0) and datacentre Blackwell (10.x) it has faster ones.
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
/** In doubt, ours: its bits depend on no library. cuBLASLt must save so many seconds, and this share of the time. */
const [LEAST_SECONDS, LEAST_SHARE] = [10e-6, 0.1];

/** What a product costs besides its multiplications. */
export interface ProductCost {
  /** read and written by the launch that multiplies */
  bytes: number;
  /** read and written by launches after it, one after the other */
  passes: number[];
}

/**
 * Compares both by a roofline: the multiplying launch takes as long as its multiplications or its bytes, whichever takes
 * longer; each pass after it takes a launch and its bytes.
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
