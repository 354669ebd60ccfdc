/** Writes the pipelines that the benchmarks run, and the same pipelines as wireit scripts. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Number of subfolders that many files are spread over. */
const FOLDERS = 100;

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

function write(folder: string, files: { [path: string]: string }): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** Writes `count` independent stages, each with its own input and output. */
export function copies(folder: string, count: number): void {
  write(folder, {
    'pipeline.yaml': `stages:
  copy:
    foreach: [${numbers(count).join(', ')}]
    do:
      cmd: cp in/\${item} out/\${item}
      deps: ['in/\${item}']
      outs: ['out/\${item}']
`,
    'package.json': wireitScripts(count, (i) => ({
      command: `cp in/${i} out/${i}`,
      files: [`in/${i}`],
      output: [`out/${i}`],
    })),
    'out/.keep': '',
  });
  write(folder, Object.fromEntries(numbers(count).map((i) => [`in/${i}`, `${i}\n`])));
}

/**
 * Writes one stage that reads a folder of `count` small files.
 *
 * @returns the paths of these files, relative to `folder`
 */
export function manyFiles(folder: string, count: number): string[] {
  const paths = numbers(count).map((i) => `in/${i % FOLDERS}/${i}`);
  write(folder, {
    'pipeline.yaml': 'stages: {list: {cmd: ls in > out, deps: [in], outs: [out]}}\n',
    'package.json': wireitScripts(1, () => ({ command: 'ls in > out', files: ['in/**'], output: ['out'] })),
  });
  write(folder, Object.fromEntries(paths.map((path, i) => [path, `${i}\n`])));
  return paths;
}

/** Writes `count` stages that run `true` and share one input. */
export function nothings(folder: string, count: number): void {
  write(folder, {
    'pipeline.yaml': `stages:
  nothing:
    foreach: [${numbers(count).join(', ')}]
    do: {cmd: "true", deps: [input]}
`,
    'package.json': wireitScripts(count, () => ({ command: 'true', files: ['input'], output: [] })),
    input: 'x\n',
  });
}

function wireitScripts(count: number, script: (i: number) => object): string {
  const names = numbers(count).map((i) => `s${i}`);
  return JSON.stringify({
    scripts: Object.fromEntries(['all', ...names].map((name) => [name, 'wireit'])),
    wireit: { all: { dependencies: names }, ...Object.fromEntries(names.map((name, i) => [name, script(i)])) },
  });
}
