/** Sizes and durations, parsed and formatted as people write them; numbers and lists for sentences. */

const BYTE_UNITS: Record<string, number> = {
  '': 1,
  b: 1,
  k: 1024,
  kb: 1e3,
  kib: 1024,
  m: 1024 ** 2,
  mb: 1e6,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1e9,
  gib: 1024 ** 3,
  t: 1024 ** 4,
  tb: 1e12,
  tib: 1024 ** 4,
};

/**
 * Parses a size such as "4GiB", "500MB" or 1024.
 *
 * @returns bytes; undefined if the value is not a size
 */
export function parseBytes(value: unknown): number | undefined {
  return parseQuantity(value, BYTE_UNITS);
}

const SECOND_UNITS: Record<string, number> = { '': 1, ms: 0.001, s: 1, m: 60, min: 60, h: 3600, d: 86400 };

/**
 * Parses a duration such as "90s", "10m", "2h" or 90.
 *
 * @returns seconds, more than 0; undefined if the value is not a duration
 */
export function parseSeconds(value: unknown): number | undefined {
  const result = parseQuantity(value, SECOND_UNITS);
  return result === 0 ? undefined : result;
}

function parseQuantity(value: unknown, units: Record<string, number>): number | undefined {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(String(value)) ?? [];
  const factor = unit === undefined ? undefined : units[unit.toLowerCase()];
  return factor === undefined ? undefined : Number(number) * factor;
}

/** Formats a number of bytes: 12 bytes, 1.5 KiB, 340 MiB. */
export function describeBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Formats a number of seconds: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min. */
export function describeDuration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min${whole % 60 ? ` ${whole % 60} s` : ''}`;
  return `${Math.floor(whole / 3600)} h${Math.floor((whole % 3600) / 60) ? ` ${Math.floor((whole % 3600) / 60)} min` : ''}`;
}

/** As describeDuration, but with fewer digits: 0.4 s, 12 s, 3 min, 2 h 5 min, 19.8 days. */
export function describeRoughDuration(seconds: number): string {
  if (seconds >= 48 * 3600) return `${(seconds / 86400).toFixed(1)} days`;
  return describeDuration(seconds < 60 ? seconds : Math.round(seconds / 60) * 60);
}

/**
 * A number and its noun: "1 stage", "2 stages".
 *
 * @param many the noun's plural, if it is not the singular and an "s"
 */
export function plural(number: number, noun: string, many = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : many}`;
}

/** A sentence lists at most this many names. */
const NAMED = 4;

/** Lists names in a sentence: "a, b, c, d and 3 more". */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(', ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}

/** Counts stages by state: "12 stale, 4 restorable". States without a stage are left out. */
export function describeStateCounts(stages: readonly { state: string }[]): string {
  return ['stale', 'maybe', 'restorable', 'frozen', 'fresh']
    .map((state) => ({ state, number: stages.filter((stage) => stage.state === state).length }))
    .filter(({ number }) => number > 0)
    .map(({ state, number }) => `${number} ${state}`)
    .join(', ');
}

/**
 * The message of a run that had nothing to do.
 *
 * @param stages the number of stages that were checked
 */
export function describeUpToDate(stages: number): string {
  return stages === 0 ? 'there are no stages' : `everything is up to date (${plural(stages, 'stage')})`;
}
