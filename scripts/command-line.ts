/**
 * The command line of benchmarks and scripts, with the options that parseArgs of Node takes.
 *
 *   const { values } = parseOptions(import.meta.url, { options: { seconds: { type: 'string', default: '3' } } });
 *
 * `--help` prints the comment that the program begins with, and its options. A wrong option ends the program with one
 * sentence and exit code 2.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ParseArgsConfig, parseArgs } from 'node:util';

/**
 * Parses the arguments of the process.
 *
 * @param url `import.meta.url` of the program
 * @param config that of parseArgs
 */
export function parseOptions<Config extends ParseArgsConfig>(
  url: string,
  config: Config,
): ReturnType<typeof parseArgs<Config>> {
  const options = Object.entries(config.options ?? {}).map(([name, { type }]) =>
    type === 'string' ? `--${name} VALUE` : `--${name}`,
  );
  const known = options.length > 0 ? `options: ${options.join(', ')}` : 'there are no options';
  if (process.argv.slice(2).includes('--help')) {
    console.log([openingComment(url), known].filter(Boolean).join('\n\n'));
    process.exit();
  }
  try {
    return parseArgs(config);
  } catch (error) {
    // Node adds hints about `--` in further sentences.
    const [sentence] = (error as Error).message.split('. ');
    console.error(`${sentence}; ${known}`);
    process.exit(2);
  }
}

/** The text of the comment at the beginning of a source, or "" if there is none, as in a bundle. */
function openingComment(url: string): string {
  const path = fileURLToPath(url);
  const [, comment = ''] =
    /^(?:#!.*\n)?\/\*\*(.*?)\*\//s.exec(existsSync(path) ? readFileSync(path, 'utf8') : '') ?? [];
  return comment.replace(/^ \* ?/gm, '').trim();
}
