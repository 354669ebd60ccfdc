/**
 * Passes damaged MIDI files, ABC texts and MusicXML to every reader of lib/music. Each call must give a result or a MusicError,
 * within two seconds of CPU time and limited memory.
 *
 *   npx tsx test/music/fuzz.ts [rounds = 20000] [seed = 1] [corpus folder]
 *
 * A seed always gives the same mutations. Inputs that fail are written to the working directory. A watchdog
 * (fuzz-watchdog.ts) does that for an input that hangs, and ends the process. fuzz.test.ts has a short run. It does not measure or use code coverage.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  abcToMidi,
  checkAbc,
  MusicError,
  midiToAbc,
  musicXmlToAbc,
  trimToCompleteBars,
} from '../../lib/music/index.ts';
import { Watchdog } from './fuzz-watchdog.ts';
import { meta, midi, notes } from './midi-bytes.ts';
import { seedScore } from './musicxml-text.ts';

/** Seconds of CPU time that a call may take. */
const SECONDS = 2;
/** Seconds after which an input counts as a hang. The machine may be busy, so it is far more than SECONDS. */
const HANG_SECONDS = 120;
/** MB by which the process may grow. */
const MEMORY = 600;

/** mulberry32: 32 bits of state, uniform in [0, 1). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Damages a file: bytes are flipped, cut out, doubled or spliced from another file, lengths and times forged. */
export function mutateMidi(seeds: Uint8Array[], next: () => number): Uint8Array {
  const below = (n: number) => Math.floor(next() * n);
  let bytes = Uint8Array.from(seeds[below(seeds.length)]);
  for (let i = 1 + below(6); i > 0 && bytes.length > 0; i--) {
    const at = below(bytes.length);
    switch (below(8)) {
      case 0:
        bytes[at] = below(256);
        break;
      case 1:
        bytes[at] ^= 1 << below(8);
        break;
      case 2:
        bytes = bytes.subarray(0, at).slice();
        break;
      case 3:
        bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + 1 + below(40))]);
        break;
      case 4: {
        const other = seeds[below(seeds.length)];
        const from = below(other.length);
        bytes = Uint8Array.from([
          ...bytes.subarray(0, at),
          ...other.subarray(from, from + below(400)),
          ...bytes.subarray(at),
        ]);
        break;
      }
      case 5:
        for (let k = at; k < Math.min(bytes.length, at + 4); k++) bytes[k] = [0xff, 0x7f, 0x80, 0x00][below(4)];
        break;
      case 6:
        bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(Math.max(0, at - below(60)))]);
        break;
      case 7:
        forgeLength(bytes, at, next);
        break;
    }
  }
  return bytes;
}

/**
 * Forges the length of the next chunk, or of the first if none follows: too long, too short, or with the sign bit set.
 */
function forgeLength(bytes: Uint8Array, from: number, next: () => number): void {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunk = Math.max(file.indexOf('MT', from), file.indexOf('MT'));
  if (chunk < 0 || chunk + 8 > file.length) return;
  const before = file.readUInt32BE(chunk + 4);
  const forged = [0, 1, before + 1, before - 1, 2 * before, 0x7fffffff, 0x80000000, 0xffffffff];
  file.writeUInt32BE(forged[Math.floor(next() * forged.length)] >>> 0, chunk + 4);
}

const ABC_PIECES =
  '|:|:|::||]|[1|2[V:1]|[V:2]|[K:Eb]|[M:7/8]|[L:1/64]|[Q:1/4=90]|[I:MIDI program 9]|\n|&|-|(3|(5:4:7|{ge}|"Am"|!trill!|>|<<|Z4|z|x2|^|__|=c|c\'|C,,|[CEG]|[|]|/|//|999999999|0|V:3\n|K:Am\n|M:C\n|%%MIDI channel 10\n|\u0000|é|𝄞'.split(
    '|',
  );

/** Damages a text: characters are removed, replaced or cut, and pieces of ABC are inserted at random places. */
export function mutateAbc(seeds: string[], next: () => number): string {
  const below = (n: number) => Math.floor(next() * n);
  let text = seeds[below(seeds.length)];
  for (let i = 1 + below(6); i > 0; i--) {
    const at = below(text.length + 1);
    switch (below(6)) {
      case 0:
        text = text.slice(0, at);
        break;
      case 1:
        text = text.slice(0, at) + text.slice(at + 1 + below(12));
        break;
      case 2:
      case 3:
        text = text.slice(0, at) + ABC_PIECES[below(ABC_PIECES.length)] + text.slice(at);
        break;
      case 4: {
        const other = seeds[below(seeds.length)];
        const from = below(other.length);
        text = text.slice(0, at) + other.slice(from, from + below(200)) + text.slice(at);
        break;
      }
      case 5:
        text = text.slice(0, at) + String.fromCharCode(32 + below(95)) + text.slice(at + 1);
        break;
    }
  }
  return text;
}

