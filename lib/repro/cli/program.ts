/**
 * The commands and options of `repro`, with their help texts. Each command is implemented by a file in commands/, which
 * is loaded when the command is called.
 */

import { Argument, Command, CommanderError, Option } from 'commander';
import packageJson from '../../../package.json' with { type: 'json' };
import { platform } from '../files/index.ts';
import { UnknownTarget } from '../graph/index.ts';
import { describeError, describeSystemError, nearestName, onWarning, ReproError, warn } from '../messages/index.ts';
import { positiveInteger, positiveOrZero, type SetExitCode } from './option-values.ts';
import { printError } from './output.ts';
import { addResultCommands } from './result-commands.ts';

/**
 * Runs one command line.
 *
 * @param args the arguments after `repro`
 * @returns the exit code: 0 done, 1 a stage failed, 2 the pipeline or the command line is wrong, 128 + n ended by
 *   signal n
 * @throws any error that is a bug of repro, so that Node prints its stack trace
 */
export async function runProgram(args: readonly string[]): Promise<number> {
  let exitCode = 0;
  onWarning(printError);
  if (platform() === 'win32') {
    printError('repro needs Linux or macOS; on Windows, run it in WSL, the Windows Subsystem for Linux: wsl --install');
    return 2;
  }
  const program = buildProgram((code) => {
    exitCode = code;
  });
  // Exit quietly when the reader closes the pipe, as in `repro dag | head`. A run goes on without output.
  let isRun = false;
  let isOutputLost = false;
  program.hook('preAction', (_, command) => {
    isRun = command === program;
  });
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') {
        if (stream === process.stdout) warn(`the output cannot be written: ${describeError(error)}`);
        isOutputLost = true;
        process.exitCode ||= 1;
      } else if (!isRun) process.exit(exitCode);
    });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return isOutputLost ? exitCode || 1 : exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof ReproError) {
      printError(`${error.message}${suggestCommand(error, program)}`);
      return error.exitCode;
    }
    const { code, message, syscall } = error as NodeJS.ErrnoException;
    if (syscall === 'uv_cwd') {
      printError('the current folder cannot be found; it was removed, or may not be entered');
      return 2;
    }
    if (code === 'ERR_INVALID_ARG_VALUE' && message.includes('without null bytes')) {
      printError('a path has a NUL character, which no path can hold');
      return 2;
    }
    // A system error, such as a full disk, is not a bug of repro and needs no stack trace.
    const sentence = describeSystemError(error, process.cwd());
    if (sentence === undefined) throw error;
    printError(sentence);
    return 1;
  }
}

/** Commands of DVC that repro does not have, and what does their work here. */
const DVC_COMMANDS: { readonly [command: string]: string } = {
  add: 'repro hashes a dependency where it is, so nothing has to be added',
  config: 'settings are in .repro/config.yaml; docs/repro.md lists them',
  destroy: 'the cache and all records are in the folder .repro',
  exp: '`repro -S key=value` edits a param and runs, `repro metrics diff` compares with git, `repro undo` takes the edit back',
  import: 'write a stage that downloads the file',
  'import-url': 'write a stage that downloads the file',
  install: 'repro has no git hooks; docs/recipes.md has a check for GitHub Actions',
  move: 'rename the file, and its path in pipeline.yaml',
  remote: '`repro push -r ADDRESS`, or `remotes:` in .repro/config.yaml',
  remove: 'remove the stage from pipeline.yaml; `repro gc` then names its outputs',
  repro: '`repro` alone runs the pipeline',
  stage: 'write the stage into pipeline.yaml',
};

/** An unknown target may be a mistyped command, "repro statsu", or a command of DVC, "repro exp run". */
function suggestCommand(error: ReproError, program: Command): string {
  if (!(error instanceof UnknownTarget)) return '';
  if (Object.hasOwn(DVC_COMMANDS, error.target))
    return `\nif you meant \`dvc ${error.target}\`: ${DVC_COMMANDS[error.target]}`;
  const command = nearestName(
    error.target,
    program.commands.map((command) => command.name()),
  );
  return command === undefined ? '' : `\nif you meant a command: repro ${command}`;
}

/** All commands. Their order is the order in the help and in completions. */
function buildProgram(exit: SetExitCode): Command {
  const program = runCommand(exit);
  program.commandsGroup('Status:');
  addStatusCommands(program, exit);
  program.commandsGroup('Results:');
  addResultCommands(program, exit);
  addVerifyCommand(program, exit);
  program.commandsGroup('Outputs and cache:');
  addOutputCommands(program, exit);
  program.commandsGroup('Pipeline and shell:');
  addUndoCommand(program, exit);
  addFreezeCommands(program, exit);
  program.commandsGroup('Outputs and cache:');
  addCacheCommands(program, exit);
  addTrashCommand(program, exit);
  program.commandsGroup('Pipeline and shell:');
  addSetupCommands(program, exit);
  addGitignoreCommand(program, exit);
  program
    .command('attempt', { hidden: true })
    .description('make one stage, as a job of Slurm')
    .argument('<file>')
    .argument('<index>', '', positiveOrZero)
    .action(async (file: string, index: number) =>
      exit(await (await import('./commands/attempt.ts')).attempt(file, index)),
    );
  return program;
}

