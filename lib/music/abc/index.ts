export { checkAbc } from './check-abc.ts';
export { parseAbc } from './parse-abc.ts';
export { performTune } from './perform-tune.ts';
export { positionText } from './spelling.ts';
export {
  type BarChange,
  type Field,
  type Metre,
  metreDuration,
  type Problem,
  type ProblemKind,
  type Tune,
  type TuneBar,
  type TuneNote,
  type TuneVoice,
  WHOLE,
} from './tune.ts';
export { type Layout, writeAbc } from './write-abc.ts';
