/** The commands that show or compare results: metrics, params, plots, log. Their help texts and options. */
import { type Command, Option } from 'commander';
import { positiveInteger, type SetExitCode } from './option-values.ts';

/** metrics, params, plots, log. */
export function addResultCommands(program: Command, exit: SetExitCode): void {
  const comparison = (command: Command, all: string) =>
    command
      .option('--json', 'print JSON')
      .option('--md', 'print a Markdown table')
      .option('--all', all)
      .option(
        '--precision <digits>',
        'at most this many significant digits (default: 5)',
        positiveInteger('--precision'),
      );

  const metrics = program.command('metrics').description('show or compare metrics: the numbers that stages measured');
  comparison(
    metrics.command('show').description('show the metrics in the workspace').argument('[file...]'),
    'also show the values in lists of mappings',
  ).action(async (files: string[], options) =>
    exit(await (await import('./commands/metrics.ts')).showMetrics(files, options)),
  );
  comparison(
    metrics
      .command('diff')
      .description('show what changed from revision A (default HEAD) to B (default: the workspace)')
      .argument('[a]')
      .argument('[b]'),
    'also show unchanged values, files that only one side has, and values in lists of mappings',
  )
    .addOption(targets())
    .action(async (a: string | undefined, b: string | undefined, options) =>
      exit(await (await import('./commands/metrics.ts')).diffMetrics(a, b, options)),
    );

  const params = program.command('params').description('show or compare params: the inputs of stages');
  comparison(
    params.command('show').description('show the params in the workspace').argument('[file...]'),
    'accepted as in `metrics show`; all values are shown anyway',
  ).action(async (files: string[], options) =>
    exit(await (await import('./commands/metrics.ts')).showParams(files, options)),
  );
  comparison(
    params
      .command('diff')
      .description('show what changed from revision A (default HEAD) to B (default: the workspace)')
      .argument('[a]')
      .argument('[b]'),
    'also show unchanged params',
  )
    .addOption(targets())
    .action(async (a: string | undefined, b: string | undefined, options) =>
      exit(await (await import('./commands/metrics.ts')).diffParams(a, b, options)),
    );

  const plots = program
    .command('plots')
    .description('show or compare plots on one HTML page: images, Vega-Lite specs and tables');
  for (const [name, description] of [
    ['show', 'draw the plots in the workspace'],
    ['diff', 'draw the plots of revision A (default HEAD) and B (default: the workspace) together'],
  ] as const) {
    const command = plots
      .command(name)
      .description(description)
      .option('-o, --out <file>', 'write the page to this file (default: .repro/plots.html of the project)');
    if (name === 'diff') command.argument('[a]').argument('[b]');
    command.action(async (...args: unknown[]) => {
      const { drawPlots } = await import('./commands/plots.ts');
      const [a, b] = name === 'diff' ? (args as (string | undefined)[]) : [];
      const { out } = command.opts<{ out?: string }>();
      exit(await drawPlots(name === 'diff' ? [a ?? 'HEAD', b] : undefined, out));
    });
  }

  program
    .command('log')
    .description('list attempts: start, duration, outcome; for one stage also the output of its last attempt')
    .argument('[stage]')
    .option('-f, --follow', 'while the stage runs, go on to print its output')
    .option('-n, --last <n>', 'list at most n attempts (default: 30; for one stage 1000)', positiveInteger('-n'))
    .option('--tail <n>', 'print only the last n lines of the output', positiveInteger('--tail'))
    .option('--json', 'print JSON')
    .action(async (stage: string | undefined, options) =>
      exit(await (await import('./commands/log.ts')).log(stage, options)),
    );
}

/** --targets of the commands that compare. */
function targets(): Option {
  return new Option('--targets <file...>', 'compare only these files, or the files in these folders');
}
