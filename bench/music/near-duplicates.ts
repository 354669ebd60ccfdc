/**
 * Measures how well renderings of a piece are found, on MIDI files whose piece is known by their folder.
 *
 *     npx tsx bench/music/near-duplicates.ts PERFORMANCES [OTHERS…]
 *
 * PERFORMANCES: a folder whose innermost folders are pieces, with the renderings of each. OTHERS: folders in which each file is a
 * piece. Prints the share of pairs of renderings that are grouped, and the pairs of different pieces that are grouped too, by name:
 * some of them are renderings in truth.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { groupNearDuplicates } from '../../lib/corpus/splitting/near-duplicates.ts';
import { midiToScore, sketchOf } from '../../lib/music/index.ts';

const [performances, ...others] = process.argv.slice(2);
if (performances === undefined) {
  console.error('Usage: npx tsx bench/music/near-duplicates.ts PERFORMANCES [OTHERS…]');
  process.exit(2);
}

const tunes: { piece: string; path: string; sketch: Uint32Array }[] = [];
for (const [k, folder] of [performances, ...others].entries()) {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!/\.midi?$/i.test(name)) continue;
    const path = join(folder, name);
    try {
      const sketch = sketchOf(midiToScore(readFileSync(path)).score);
      tunes.push({ piece: k === 0 ? dirname(path) : path, path, sketch });
    } catch (error) {
      console.error(`${path}: ${(error as Error).message}`);
    }
  }
}

const began = performance.now();
const groups = groupNearDuplicates(tunes.map(({ sketch }) => sketch));
const seconds = (performance.now() - began) / 1000;
let renderings = 0;
let caught = 0;
let different = 0;
let together = 0;
for (const [a, first] of tunes.entries()) {
  for (const [b, second] of tunes.entries()) {
    if (b <= a) continue;
    const grouped = groups[a] === groups[b];
    if (first.piece === second.piece) {
      renderings++;
      caught += Number(grouped);
    } else {
      different++;
      together += Number(grouped);
      if (grouped) console.log(`${first.path} | ${second.path}`);
    }
  }
}
console.log(
  `${tunes.length} files, grouped in ${seconds.toFixed(1)} s: ${caught} of ${renderings} pairs of renderings ` +
    `(${((100 * caught) / renderings).toFixed(1)} %); ${together} of ${different} other pairs ` +
    `(${((1e6 * together) / different).toFixed(1)} per million)`,
);
