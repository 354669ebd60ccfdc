/** Why a stage is stale, in one line for people. */
import type { Json } from '../documents/index.ts';
import { listNames } from '../messages/index.ts';
import type { Reason } from '../planning/index.ts';

/** One line for people. */
export function describeReason(reason: Reason): string {
  switch (reason.kind) {
    case 'never-run':
      return 'has not run yet';
    case 'command':
      return 'its command changed';
    case 'env':
      return `env ${reason.key}: ${value(reason.old)} → ${value(reason.new)}`;
    case 'param':
      return `${reason.file} ${reason.key}: ${value(reason.old)} → ${value(reason.new)}`;
    case 'dep':
      return `${reason.path} ${reason.new === null ? 'is gone' : 'old' in reason ? 'changed' : 'is a new dependency'}`;
    case 'code':
      return `code ${reason.path} ${!reason.old ? 'is new' : reason.new ? 'changed' : 'is no longer used'}`;
    case 'out-missing':
      return `its output ${reason.path} is missing`;
    case 'out-changed':
      return `its output ${reason.path} ${reason.old ? 'was changed' : 'is new'}`;
    case 'upstream':
      return `waits for ${listNames(reason.stages)}`;
    case 'always':
      return reason.forced ? 'was asked for' : 'runs each time';
  }
}

function value(json: Json | undefined): string {
  return json === undefined ? '(none)' : JSON.stringify(json);
}
