/**
 * The type declarations of a public face: the files that declare what its index.ts exports, and an index.d.ts that names
 * just that. Declarations of everything that these files import would be 60 files of the runner's own parts.
 *
 *   lib/repro/index.ts: export { openProgress, type Progress } from './stage-api/index.ts'
 *   → index.d.ts: export { openProgress, type Progress } from './progress.js'; and progress.d.ts
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(fileURLToPath(import.meta.url), '../..');
/** One `export { a, type B } from './file.ts'`. */
const RE_EXPORT = /export \{([^}]*)\} from '(\.[^']*)\.ts';/g;

/**
 * Emits the declarations with tsc.
 *
 * @param face its path in the project
 * @returns texts by file name
 * @throws Error if tsc fails, two files have one name, or a file that declares an export imports another one
 */
export function publicTypes(face: string): Map<string, string> {
  const cache = join(ROOT, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'types-'));
  try {
    emit(face, folder);
    const index = readFileSync(join(folder, face.replace(/\.ts$/, '.d.ts')), 'utf8');
    const files = new Map<string, string>();
    const paths = new Set<string>();
    const exported = namesIn(index).map(([name, file]) => {
      const path = declaring(join(folder, dirname(face), file), name.replace(/^type /, ''));
      const text = readFileSync(path, 'utf8');
      if (/^import |from '\./m.test(text)) throw new Error(`${path} imports other files; publish what it needs too`);
      paths.add(path);
      files.set(basename(path), text);
      return `export { ${name} } from './${basename(path, '.d.ts')}.js';\n`;
    });
    if (paths.size !== files.size) throw new Error(`two of ${[...paths]} have the same name`);
    return files.set('index.d.ts', exported.join(''));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function emit(face: string, folder: string): void {
  const config = join(folder, 'tsconfig.json');
  const emitted = { noEmit: false, declaration: true, emitDeclarationOnly: true, rootDir: ROOT, outDir: folder };
  const extended = { extends: join(ROOT, 'tsconfig.json'), compilerOptions: emitted, include: [] };
  writeFileSync(config, JSON.stringify({ ...extended, files: [join(ROOT, face)] }));
  execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', config], { stdio: 'inherit' });
}

/** The re-exports of a text: each name, with "type " before it for a type, and its file without extension. */
function namesIn(text: string): [name: string, file: string][] {
  return [...text.matchAll(RE_EXPORT)].flatMap(([, names, file]) =>
    names
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '')
      .map((name): [string, string] => [name, file]),
  );
}

/** The file that declares a name which the file at `path` exports; `path` is without extension. */
function declaring(path: string, name: string): string {
  const text = readFileSync(`${path}.d.ts`, 'utf8');
  const found = namesIn(text).find(([each]) => each.replace(/^type /, '') === name);
  return found === undefined ? `${path}.d.ts` : declaring(join(dirname(path), found[1]), name);
}
