/**
 * Calls the programs that the converter is compared with: midi2abc and abc2midi (Debian: abcmidi), and abcjs. `has`
 * checks whether a program is installed; abcjsWarnings returns undefined if abcjs is missing.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const scratch = mkdtempSync(join(tmpdir(), 'bench-music-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

/** Checks whether a program is installed. */
export function has(program: string): boolean {
  return spawnSync(program, ['-ver']).error === undefined;
}

/** Runs midi2abc on a file and returns its output. */
export function midi2abc(path: string, options: string[] = []): Buffer {
  return spawnSync('midi2abc', [path, ...options], { maxBuffer: 1 << 28 }).stdout;
}

/**
 * Starts a program once for each file, one after another. Returns seconds of CPU (user and system) and of wall time.
 */
export function secondsToRun(program: string, paths: string[]): { cpu: number; wall: number } {
  const loop = `for path; do ${program} "$path" >/dev/null 2>&1; done; times`;
  const began = performance.now();
  const { stdout } = spawnSync('sh', ['-c', loop, 'sh', ...paths], { encoding: 'utf8' });
  const wall = (performance.now() - began) / 1000;
  // The second line of `times` is the CPU time of the shell's children: 0m1.23s 0m4.56s.
  const [user, system] = stdout.trim().split('\n')[1].split(' ');
  const seconds = (text: string) => Number(text.split('m')[0]) * 60 + Number.parseFloat(text.split('m')[1]);
  return { cpu: seconds(user) + seconds(system), wall };
}

/** Converts a text with abc2midi. Returns its MIDI file and the lines of its output that begin with Error. */
export function abc2midi(abc: string, options: string[] = []): { midi: Uint8Array | undefined; errors: string[] } {
  const [from, to] = [join(scratch, 'tune.abc'), join(scratch, 'tune.mid')];
  rmSync(to, { force: true });
  writeFileSync(from, abc);
  const { stdout, stderr } = spawnSync('abc2midi', [from, '-o', to, ...options], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const errors = `${stdout}\n${stderr}`.split('\n').filter((line) => /^\s*Error/i.test(line));
  try {
    return { midi: readFileSync(to), errors };
  } catch {
    return { midi: undefined, errors };
  }
}

/** Loads abcjs. Returns a function that gives its warnings for a text. */
export async function abcjsWarnings(): Promise<((abc: string) => string[]) | undefined> {
  try {
    const { default: abcjs } = await import('abcjs');
    return (abc) => {
      try {
        return abcjs.parseOnly(abc)[0]?.warnings ?? [];
      } catch (error) {
        // abcjs throws on some damaged texts.
        return [String(error)];
      }
    };
  } catch {
    return undefined;
  }
}
