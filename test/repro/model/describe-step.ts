/** Describes steps for the log of a model run. */
import type { Kill, Step } from './world.ts';

function describeKill({ victim, moment, writes }: Kill): string {
  return victim === 'write' ? `  (SIGKILL at write ${writes})` : `  (SIGKILL of ${victim} at ${moment.toFixed(2)})`;
}

/** A step in one line. */
export function describe(step: Step): string {
  const kill = 'kill' in step && step.kill ? describeKill(step.kill) : '';
  switch (step.kind) {
    case 'edit':
      return step.text;
    case 'internal':
      return `.repro: ${step.what}${step.object ? ` ${step.object.slice(0, 12)}` : ''}`;
    case 'repro':
      return `repro ${step.args.join(' ')}${step.options.pull ? ' --pull' : ''}${kill}`;
    case 'status':
      return `repro status ${step.args.join(' ')}`;
    case 'two at once':
      return `repro ${step.args.join(' ')} twice at once`;
    case 'dry':
      return `repro --dry ${step.args.join(' ')}`;
    case 'gc':
      return `repro gc --yes${kill}`;
    case 'trash restore':
      return `repro trash restore ${step.path}`;
    default:
      return `repro ${step.kind} ${step.targets.join(' ')}${kill}`;
  }
}
