/**
 * The order in which the bars of a tune are played: repeats and endings are written out, and the parts come in the order
 * of the header's P:.
 *
 * A section runs from a repeat sign, or from the end of the section before it, to the sign that closes it. Its endings
 * follow it. People leave signs out, and readers agree on what is meant: a second ending without a number, a first
 * ending without its `:|`. Signs that leave a doubt are reported.
 *
 * @see ABC standard 2.1, §3.1.9 (P), §4.8 (repeats), §4.9, §4.10 (endings)
 */
import type { Problem, Tune, TuneBar } from '../tune.ts';

/** Largest number of bars that are played, with repeats. Repeats cannot be nested, so real tunes have far fewer. */
const MAX_PLAYED_BARS = 50_000;
const MAX_PASSES = 32;

/** An ending: bars that sound on some passes only. */
interface Ending {
  passes: number[];
  from: number;
  /** the bar after its last */
  to: number;
  closed: boolean;
}

/** Bars that are played as one, with their endings. */
interface Section {
  from: number;
  /** the bar after the last that sounds on every pass */
  to: number;
  /** number of times that `to` closes a repeat */
  closes: number;
  endings: Ending[];
  /** the bar after its last ending */
  end: number;
}

/**
 * The bars of each voice in the order in which they are played.
 *
 * @param problems gets repeats and endings that leave a doubt, and bars that are never played
 */
export function playOrders(tune: Tune, problems: Problem[]): TuneBar[][] {
  const { voices } = tune;
  const leader = voices.find(({ bars }) => bars.some(hasRepeatSign));
  const parts = (bars: readonly TuneBar[]) => bars.filter(({ part }) => part !== undefined).length;
  const parted = voices.find(
    ({ bars }) => parts(bars) > 0 && voices.every((other) => parts(other.bars) <= parts(bars)),
  );
  return voices.map((voice) => {
    const { bars } = voice;
    if (leader === undefined && parted === undefined && bars.length <= MAX_PLAYED_BARS) return bars;
    // A voice without any repeat sign follows the voice that has them, if their bars correspond.
    const follows = leader !== undefined && bars.length === leader.bars.length && !bars.some(hasRepeatSign);
    const signs = follows ? leader.bars : bars;
    // So does a voice that does not name all of the parts.
    const names = parted?.bars.length === bars.length && parts(bars) < parts(parted.bars) ? parted.bars : bars;
    const order = orderOf(signs, names, tune.partOrder ?? [], voice.bars === signs ? problems : []);
    if (leader !== undefined && leader !== voice && bars.length === leader.bars.length) {
      const different = bars.findIndex((bar, i) => signText(bar) !== signText(leader.bars[i]));
      if (different >= 0) {
        const message = `voice ${voice.id} does not repeat the same bars as voice ${leader.id}`;
        problems.push({ ...placeOf(bars[different]), kind: 'repeat', message });
      }
    }
    return order.map((index) => bars[index]);
  });
}

function hasRepeatSign(bar: TuneBar): boolean {
  return bar.opensRepeat || bar.closesRepeat > 0 || bar.endings !== undefined;
}

function signText(bar: TuneBar): string {
  return `${bar.opensRepeat} ${bar.closesRepeat} ${bar.endings ?? ''}`;
}

function placeOf({ line, column }: TuneBar): { line: number; column: number } {
  return { line, column };
}

/** The indices of the played bars of one voice. `names`: bars with the names of the parts. */
function orderOf(bars: TuneBar[], names: TuneBar[], partOrder: string[], problems: Problem[]): number[] {
  const order: number[] = [];
  const parts = partsOf(names);
  const named = new Map(parts.flatMap((part) => (part.name === undefined ? [] : [[part.name, part] as const])));
  const isOrdered = partOrder.length > 0 && named.size > 0 && named.size === parts.filter(({ name }) => name).length;
  if (!isOrdered) playRange(bars, 0, bars.length, order, problems);
  else {
    // Bars before the first part are played first.
    const begin = parts[0].name === undefined ? [parts[0]] : [];
    const missing = partOrder.find((name) => !named.has(name));
    if (missing !== undefined) {
      const message = `the part ${missing} of P: has no music`;
      problems.push({ ...placeOf(bars[0]), kind: 'repeat', message });
    }
    for (const { from, to } of [...begin, ...partOrder.flatMap((name) => named.get(name) ?? [])])
      if (order.length < MAX_PLAYED_BARS) playRange(bars, from, to, order, problems);
  }
  reportSilentBars(bars, order, problems);
  if (order.length > MAX_PLAYED_BARS) {
    const message = `with its repeats the tune is more than ${MAX_PLAYED_BARS} bars long`;
    problems.push({ ...placeOf(bars[order[MAX_PLAYED_BARS]]), kind: 'repeat', message });
    order.length = MAX_PLAYED_BARS;
  }
  return order;
}

