/** Every command and option of `repro`, with its help. What a command does is in commands/, loaded when it is called. */
import { Argument, Command, CommanderError, Option } from 'commander';
import { nearestName, ReproError } from '../messages/index.ts';
import { UnknownTarget } from '../pipeline/index.ts';

/** Carries out a call and returns its exit code: 0 done, 1 a stage failed, 2 the pipeline or the call is wrong. */
export async function runProgram(args: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = buildProgram((code) => {
    exitCode = code;
  });
  // Who closes the pipe that we write to (`repro dag | head`) has seen enough.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitCode);
    throw error;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof ReproError) {
      process.stderr.write(`repro: ${error.message}${commandMeant(error, program)}\n`);
      return error.exitCode;
    }
    const { code, message } = error as NodeJS.ErrnoException;
    // A fault of the machine, such as a full disk, is no bug of repro.
    if (typeof code === 'string' && /^E[A-Z]+$/.test(code)) {
      process.stderr.write(`repro: ${message}\n`);
      return 1;
    }
    throw error;
  }
}

/** A target that is none may be a command mistyped. */
function commandMeant(error: ReproError, program: Command): string {
  if (!(error instanceof UnknownTarget)) return '';
  const meant = nearestName(
    error.target,
    program.commands.map((command) => command.name()),
  );
  return meant === undefined ? '' : `\nif a command is meant: repro ${meant}`;
}

