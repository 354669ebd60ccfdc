/** How long a run would take, in words, for `repro --dry` and `repro status`. */
import type { RunEstimate } from '../forecast/index.ts';
import { describeRoughDuration, plural } from '../messages/index.ts';

/**
 * The parts of a sentence. Empty if nothing would run.
 *
 * @example ['about 12 min on 2 workers', 'not counting 3 that never ran']
 */
export function describeEstimate({ jobs, seconds, secondsAtMost, untimed }: RunEstimate): string[] {
  if (seconds === undefined) return untimed === 0 ? [] : ['how long that takes is not known yet'];
  const [least, most] = [describeRoughDuration(seconds), describeRoughDuration(secondsAtMost!)];
  return [
    `about ${least}${most === least ? '' : ` to ${most}`} on ${plural(jobs, 'worker')}`,
    ...(untimed === 0 ? [] : [`not counting ${untimed} that never ran`]),
  ];
}