/** `repro` without a command. */
function runCommand(exit: SetExitCode): Command {
  const collect = (value: string, before: string[] = []) => [...before, value];
  return new Command('repro')
    .description('Brings the pipeline in pipeline.yaml up to date. Runs only the stages that are out of date.')
    .exitOverride()
    .version(packageJson.version, '--version', 'print the version of repro')
    .configureOutput({ outputError: (text) => printError(text.replace(/^error: /, '').trimEnd()) })
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .argument('[target...]', 'stages, groups (train stands for every train@…) or outputs; default: all stages')
    .optionsGroup('Stages to run:')
    .option('-s, --single-item', 'run only the targets, not the stages they depend on')
    .option('-p, --pipeline', 'run all stages connected with the targets')
    .option('--downstream', 'run the targets and all stages that depend on them')
    .option('-P, --all-pipelines', 'run all stages, which is the default; for DVC compatibility')
    .option('--glob', 'read the targets as patterns, such as train@gpt-*')
    .option('-f, --force', 'run the stages even if nothing changed')
    .option('--force-downstream', 'if a stage runs, also run all stages that depend on it')
    .optionsGroup('Run options:')
    .option(
      '-j, --jobs <n>',
      'run up to n stages at once (default: number of cores, or of GPUs)',
      positiveInteger('-j'),
    )
    .option('-k, --keep-going', 'after a failure, go on with stages that do not depend on it')
    .option('--ignore-errors', 'like -k, and exit with 0')
    .option('--dry', 'show what would happen to each stage; change nothing')
    .option('--yes', 'start a run of more than an hour without asking')
    .option('--wait', 'wait while repro runs in this folder on another host')
    .option(
      '-S, --set-param <key=value>',
      'first set a param in params.yaml; +key=value adds a key, key=@other copies another value',
      collect,
    )
    .addOption(
      new Option('--on <where>', 'run stages here, or as jobs of Slurm; see docs/cluster.md').choices([
        'local',
        'slurm',
      ]),
    )
    .option('--detach', 'with Slurm: end when all jobs are submitted; the next repro takes their results')
    .optionsGroup('Cache and remote:')
    .option('--no-run-cache', 'do not restore results from the run cache; run the stages')
    .option('--no-commit', 'do not record the results in the lock and the caches')
    .option('--allow-missing', 'treat missing data as unchanged if the lock has its hash')
    .option('--pull', 'first fetch missing data that the lock lists from the remote')
    .option('-r, --remote <name|path>', 'the remote for --pull: a folder, or a name in .repro/config.yaml')
    .optionsGroup('Output options:')
    .option('--json', 'print events as JSON, one per line')
    .option('-q, --quiet', 'do not print the output of stages')
    .addHelpText(
      'after',
      '\nExit codes: 0 done · 1 a stage failed · 2 the pipeline or the command line is wrong · 130 interrupted\nExamples:\n  repro                       bring everything up to date\n  repro train -j 4            run all cells of train and the stages they depend on, four at once\n  repro -S train.lr=1e-3      change a param and run the stages that depend on it\n  repro status                show which stages would run, and why',
    )
    .action(async (targets: string[], options) =>
      exit(await (await import('./commands/run.ts')).run(targets, options)),
    );
}

/** status, why, show, dag. */
function addStatusCommands(program: Command, exit: SetExitCode): void {
  program
    .command('status')
    .description('show the state of each stage (fresh, stale, restorable, frozen or maybe) and the reasons')
    .argument('[target...]')
    .option('--allow-missing', 'treat missing data as unchanged if the lock has its hash')
    .option('--json', 'print JSON')
    .option('-q, --quiet', 'print nothing; exit with 1 if a stage is not up to date')
    .action(async (targets: string[], options) =>
      exit(await (await import('./commands/status.ts')).status(targets, options)),
    );

  program
    .command('why')
    .description(
      'show what changed since the last run of a stage: old and new value, and the last commit with the old one',
    )
    .argument('<stage>')
    .option('--allow-missing', 'treat missing data as unchanged if the lock has its hash')
    .option('--json', 'print JSON')
    .action(async (stage: string, options) => exit(await (await import('./commands/why.ts')).why(stage, options)));

  program
    .command('show')
    .description('show what a stage runs, reads and makes, with its params, and how long its last run took')
    .argument('<stage>')
    .option('--json', 'print JSON')
    .action(async (stage: string, options) => exit(await (await import('./commands/show.ts')).show(stage, options)));

  program
    .command('dag')
    .description('show which stages depend on which')
    .argument('[target...]')
    .option('-o, --outs', 'show outputs in place of stages')
    .addOption(new Option('--mermaid', 'print a Mermaid flowchart').conflicts(['dot', 'json']))
    .addOption(new Option('--dot', 'print a Graphviz digraph').conflicts(['mermaid', 'json']))
    .addOption(new Option('--json', 'print JSON').conflicts(['mermaid', 'dot']))
    .action(async (targets: string[], options) =>
      exit(await (await import('./commands/dag.ts')).dag(targets, options)),
    );
}

