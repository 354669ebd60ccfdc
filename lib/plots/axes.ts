/** Domains, ticks and labels of axes, stated and not left to the library: its "nice" logarithmic domains round to whole decades. */

/** Ticks and what is written at them, as an axis takes them. */
export function ticks(values: readonly number[], label: (value: number) => string) {
  // A Vega expression can look a label up, and so need not be able to make it.
  const labels = Object.fromEntries(values.map((value) => [String(value), label(value)]));
  return { values: [...values], labelExpr: `(${JSON.stringify(labels)})[toString(datum.value)]` };
}

/** 500, 10k, 1.5M, 2B */
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

/** 3·10¹¹ */
export function powerLabel(value: number): string {
  const [digits, exponent] = value.toExponential().split('e');
  const raised = [...exponent.replace('+', '')].map((digit) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(digit)]).join('');
  return Number(digits) === 1 ? `10${raised}` : `${digits}·10${raised}`;
}

/** 0.5, 1, 1.2 */
export function plainLabel(value: number): string {
  return String(Number(value.toPrecision(6))).replace('-', '−');
}

/** +0.05, 0, −0.1 */
export function signedLabel(value: number): string {
  return value > 0 ? `+${plainLabel(value)}` : plainLabel(value);
}

/** Lines of at most so many letters. */
export function wrap(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1];
    if (last !== '' && last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}

/** The smallest and largest, pushed apart by these shares of their logarithmic distance. */
export function logDomain(values: readonly number[], below = 0.06, above = 0.06): [number, number] {
  const positive = values.filter((value) => value > 0 && Number.isFinite(value));
  if (positive.length === 0) return [1, 10];
  const [low, high] = [Math.log(Math.min(...positive)), Math.log(Math.max(...positive))];
  const span = Math.max(high - low, 0.05);
  return [Math.exp(low - below * span), Math.exp(high + above * span)];
}

/**
 * Ticks for a logarithmic axis: decades with 1, 2, 5 (or 1, 3; or 1) where the domain spans several, round linear steps where it spans
 * less than a factor of about four, as losses do.
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

export function linearTicks([low, high]: readonly [number, number], about = 7): number[] {
  const rough = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((digit) => digit * power >= rough) ?? 10);
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high * (1 + 1e-12); i++)
    ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

/** Positions (in pixels, any order) moved apart to at least `gap`, each as little as that allows and none past the ends. */
export function spread(positions: readonly number[], gap: number, [top, bottom]: readonly [number, number]): number[] {
  const order = positions.map((_, i) => i).sort((a, b) => positions[a] - positions[b]);
  // Overlapping labels are merged into blocks that are centred on the mean of what they stand for.
  const blocks: { members: number[]; centre: number }[] = [];
  for (const i of order) {
    let block = { members: [i], centre: positions[i] };
    for (let last = blocks.at(-1); last && overlaps(last, block, gap); last = blocks.at(-1)) {
      blocks.pop();
      const members = [...last.members, ...block.members];
      block = { members, centre: members.reduce((sum, m) => sum + positions[m], 0) / members.length };
    }
    blocks.push(block);
  }
  const placed = [...positions];
  for (const { members, centre } of blocks) {
    const half = ((members.length - 1) * gap) / 2;
    const kept = Math.min(Math.max(centre, top + half), bottom - half);
    members.forEach((member, i) => {
      placed[member] = kept - half + i * gap;
    });
  }
  return placed;
}

function overlaps(
  above: { members: number[]; centre: number },
  below: { members: number[]; centre: number },
  gap: number,
): boolean {
  const distance = ((above.members.length + below.members.length) / 2) * gap;
  return below.centre - above.centre < distance;
}