const XML_PIECES = [
  '<chord/>',
  '<grace/>',
  '<rest/>',
  '<note><chord/><pitch><step>E</step><octave>4</octave></pitch><duration>5</duration></note>',
  '<backup><duration>7</duration></backup>',
  '<attributes><divisions>7</divisions><time><beats>5</beats><beat-type>8</beat-type></time></attributes>',
  '<barline><repeat direction="backward" times="9"/><ending number="1,7" type="start"/></barline>',
  '</measure><measure>',
  '</part><part id="P2">',
  '<unpitched/>',
  '&amp;&x;',
];
const XML_NUMBERS = ['0', '-1', '', '1e300', '0.3', '128', '999999', 'NaN'];

/** Damages XML: elements are removed, doubled and inserted, numbers exchanged, and characters cut or replaced. */
export function mutateXml(seed: string, next: () => number): string {
  const below = (n: number) => Math.floor(next() * n);
  let text = seed;
  for (let i = 1 + below(4); i > 0; i--) {
    // Elements that hold only text, and tags: most cuts between them leave the XML well-formed.
    const pieces = text.split(/(?<=>)(?=<)/);
    const at = below(pieces.length);
    switch (below(6)) {
      case 0:
        pieces.splice(at, 1 + below(4));
        break;
      case 1:
        pieces.splice(at, 0, ...pieces.slice(at, at + 1 + below(30)));
        break;
      case 2:
      case 3:
        pieces.splice(at, 0, XML_PIECES[below(XML_PIECES.length)]);
        break;
      case 4:
        pieces[at] = pieces[at].replace(/(?<=[>"])-?\d+(?=[<"])/, XML_NUMBERS[below(XML_NUMBERS.length)]);
        break;
      case 5:
        if (below(4) === 0) pieces[at] = pieces[at].slice(below(4)) + String.fromCharCode(below(128));
        break;
    }
    text = pieces.join('');
  }
  return text;
}

/** Converts MusicXML to ABC and on to MIDI and back. Returns the fault, or undefined if the text passes. */
export function tryMusicXml(xml: string): string | undefined {
  return tryConversion(() => timed('musicXmlToAbc', () => musicXmlToAbc(xml)).abc);
}

/** Converts a MIDI file to ABC and back. Returns the fault, or undefined if the file passes. */
export function tryMidi(bytes: Uint8Array): string | undefined {
  return tryConversion(() => timed('midiToAbc', () => midiToAbc(bytes)).abc);
}

/** Makes a tune, checks it, and converts it to MIDI and back. */
function tryConversion(convert: () => string): string | undefined {
  return guarded(() => {
    const abc = convert();
    const [problem] = timed('checkAbc', () => checkAbc(abc));
    if (problem !== undefined)
      return `the ABC made from it is wrong: ${problem.line}:${problem.column} ${problem.message}`;
    const again = midiToAbc(timed('abcToMidi', () => abcToMidi(abc))).abc;
    const third = again === abc ? abc : midiToAbc(abcToMidi(again)).abc;
    return again === third ? undefined : 'the second and the third round differ';
  });
}

/** Checks a text, converts it to MIDI and back, and trims it. Returns the fault, or undefined if the text passes. */
export function tryAbc(text: string): string | undefined {
  return (
    guarded(() => {
      timed('checkAbc', () => checkAbc(text));
      midiToAbc(timed('abcToMidi', () => abcToMidi(text)));
      return undefined;
    }) ??
    guarded(() => {
      const [problem] = checkAbc(timed('trimToCompleteBars', () => trimToCompleteBars(text)).abc);
      return problem === undefined
        ? undefined
        : `the ABC after trimming is wrong: ${problem.line}:${problem.column} ${problem.message}`;
    })
  );
}

/** Runs an attempt. A MusicError is not a fault; any other error is. */
function guarded(attempt: () => string | undefined): string | undefined {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof MusicError) return undefined;
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

/** Runs a call and throws if it takes too long. */
function timed<T>(name: string, run: () => T): T {
  const began = process.cpuUsage();
  try {
    return run();
  } finally {
    const { user, system } = process.cpuUsage(began);
    const seconds = (user + system) / 1e6;
    // biome-ignore lint/correctness/noUnsafeFinally: a refusal that is too slow is a fault too
    if (seconds > SECONDS) throw new Error(`${name} took ${seconds.toFixed(1)} s`);
  }
}