function buildProgram(exit: (code: number) => void): Command {
  const collect = (value: string, before: string[] = []) => [...before, value];
  const whole = (option: string) => (value: string) => {
    const number = Number(value);
    if (!Number.isInteger(number) || number < 1)
      throw new ReproError(`${option} ${value}: must be a whole number from 1`);
    return number;
  };
  const program = new Command('repro')
    .description('Brings the pipeline in pipeline.yaml up to date: runs what changed, and nothing else.')
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'repro: ')) })
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .argument('[target...]', 'stages, groups of them (train for every train@…) or outputs; default: everything')
    .optionsGroup('Which stages:')
    .option('-s, --single-item', 'the targets alone, without what they need')
    .option('-p, --pipeline', 'the whole pipelines that the targets are part of')
    .option('--downstream', 'the targets and everything that needs them')
    .option('--glob', 'targets are patterns: train@gpt-*')
    .option('-f, --force', 'run them even if nothing changed')
    .optionsGroup('How:')
    .option('-j, --jobs <n>', 'how many stages run at once (default: cores, or GPUs)', whole('-j'))
    .option('-k, --keep-going', 'after a failure, go on with what does not depend on it')
    .option('--ignore-errors', 'as -k, and exit 0')
    .option('--dry', 'say what would become of each stage; change nothing')
    .option(
      '-S, --set-param <key=value>',
      'edit params.yaml first; +key=value adds one, key=@other copies one',
      collect,
    )
    .optionsGroup('What is kept and taken from earlier runs:')
    .option('--no-run-cache', 'run even what the run cache could restore')
    .option('--no-commit', 'do not record what was made')
    .option('--allow-missing', 'take missing data for unchanged where the lock knows it')
    .option('--pull', 'fetch from the remote what the lock knows and is not here')
    .option('-r, --remote <name|path>', 'the remote for --pull')
    .optionsGroup('What is said:')
    .option('--json', 'events as JSON, one a line')
    .option('-q, --quiet', 'leave out what stages say')
    .addHelpText(
      'after',
      '\nExit codes: 0 done · 1 a stage failed · 2 the pipeline or the call is wrong · 130 interrupted\nExamples:\n  repro                       bring everything up to date\n  repro train -j 4            all cells of train and what they need, four at a time\n  repro -S train.lr=1e-3      change a param and run what it touches\n  repro status                what would run, and why',
    )
    .action(async (targets: string[], options) =>
      exit(await (await import('./commands/run.ts')).run(targets, options)),
    );

  program.commandsGroup('What there is to do, and why:');
  program
    .command('status')
    .description('each stage: fresh, stale, restorable, frozen or maybe, with the reasons')
    .argument('[target...]')
    .option('--json', 'as JSON')
    .option('-q, --quiet', 'say nothing; exit 1 if anything is stale')
    .action(async (targets: string[], options) =>
      exit(await (await import('./commands/status.ts')).status(targets, options)),
    );

  program
    .command('why')
    .description('what differs from the last run of a stage, old and new, and the commit that last had the old')
    .argument('<stage>')
    .option('--json', 'as JSON')
    .action(async (stage: string, options) => exit(await (await import('./commands/why.ts')).why(stage, options)));

  program
    .command('dag')
    .description('which stage needs which')
    .argument('[target...]')
    .addOption(new Option('--mermaid', 'as a Mermaid flowchart').conflicts(['dot', 'json']))
    .addOption(new Option('--dot', 'as a Graphviz digraph').conflicts(['mermaid', 'json']))
    .addOption(new Option('--json', 'as JSON').conflicts(['mermaid', 'dot']))
    .action(async (targets: string[], options) =>
      exit(await (await import('./commands/dag.ts')).dag(targets, options)),
    );

  program.commandsGroup('What came of it:');
  const comparison = (command: Command, all: string) =>
    command
      .option('--json', 'as JSON')
      .option('--md', 'as a Markdown table')
      .option('--all', all)
      .option('--precision <digits>', 'significant digits at most (default: 5)', whole('--precision'));

  const metrics = program.command('metrics').description('what stages measured');
  comparison(
    metrics.command('show').description('the metrics there are now').argument('[file...]'),
    'also what stands in lists of mappings',
  ).action(async (files: string[], options) =>
    exit(await (await import('./commands/metrics.ts')).showMetrics(files, options)),
  );
  comparison(
    metrics
      .command('diff')
      .description('what changed from revision A (default HEAD) to B (default the workspace)')
      .argument('[a]')
      .argument('[b]'),
    'also what did not change, what only one side has, and what stands in lists of mappings',
  ).action(async (a: string | undefined, b: string | undefined, options) =>
    exit(await (await import('./commands/metrics.ts')).diffMetrics(a, b, options)),
  );

  const params = program.command('params').description('what stages are given');
  comparison(
    params
      .command('diff')
      .description('what changed from revision A (default HEAD) to B (default the workspace)')
      .argument('[a]')
      .argument('[b]'),
    'also what did not change',
  ).action(async (a: string | undefined, b: string | undefined, options) =>
    exit(await (await import('./commands/metrics.ts')).diffParams(a, b, options)),
  );

  const plots = program.command('plots').description('what stages drew, and tables of theirs drawn, as one HTML page');
  for (const [name, words] of [
    ['show', 'the plots there are now'],
    ['diff', 'tables of revision A (default HEAD) and B (default the workspace) in one plot each'],
  ] as const) {
    const command = plots.command(name).description(words).option('-o, --out <file>', 'the page', '.repro/plots.html');
    if (name === 'diff') command.argument('[a]').argument('[b]');
    command.action(async (...args: unknown[]) => {
      const { drawPlots } = await import('./commands/plots.ts');
      const [a, b] = name === 'diff' ? (args as (string | undefined)[]) : [];
      const { out } = command.opts<{ out: string }>();
      exit(await drawPlots(name === 'diff' ? [a ?? 'HEAD', b] : undefined, out));
    });
  }

  program
    .command('log')
    .description('attempts: when, how long, how it ended; with a stage also what its last one said')
    .argument('[stage]')
    .option('-n, --last <n>', 'how many at most (default: 30; of one stage 1000)', whole('-n'))
    .option('--json', 'as JSON')
    .action(async (stage: string | undefined, options) =>
      exit(await (await import('./commands/log.ts')).log(stage, options)),
    );

  program.commandsGroup('Outputs and the cache:');
  program
    .command('checkout')
    .description('put back outputs as the lock has them, from the cache')
    .argument('[target...]')
    .action(async (targets: string[]) => exit(await (await import('./commands/data.ts')).checkout(targets)));

  program
    .command('commit')
    .description('record outputs as they are, without running anything')
    .argument('[target...]')
    .option('-f, --force', 'kept for those used to DVC: nothing is asked')
    .action(async (targets: string[], options) =>
      exit(await (await import('./commands/data.ts')).commit(targets, options)),
    );

  program.commandsGroup('The pipeline:');
  for (const [name, frozen, words] of [
    ['freeze', true, 'take stages as they are and never run them'],
    ['unfreeze', false, 'run them again when they are stale'],
  ] as const)
    program
      .command(name)
      .description(words)
      .argument('<stage...>')
      .action(async (stages: string[]) => exit(await (await import('./commands/freeze.ts')).freeze(stages, frozen)));

  for (const [name, words] of [
    ['push', 'copy outputs and runs to a remote'],
    ['fetch', 'copy them from a remote into the cache'],
    ['pull', 'fetch, then checkout'],
  ] as const)
    program
      .command(name)
      .description(words)
      .argument('[target...]')
      .option('-r, --remote <name|path>', 'a folder, or its name in .repro/config.yaml')
      .action(async (targets: string[], options) =>
        exit(await (await import('./commands/remote.ts')).remote(name, targets, options)),
      );

  program
    .command('gc')
    .description('list what could be freed; with --yes, free it')
    .option('--yes', 'free it')
    .option('--age <time>', 'keep runs used within this time: 12h, 30d')
    .option('--size <bytes>', 'keep the newest runs up to this size in all: 500MB, 10GiB')
    .option('--json', 'as JSON')
    .action(async (options) => exit(await (await import('./commands/gc.ts')).gc(options)));

  program
    .command('completion')
    .description('a script that completes commands, options and stages: source <(repro completion bash)')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: 'bash' | 'zsh' | 'fish') =>
      exit((await import('./commands/completion.ts')).completion(shell, program)),
    );

  program
    .command('init')
    .description('make a small pipeline that works')
    .action(async () => exit(await (await import('./commands/init.ts')).init()));
  return program;
}
