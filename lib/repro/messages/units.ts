/** Sizes and times as people write them, both ways; counts and lists in sentences. */

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

/** "4GiB" → 4294967296; undefined for what is no size. */
export function parseBytes(value: unknown): number | undefined {
  return measure(value, BYTE_UNITS);
}

const SECOND_UNITS: Record<string, number> = { '': 1, ms: 0.001, s: 1, m: 60, min: 60, h: 3600, d: 86400 };

/** "90s", "10m", "2h", 90 → seconds; undefined for what is no time. */
export function parseSeconds(value: unknown): number | undefined {
  const result = measure(value, SECOND_UNITS);
  return result === 0 ? undefined : result;
}

function measure(value: unknown, units: Record<string, number>): number | undefined {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(String(value)) ?? [];
  const factor = unit === undefined ? undefined : units[unit.toLowerCase()];
  return factor === undefined ? undefined : Number(number) * factor;
}

export function describeBytes(count: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** 0.4 s, 12 s, 3 min 20 s, 2 h 5 min */
export function describeDuration(value: number): string {
  if (value < 9.95) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min${whole % 60 ? ` ${whole % 60} s` : ''}`;
  return `${Math.floor(whole / 3600)} h${Math.floor((whole % 3600) / 60) ? ` ${Math.floor((whole % 3600) / 60)} min` : ''}`;
}

/** 0.4 s, 12 s, 3 min, 2 h 5 min */
export function describeRoughDuration(seconds: number): string {
  return describeDuration(seconds < 60 ? seconds : Math.round(seconds / 60) * 60);
}

/** "1 stage", "2 stages" */
export function plural(number: number, what: string, many = `${what}s`): string {
  return `${number} ${number === 1 ? what : many}`;
}

/** How many names a sentence holds. */
const NAMED = 4;

/** "a, b, c, d and 3 more" */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(', ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}

/** "12 stale, 4 restorable" */
export function describeStateCounts(stages: readonly { state: string }[]): string {
  return ['stale', 'maybe', 'restorable', 'frozen', 'fresh']
    .map((state) => ({ state, number: stages.filter((stage) => stage.state === state).length }))
    .filter(({ number }) => number > 0)
    .map(({ state, number }) => `${number} ${state}`)
    .join(', ');
}

/** What is said of a pipeline of so many stages when there is nothing to do. */
export function describeUpToDate(stages: number): string {
  return stages === 0 ? 'there are no stages' : `everything is up to date (${plural(stages, 'stage')})`;
}
