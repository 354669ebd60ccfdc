/** The pipelines that repro is measured on, each in a new folder, and the same as wireit's scripts. They hold nothing but files. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** How many files a folder of many files is spread over. */
const FOLDERS = 100;

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

function write(folder: string, files: { [path: string]: string }): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** So many stages side by side, each of an input and an output of its own. */
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

/** One stage that reads a folder of so many small files, and their paths. */
export function manyFiles(folder: string, count: number): string[] {
  const paths = numbers(count).map((i) => `in/${i % FOLDERS}/${i}`);
  write(folder, {
    'pipeline.yaml': 'stages: {list: {cmd: ls in > out, deps: [in], outs: [out]}}\n',
    'package.json': wireitScripts(1, () => ({ command: 'ls in > out', files: ['in/**'], output: ['out'] })),
  });
  write(folder, Object.fromEntries(paths.map((path, i) => [path, `${i}\n`])));
  return paths;
}

/** So many stages that do nothing, with one input between them. */
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
