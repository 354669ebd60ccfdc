/**
 * The `repro` command. Only what the call needs is loaded: nothing but this file's own imports when all is up to date.
 * See program.ts for the commands and their options.
 */
import { existsSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { freshStages, ownIdentity } from '../hashing/index.ts';
import { describeUpToDate } from '../messages/index.ts';

/** Calls that have nothing to do when everything is up to date. */
const PLAIN = /^(|status|(-k|--keep-going|-q|--quiet|-j ?\d+)( (-k|--keep-going|-q|--quiet|-j ?\d+))*)$/;

const args = process.argv.slice(2);
const stages = PLAIN.test(args.join(' ')) ? knownFresh() : undefined;
if (stages !== undefined) process.stdout.write(`${describeUpToDate(stages)}\n`);
else {
  // Node ≥ 22 keeps compiled code between starts.
  (module as { enableCompileCache?: () => void }).enableCompileCache?.();
  const { runProgram } = await import('./program.ts');
  process.exitCode = await runProgram(args);
}

function knownFresh(): number | undefined {
  try {
    for (let folder = process.cwd(); ; folder = dirname(folder)) {
      if (existsSync(join(folder, 'pipeline.yaml'))) return freshStages(folder, ownIdentity());
      if (folder === dirname(folder)) return undefined;
    }
  } catch {
    return undefined; // Whatever it is, the full check says it better.
  }
}
