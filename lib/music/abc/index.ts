export { checkAbc } from './check-abc.ts';
export { parseAbc } from './parse-abc.ts';
export { performTune } from './perform-tune.ts';
export type { Problem, ProblemKind, Tune, TuneBar, TuneNote, TuneVoice } from './tune.ts';
export { type Layout, writeAbc } from './write-abc.ts';