/** The bars of each part. The bars before the first name are a part without a name. */
function partsOf(bars: TuneBar[]): { name: string | undefined; from: number; to: number }[] {
  const starts = bars.flatMap(({ part }, i) => (part === undefined ? [] : [i]));
  if (starts[0] !== 0) starts.unshift(0);
  return starts.map((from, i) => ({ name: bars[from]?.part, from, to: starts[i + 1] ?? bars.length }));
}

/** Appends the indices of the bars from…to−1 in the order in which they are played. */
function playRange(bars: TuneBar[], from: number, to: number, order: number[], problems: Problem[]): void {
  for (let start = from; start < to; ) {
    const section = readSection(bars, start, to);
    playSection(bars, section, order, problems);
    start = section.end;
    if (order.length > MAX_PLAYED_BARS) return;
  }
}

function readSection(bars: TuneBar[], from: number, limit: number): Section {
  const section: Section = { from, to: from, closes: 0, endings: [], end: from };
  let at = from;
  while (at < limit && bars[at].endings === undefined && (at === from || !bars[at].opensRepeat)) {
    section.closes = bars[at++].closesRepeat;
    if (section.closes > 0) break;
  }
  section.to = section.end = at;
  const heard = new Set<number>();
  while (at < limit) {
    const { endings: passes, opensRepeat } = bars[at];
    if (passes === undefined || (opensRepeat && at > from) || passes.some((pass) => heard.has(pass))) break;
    // An ending 1 after a section that was closed begins the endings of the next section, which has no other bars.
    if (section.closes > 0 && passes.includes(1)) break;
    const ending: Ending = { passes, from: at, to: at + 1, closed: bars[at].closesRepeat > 0 };
    while (!ending.closed && !bars[ending.to - 1].doubleBar && ending.to < limit) {
      const bar = bars[ending.to];
      if (bar.endings !== undefined || bar.opensRepeat) break;
      ending.closed = bar.closesRepeat > 0;
      ending.to++;
    }
    section.endings.push(ending);
    for (const pass of passes) heard.add(pass);
    at = section.end = ending.to;
  }
  return section;
}

function playSection(bars: TuneBar[], section: Section, order: number[], problems: Problem[]): void {
  const { endings } = section;
  const add = (from: number, to: number) => {
    for (let i = from; i < to && order.length <= MAX_PLAYED_BARS; i++) order.push(i);
  };
  const report = (ending: Ending, message: string) =>
    problems.push({ ...placeOf(bars[ending.from]), kind: 'repeat', message });
  if (endings.length === 0) {
    for (let pass = 0; pass <= section.closes; pass++) add(section.from, section.to);
    return;
  }
  const last = Math.min(MAX_PASSES, Math.max(...endings.flatMap(({ passes }) => passes)));
  const [first] = endings;
  if (!first.passes.includes(1) && section.closes === 0 && endings.length === 1) {
    report(first, `there is no ending before ending ${first.passes[0]}`);
    add(section.from, first.to);
    return;
  }
  if (section.closes > 0) report(first, `ending ${first.passes[0]} follows a repeat without an ending before it`);
  for (const [i, ending] of endings.entries()) {
    if (i < endings.length - 1 && !ending.closed)
      report(ending, `ending ${ending.passes.join(',')} does not end with :|, and another ending follows it`);
  }
  for (let pass = 1; pass <= last && order.length <= MAX_PLAYED_BARS; pass++) {
    const ending = endings.find(({ passes }) => passes.includes(pass));
    if (ending === undefined && section.closes === 0) report(first, `there is no ending for pass ${pass}`);
    add(section.from, section.to);
    if (ending !== undefined) add(ending.from, ending.to);
  }
  // Only the first endings have numbers: the music after the sign is the last ending.
  if (endings.length === 1 && first.closed && first.passes.includes(1)) add(section.from, section.to);
}

/** Reports the bars with notes that are never played, once for each run of them. */
function reportSilentBars(bars: TuneBar[], order: number[], problems: Problem[]): void {
  const played = new Set(order);
  for (const [i, bar] of bars.entries()) {
    if (played.has(i) || order.length > MAX_PLAYED_BARS || (i > 0 && !played.has(i - 1))) continue;
    problems.push({ ...placeOf(bar), kind: 'repeat', message: 'this bar is never played' });
  }
}