/** checkout, commit. */
function addOutputCommands(program: Command, exit: SetExitCode): void {
  program
    .command('checkout')
    .description('restore the outputs that the lock lists from the cache')
    .argument('[target...]', 'stages, groups, outputs, or files and folders in an output')
    .action(async (targets: string[]) => exit(await (await import('./commands/data.ts')).checkout(targets)));

  program
    .command('commit')
    .description('record the current outputs without running any stage')
    .argument('[target...]')
    .option('-f, --force', 'accepted for DVC compatibility; there is no prompt')
    .action(async (targets: string[], options) =>
      exit(await (await import('./commands/data.ts')).commit(targets, options)),
    );
}

/** undo. */
function addUndoCommand(program: Command, exit: SetExitCode): void {
  program
    .command('undo')
    .description('take back the params that the last call with -S set; refused if the file was edited since')
    .action(async () => exit(await (await import('./commands/undo.ts')).undo()));
}

/** verify. */
function addVerifyCommand(program: Command, exit: SetExitCode): void {
  program
    .command('verify')
    .description('run stages from nothing in a copy of the project, and compare the outputs')
    .argument('<stage...>')
    .action(async (stages: string[]) => exit(await (await import('./commands/verify.ts')).verify(stages)));
}

/** gitignore. */
function addGitignoreCommand(program: Command, exit: SetExitCode): void {
  program
    .command('gitignore')
    .description('add .repro, and outputs that the cache keeps and git does not know, to .gitignore')
    .argument('[target...]')
    .action(async (targets: string[]) => exit(await (await import('./commands/gitignore.ts')).gitignore(targets)));
}

/** freeze, unfreeze. */
function addFreezeCommands(program: Command, exit: SetExitCode): void {
  for (const [name, frozen, description] of [
    ['freeze', true, 'never run these stages; use their outputs as they are'],
    ['unfreeze', false, 'run these stages again when they are stale'],
  ] as const)
    program
      .command(name)
      .description(description)
      .argument('<stage...>')
      .action(async (stages: string[]) => exit(await (await import('./commands/freeze.ts')).freeze(stages, frozen)));
}

/** push, fetch, pull, gc. */
function addCacheCommands(program: Command, exit: SetExitCode): void {
  for (const [name, description] of [
    ['push', 'copy outputs and recorded runs to a remote'],
    ['fetch', 'copy outputs and recorded runs from a remote into the cache'],
    ['pull', 'fetch, then checkout'],
  ] as const)
    program
      .command(name)
      .description(description)
      .argument('[target...]')
      .option('-r, --remote <name|path>', 'a folder, or a name in .repro/config.yaml')
      .action(async (targets: string[], options) =>
        exit(await (await import('./commands/remote.ts')).remote(name, targets, options)),
      );

  program
    .command('gc')
    .description('list old runs and files that can be deleted; with --yes, delete them')
    .option('--yes', 'delete them')
    .option('--age <time>', 'keep runs used within this time, such as 12h or 30d')
    .option('--size <bytes>', 'keep the newest runs up to this total size, such as 500MB or 10GiB')
    .option(
      '--remote [name|path]',
      'in a remote: what no commit of this repository needs and no push of the last 14 days (--age)',
    )
    .option('--project <folder...>', 'with --remote: other projects that use it')
    .option('--json', 'print JSON')
    .action(async (options) =>
      exit(
        options.remote === undefined
          ? await (await import('./commands/gc.ts')).gc(options)
          : await (await import('./commands/gc-remote.ts')).gcRemote(options),
      ),
    );
}

/** trash. */
function addTrashCommand(program: Command, exit: SetExitCode): void {
  const trash = program
    .command('trash')
    .description('list the files that were moved away because a stage would have replaced them')
    .option('--json', 'print JSON')
    .action(async (options) => exit(await (await import('./commands/trash.ts')).showTrash(options)));
  trash
    .command('restore')
    .description('put a file back where it was; nothing is overwritten')
    .argument('<path>')
    .action(async (path: string) => exit(await (await import('./commands/trash.ts')).restoreTrash(path)));
}

/** completion, init, import-dvc. */
function addSetupCommands(program: Command, exit: SetExitCode): void {
  program
    .command('completion')
    .description('print a shell script that completes commands, options and stages: source <(repro completion bash)')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: 'bash' | 'zsh' | 'fish') =>
      exit((await import('./commands/completion.ts')).completion(shell, program)),
    );

  program
    .command('init')
    .description('create a small working pipeline')
    .action(async () => exit(await (await import('./commands/init.ts')).init()));

  program
    .command('import-dvc')
    .description('write a pipeline.yaml from the dvc.yaml files in a folder, and report what is left to do')
    .argument('[folder]')
    .option('--dry', 'print the new files and the report; write nothing')
    .option('-f, --force', 'move files that are in the way to the trash')
    .action(async (folder: string | undefined, options) =>
      exit(await (await import('./commands/import-dvc.ts')).importDvc(folder, options)),
    );
}