/** Small files with many features, so that the test does not need a corpus. */
export function seedMidis(): Uint8Array[] {
  const conductor = [
    ...meta(0, 0x51, [7, 0xa1, 0x20]),
    ...meta(0, 0x58, [3, 2, 24, 8]),
    ...meta(0, 0x59, [0xfd, 1]),
    ...meta(2880, 0x58, [6, 3, 24, 8]),
  ];
  const melody = [
    0,
    0xc0,
    40,
    ...notes([
      [60, 0, 480],
      [63, 480, 240],
      [67, 700, 500],
      [68, 1440, 2000],
      [67, 2000, 100],
      [67, 5000, 0],
    ]),
  ];
  const chords = [
    0,
    0xc1,
    0,
    ...notes(
      [
        [48, 0, 1440],
        [55, 0, 1400],
        [51, 10, 1440],
        [50, 1440, 30],
        [50, 1470, 30],
        [49, 2880, 1500],
      ],
      1,
    ),
  ];
  // Triplets in three beats, with notes held into and out of them; then quintuplets.
  const tuplets = notes(
    [
      [72, 0, 160],
      [74, 160, 160],
      [76, 320, 400],
      [77, 720, 400],
      [79, 1120, 160],
      [77, 1280, 400],
      [76, 4320, 96],
      [74, 4416, 96],
      [72, 4512, 672],
    ],
    3,
  );
  const drums = notes(
    [
      [36, 0, 60],
      [42, 240, 10],
      [38, 480, 60],
      [42, 720, 10],
      [36, 1440, 60],
      [49, 1440, 700],
    ],
    9,
  );
  return [
    midi(conductor, melody, chords, tuplets, drums),
    midi(melody),
    midi([...melody, ...meta(0, 0x2f, [])]),
    midi(drums, drums),
  ];
}

/** Texts to damage: these files as ABC, and tunes as people write them. */
export function seedAbcs(midis: Uint8Array[]): string[] {
  const written = midis.flatMap((bytes) => {
    try {
      return [midiToAbc(bytes).abc, midiToAbc(bytes, { layout: 'voices' }).abc];
    } catch {
      return [];
    }
  });
  return [
    ...written,
    'X:1\nT:A jig\nM:6/8\nL:1/8\nQ:3/8=120\nR:jig\nK:Dmix\n|:A|dAF DFA|d2e fdB|{g}a>f d<A (3ABc|1 d3 d2:|2 d3-d3|]\nw:la la\n',
    'X:2\nM:C|\nK:F#m clef=bass\nV:1 name="one"\nV:2\n[V:1] [ce]2 "A"!mf!z2 |: c4 :| [V:2] C4 & E2E2 | Z |\n',
  ];
}

/** Peak memory of this process, in MB. */
function megabytes(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024);
}

function corpusFiles(folder: string): string[] {
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .flatMap((path) => (statSync(path).isDirectory() ? corpusFiles(path) : [path]))
    .filter((path) => path.endsWith('.mid'));
}

function main(rounds: number, seed: number, folder: string | undefined): void {
  const midis =
    folder === undefined ? seedMidis() : corpusFiles(folder).map((path) => Uint8Array.from(readFileSync(path)));
  const small = midis.filter((bytes) => bytes.length < 30_000);
  const abcs = seedAbcs(small.filter((_, i) => i % 10 === 0 || folder === undefined));
  const score = seedScore();
  const next = random(seed);
  const watchdog = new Watchdog(HANG_SECONDS);
  let faults = 0;
  const start = megabytes();
  for (let i = 0; i < rounds; i++) {
    const bytes = mutateMidi(small, next);
    const text = mutateAbc(abcs, next);
    const xml = mutateXml(score, next);
    for (const [kind, input, attempt] of [
      ['mid', bytes, () => tryMidi(bytes)],
      ['abc', text, () => tryAbc(text)],
      ['musicxml', xml, () => tryMusicXml(xml)],
    ] as const) {
      const name = `fuzz-${seed}-${i}.${kind}`;
      watchdog.watch(name, input);
      const fault = attempt();
      if (fault === undefined) continue;
      faults++;
      writeFileSync(name, input);
      console.log(`${name}: ${fault}`);
    }
    if (megabytes() > start + MEMORY) {
      writeFileSync(`fuzz-${seed}-${i}.mid`, bytes);
      writeFileSync(`fuzz-${seed}-${i}.abc`, text);
      throw new Error(
        `round ${i}: the process has grown by more than ${MEMORY} MB; see fuzz-${seed}-${i}.mid and .abc`,
      );
    }
    if ((i + 1) % 5000 === 0) console.log(`${i + 1} of ${rounds} rounds, ${faults} faults, at most ${megabytes()} MB`);
  }
  watchdog.stop();
  console.log(
    `${rounds} damaged MIDI files, ABC texts and scores in MusicXML each: ${faults} faults; at most ${megabytes()} MB, ${megabytes() - start} more than at the start`,
  );
  process.exitCode = faults === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [rounds = '20000', seed = '1', folder] = process.argv.slice(2);
  main(Number(rounds), Number(seed), folder);
}
