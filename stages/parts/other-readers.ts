/**
 * Checks an ABC text with other programs: abcjs, which the report page uses, and abc2midi where it is installed
 * (Debian: abcmidi). Neither checks the lengths of bars, so they accept more than checkAbc.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import abcjs from 'abcjs';

/** Milliseconds after which abc2midi is ended. */
const TIMEOUT = 10_000;

/** Whether abcjs reads the text without a warning. */
export function abcjsAccepts(abc: string): boolean {
  try {
    const [tune] = abcjs.parseOnly(abc);
    return tune !== undefined && tune.lines.length > 0 && (tune.warnings ?? []).length === 0;
  } catch {
    // It throws on some damaged texts.
    return false;
  }
}

/**
 * A function that says whether abc2midi makes a MIDI file of a text without an error; undefined if it is not installed.
 */
export function abc2midiCheck(): ((abc: string) => boolean) | undefined {
  const { error } = spawnSync('abc2midi', ['-ver'], { timeout: TIMEOUT });
  if (error !== undefined) return undefined;
  return (abc) => {
    const folder = mkdtempSync(join(tmpdir(), 'abc2midi-'));
    try {
      const [from, to] = [join(folder, 'in.abc'), join(folder, 'out.mid')];
      writeFileSync(from, abc);
      const { stdout, stderr } = spawnSync('abc2midi', [from, '-o', to], { encoding: 'utf8', timeout: TIMEOUT });
      // Its exit code is 0 on almost every error.
      return !/^Error/m.test(`${stdout}\n${stderr}`) && (statSync(to, { throwIfNoEntry: false })?.size ?? 0) > 0;
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
}
