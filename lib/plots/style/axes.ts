/**
 * Domains, ticks and labels of axes. They are computed here because Vega's "nice" logarithmic domains are rounded to
 * whole decades, which leaves much of a plot empty.
 */

/**
 * Makes the properties `values` and `labelExpr` of a Vega-Lite axis.
 *
 * @param label the text at a tick
 */
export function ticks(values: readonly number[], label: (value: number) => string) {
  // The labels are computed here, and the Vega expression only looks them up.
  const labels = Object.fromEntries(values.map((value) => [String(value), label(value)]));
  return { values: [...values], labelExpr: `(${JSON.stringify(labels)})[toString(datum.value)]` };
}

/** Formats a count: 500, 10k, 1.5M, 2B, with 3 significant digits. */
export function countLabel(value: number): string {
  for (const [unit, letter] of [
    [1e12, 'T'],
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const)
    if (value >= unit) return `${Number((value / unit).toPrecision(3))}${letter}`;
  return String(value);
}

/** Formats a power of ten: 3·10¹¹. */
export function powerLabel(value: number): string {
  const [digits, exponent] = value.toExponential().split('e');
  const raised = [...exponent.replace('+', '')].map((digit) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(digit)]).join('');
  return Number(digits) === 1 ? `10${raised}` : `${digits}·10${raised}`;
}

/** Formats a number: 0.5, 1, −1.2, with at most 6 significant digits. */
export function plainLabel(value: number): string {
  return String(Number(value.toPrecision(6))).replace('-', '−');
}

/** Formats a number with its sign: +0.05, 0, −0.1. */
export function signedLabel(value: number): string {
  return value > 0 ? `+${plainLabel(value)}` : plainLabel(value);
}

/** Breaks a text at spaces into lines of at most `width` letters. A longer word is a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1];
    if (last !== '' && last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}

/**
 * A domain for a logarithmic axis: smallest and largest value, with margins.
 *
 * @param values the values to show; those that are not finite and positive are ignored
 * @param below margin below, as a share of the logarithmic distance of smallest and largest
 * @param above margin above, likewise
 * @returns [1, 10] if there is no value
 */
export function logDomain(values: readonly number[], below = 0.06, above = 0.06): [number, number] {
  const positive = values.filter((value) => value > 0 && Number.isFinite(value));
  if (positive.length === 0) return [1, 10];
  const [low, high] = [Math.log(Math.min(...positive)), Math.log(Math.max(...positive))];
  const span = Math.max(high - low, 0.05);
  return [Math.exp(low - below * span), Math.exp(high + above * span)];
}

/**
 * Ticks for a logarithmic axis: 1, 2 and 5 of each decade, or 1 and 3, or 1, depending on the number of decades. A
 * domain that spans less than a factor of 4, which is usual for losses, gets round linear steps.
 *
 * @param about the desired number of ticks
 */
export function logTicks([low, high]: readonly [number, number], about = 7): number[] {
  if (high / low < 4) return linearTicks([low, high], about);
  const decades = Math.log10(high / low);
  const inDecade = decades * 3 <= about + 1 ? [1, 2, 5] : decades * 2 <= about + 1 ? [1, 3] : [1];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const digit of inDecade) {
      const tick = Number((digit * 10 ** power).toPrecision(3));
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  return ticks;
}

/**
 * Ticks for a linear axis: multiples of 1, 2, 2.5 or 5 times a power of ten.
 *
 * @param about the desired number of ticks
 */
export function linearTicks([low, high]: readonly [number, number], about = 7): number[] {
  const rough = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((digit) => digit * power >= rough) ?? 10);
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high * (1 + 1e-12); i++)
    ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

/**
 * Moves labels apart so that they do not overlap, each as little as possible.
 *
 * @param positions in pixels, in any order
 * @param gap smallest distance between two labels, in pixels
 * @param range the pixels that labels must not leave
 * @returns the new positions, in the order of `positions`
 */
export function spread(positions: readonly number[], gap: number, [top, bottom]: readonly [number, number]): number[] {
  const order = positions.map((_, i) => i).sort((a, b) => positions[a] - positions[b]);
  // Overlapping labels are merged into clusters. A cluster is centred on the mean of its labels' original positions.
  const clusters: { members: number[]; centre: number }[] = [];
  for (const i of order) {
    let cluster = { members: [i], centre: positions[i] };
    for (let last = clusters.at(-1); last && overlaps(last, cluster, gap); last = clusters.at(-1)) {
      clusters.pop();
      const members = [...last.members, ...cluster.members];
      cluster = { members, centre: members.reduce((sum, m) => sum + positions[m], 0) / members.length };
    }
    clusters.push(cluster);
  }
  const placed = [...positions];
  for (const { members, centre } of clusters) {
    const half = ((members.length - 1) * gap) / 2;
    const kept = Math.min(Math.max(centre, top + half), bottom - half);
    members.forEach((member, i) => {
      placed[member] = kept - half + i * gap;
    });
  }
  return placed;
}

/** Whether two neighbouring clusters are closer than their labels need. */
function overlaps(
  above: { members: number[]; centre: number },
  below: { members: number[]; centre: number },
  gap: number,
): boolean {
  const distance = ((above.members.length + below.members.length) / 2) * gap;
  return below.centre - above.centre < distance;
}
