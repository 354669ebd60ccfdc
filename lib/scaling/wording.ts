/** How things are said to people: numbers by three significant digits, sizes in thousands and millions, architectures by their names. */

/** 0.0812, 2.30, 5.12 k, 1.2 M. */
export function number(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return value > 0 ? '∞' : value < 0 ? '−∞' : 'none';
  if (value === 0) return '0';
  const sign = value < 0 ? '−' : '';
  if (size >= 1e15 || size < 1e-4) {
    const [digits, exponent] = size.toExponential(1).split('e');
    return `${sign}${digits} × 10^${exponent.replace('-', '−').replace('+', '')}`;
  }
  for (const [unit, letter] of UNITS)
    if (size >= unit * 0.9995) return `${sign}${Number(significant(size / unit))}\u00a0${letter}`;
  return sign + significant(size);
}

const UNITS: readonly [number, string][] = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
];

function significant(size: number): string {
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(size)));
  return size.toFixed(decimals);
}

/** "0.0702 to 0.0911" */
export function interval([low, high]: readonly [number, number]): string {
  return `${number(low)} to ${number(high)}`;
}

/** 95 for 0.95 */
export function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))}\u00a0%`;
}

/** "1 run", "3 runs" */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** gpt → GPT, lstm → LSTM; others as they are. */
export function displayName(architecture: string): string {
  return /^(gpt|lstm|rnn|gru)$/.test(architecture) ? architecture.toUpperCase() : architecture;
}
