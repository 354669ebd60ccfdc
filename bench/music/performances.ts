/**
 * Measures how well performances are told from files that were set on a grid.
 *
 *   npx tsx bench/music/performances.ts FOLDER
 *
 * FOLDER: .mid files in any depth. Those whose name has "score" are scores, the others performances, as in the ASAP data
 * set (Foscarin et al. 2020). Prints what is taken for the other kind.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { MusicError, midiToScore } from '../../lib/music/index.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('Usage: npx tsx bench/music/performances.ts FOLDER');
  process.exit(2);
}

const counts = { score: { files: 0, right: 0 }, performance: { files: 0, right: 0 } };
for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
  if (!/\.midi?$/i.test(path)) continue;
  const isScore = basename(path).includes('score');
  const count = counts[isScore ? 'score' : 'performance'];
  try {
    const { performance } = midiToScore(readFileSync(join(folder, path)));
    count.files++;
    if (performance !== isScore) count.right++;
    else console.log(`${path}: taken for a ${isScore ? 'performance' : 'score'}`);
  } catch (error) {
    if (!(error instanceof MusicError)) throw error;
    console.log(`${path}: ${error.message}`);
  }
}
for (const [kind, { files, right }] of Object.entries(counts)) console.log(`${kind}: ${right} of ${files} told right`);
