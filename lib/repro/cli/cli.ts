/**
 * The entry point of the `repro` command. If the pipeline is known to be up to date, this file answers alone and loads
 * only its own imports. Otherwise it loads the rest of this folder:
 * - program.ts and result-commands.ts: all commands and options, with their help texts;
 * - commands/: one file for each command or group of commands; run.ts is `repro` without a command;
 * - output.ts: writes to stdout and stderr, and shows control characters as escapes;
 * - view.ts and progress-bar.ts: the output of a run;
 * - describe-reason.ts: sentences about the reasons why a stage is stale;
 * - table.ts and terminal-width.ts: tables, and text measured in terminal columns.
 */
import { existsSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { buildId, freshHeader } from '../freshness/index.ts';
import { describeError, describeUpToDate } from '../messages/index.ts';
import { printError, printHeadline, printLine } from './output.ts';

/** Arguments with which `repro` only prints one line if everything is up to date. */
const FAST_PATH_ARGS = /^(|status|(-k|--keep-going|-q|--quiet|-j ?\d+)( (-k|--keep-going|-q|--quiet|-j ?\d+))*)$/;

const args = process.argv.slice(2);
// An empty argument is a target, which no stage has.
const fresh = !args.includes('') && FAST_PATH_ARGS.test(args.join(' ')) ? findFreshStamp() : undefined;
if (fresh !== undefined) {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    printError(`the output cannot be written: ${describeError(error)}`);
    process.exitCode = 1;
  });
  printLine(describeUpToDate(fresh.header.stages));
  if (!/^status|-q/.test(args.join(' '))) printHeadline(fresh.root, fresh.header.headline);
} else {
  // Node 22 and later can keep compiled code between starts.
  (module as { enableCompileCache?: () => void }).enableCompileCache?.();
  const { runProgram } = await import('./program.ts');
  process.exitCode = await runProgram(args);
}

/** The pipeline's folder and its stamp, if that says that all stages are fresh; undefined if a full check is needed. */
function findFreshStamp() {
  try {
    const start = process.cwd();
    if (start.includes('\ufffd')) return undefined; // Perhaps a path that is not UTF-8; the full check finds out.
    for (let folder = start; ; folder = dirname(folder)) {
      if (existsSync(join(folder, 'pipeline.yaml'))) {
        // Jobs of Slurm may still write to outputs.
        if (existsSync(join(folder, '.repro/jobs/journal.jsonl'))) return undefined;
        const header = freshHeader(folder, buildId());
        return header && { root: folder, header };
      }
      if (folder === dirname(folder)) return undefined;
    }
  } catch {
    return undefined; // The full check meets the same error and reports it better.
  }
}
