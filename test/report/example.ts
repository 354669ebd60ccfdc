/** An example report: invented samples, plots of an example study, and settings. */
import midiPackage from '@tonejs/midi';
import type { TopLevelSpec } from 'vega-lite';
import {
  architecturesPlot,
  interactivePlot,
  type Layout,
  plotSvg,
  readCurves,
  residualsPlot,
  scalingPlot,
  trainingPlot,
} from '../../lib/plots/index.ts';
import {
  dataFacts,
  methodsText,
  musicSource,
  type Note,
  type ReportData,
  type ReportPlot,
  type ReportSample,
} from '../../lib/report/index.ts';
import { fitStudy, readRuns } from '../../lib/scaling/index.ts';
import { exampleCurves, exampleResults } from '../scaling/example.ts';

const HEADER = `X:1
M:4/4
L:1/16
Q:1/4=112
K:Am
V:1
%%MIDI program 73
V:2
V:3
%%MIDI program 33
V:4
%%MIDI channel 10
`;

const BARS: [melody: string, chords: string, bass: string][] = [
  ["a4e2a2b2c'2b2a2", '[Ace]8[Ace]4[Ace]4', 'A,,8E,4A,,4'],
  ['f4a2f2e2d2e2f2', '[FAc]8[FAc]4[FAc]4', 'F,,8C,4F,,4'],
  ["g4^f2g2a2b2c'2d'2", '[CEG]8[GBd]8', 'C,8G,,8'],
  ["e'6d'2c'4b4", '[EB^g]8[EBd]8', 'E,8^G,,4E,,4'],
  ["c'4b2a2^g2a2b2c'2", '[Ace]8[Ace]4[Ace]4', 'A,,8E,4A,,4'],
  ["d'4a2f2d2f2a2d'2", '[DFA]8[DFA]4[DFA]4', 'D,8A,,4D,4'],
  ["e'2d'2c'2b2a2^g2b2e'2", '[EB^g]8[EBd]8', 'E,8E,,8'],
  ['a12z4', '[Ace]12z4', 'A,,12z4'],
];

/** Writes the example tune as interleaved ABC with one line per bar, as in the training data. */
export function exampleAbc(bars = BARS.length): string {
  const lines = BARS.slice(0, bars).map(
    ([melody, chords, bass]) =>
      `[V:1]${melody}|[V:2]${chords}|[V:3]${bass}|[V:4][C,,^F,,]2^F,,2[D,,F,,]2F,,2[C,,F,,]2F,,2[D,,F,,]2F,,2|`,
  );
  return `${HEADER}${lines.join('\n')}\n`;
}

const STEP = 60 / 112 / 4;

/** Lists the notes of the example's melody, bass and drums by their start. Chords are left out. */
export function exampleNotes(bars = BARS.length): Note[] {
  const notes: Note[] = [];
  BARS.slice(0, bars).forEach(([melody, , bass], bar) => {
    for (const [line, program] of [
      [melody, 73],
      [bass, 33],
    ] as const) {
      let step = 16 * bar;
      for (const [, sharp, letter, marks, length] of line.matchAll(/(\^?)([A-Ga-gz])([,']*)(\d*)/g)) {
        const octave = (/[a-g]/.test(letter) ? 1 : 0) + marks.split("'").length - marks.split(',').length;
        const semitone = [0, 2, 4, 5, 7, 9, 11]['CDEFGAB'.indexOf(letter.toUpperCase())] + (sharp ? 1 : 0);
        const steps = Number(length || 1);
        if (letter !== 'z')
          notes.push({
            start: step * STEP,
            duration: steps * STEP,
            pitch: 60 + 12 * octave + semitone,
            velocity: 0.8,
            program,
          });
        step += steps;
      }
    }
    for (let beat = 0; beat < 8; beat++) {
      notes.push({ start: (16 * bar + 2 * beat) * STEP, duration: STEP, pitch: 42, velocity: 0.6, drum: true });
      if (beat % 2 === 0)
        notes.push({
          start: (16 * bar + 2 * beat) * STEP,
          duration: STEP,
          pitch: beat % 4 === 0 ? 36 : 38,
          drum: true,
        });
    }
  });
  return notes.sort((a, b) => a.start - b.start);
}

/** Writes a MIDI file of those notes, in base64. */
function exampleMidi(bars = BARS.length): string {
  const midi = new midiPackage.Midi();
  midi.header.setTempo(112);
  for (const program of [73, 33, -1]) {
    const track = midi.addTrack();
    track.channel = program < 0 ? 9 : program === 73 ? 0 : 1;
    track.instrument.number = Math.max(0, program);
    for (const note of exampleNotes(bars).filter((n) => (n.drum ? -1 : n.program) === program))
      track.addNote({ midi: note.pitch, time: note.start, duration: note.duration, velocity: note.velocity ?? 0.7 });
  }
  return Buffer.from(midi.toArray()).toString('base64');
}

/** A plot of the report in both layouts. */
async function examplePlot(
  name: string,
  caption: string,
  specOf: (layout: Layout) => TopLevelSpec,
): Promise<ReportPlot> {
  const [wide, narrow] = [specOf('wide'), specOf('narrow')];
  return {
    name,
    caption,
    description: wide.description,
    svg: await plotSvg(wide, name),
    narrowSvg: await plotSvg(narrow, `${name}.narrow`),
    interactive: { wide: await interactivePlot(wide), narrow: await interactivePlot(narrow) },
    files: { 'Vega-Lite': `../plots/${name}.vl.json`, PNG: `../plots/${name}.png` },
  };
}

/** Counts of the stages of the example's data. */
export const EXAMPLE_METRICS = {
  download: { source: { kind: 'synthetic', pieces: 300, seed: 7 }, files: 300 },
  convert: { files: 300, converted: 299, notes: 120_000, failed: ['x'] },
  split: {
    files: 299,
    kept: 280,
    splits: { train: { tunes: 252, bars: 8000 }, val: { tunes: 14 }, test: { tunes: 14 } },
    dropped: { too_few_bars: { count: 4 }, too_long: { count: 0 } },
    duplicates: { content: { count: 15 } },
  },
  tokenize: [{ tokenizer: 'char', vocabulary_size: 57, train: { tokens: 500_000, bytes_per_token: 1 } }],
};

/** Makes the data of the example report. */
export async function exampleReport(): Promise<ReportData> {
  const results = readRuns(exampleResults());
  const study = fitStudy(results);
  const curves = Object.values(exampleCurves()).flatMap((csv) => readCurves(csv));
  const metrics = {
    pitch_class_entropy: 2.81,
    scale_consistency: 0.958,
    groove_consistency: 0.941,
    polyphony: 3.2,
    empty_beat_rate: 0.004,
  };
  const samples: ReportSample[] = [];
  for (const run of ['char-gpt-large-1', 'char-lstm-large-1'])
    for (const bars of [8, 6, 5])
      samples.push({
        run,
        index: 9 - bars,
        kind: bars === 5 ? 'free' : 'constrained',
        abc: exampleAbc(bars),
        midiBase64: exampleMidi(bars),
        valid: bars !== 5,
        measures: bars,
        metrics,
        ...(bars === 5 ? { problem: 'bar 5 of voice 2 is 14/16 long' } : {}),
      });
  const settings = {
    train: { tokenizers: ['char'], tokens: 1_024_000, block: 128, batch: 8, lr: 0.004, betas: [0.9, 0.95] },
    generate: { temperature: 0.9, top_p: 0.95, samples: 3 },
  };
  const data: ReportData = {
    title: 'Scaling laws of symbolic music',
    results,
    study,
    plots: [
      await examplePlot('scaling', 'Every run, and the law of each architecture with its 95 % band.', (layout) =>
        scalingPlot(results, study, layout),
      ),
      await examplePlot(
        'residuals',
        'How far each run is from its law.',
        (layout) => residualsPlot(results, study, layout)!,
      ),
      await examplePlot('architectures', 'Left, loss for the same training compute.', (layout) =>
        architecturesPlot(results, study, layout),
      ),
      await examplePlot('training', 'Loss as tokens are seen.', (layout) => trainingPlot(curves, results, layout)),
    ],
    samples,
    validity: {
      constrained: { samples: 20, valid: 20, interval: [0.839, 1] },
      free: { samples: 80, valid: 3, interval: [0.0128, 0.1045] },
    },
    runValidity: {
      'char-gpt-large-1': {
        constrained: { samples: 2, valid: 2, interval: [0.34, 1] },
        free: { samples: 8, valid: 1, interval: [0.02, 0.47] },
      },
    },
    music: musicSource(EXAMPLE_METRICS.download),
    data: dataFacts(EXAMPLE_METRICS),
    settings,
    provenance: {
      commit: '3f01fcf',
      engine: 'native fp32, AVX2, 2 threads',
      'wall time': '4 min 12 s',
    },
    hashes: [{ stage: 'fit', path: 'outputs/scaling.json', sha256: 'fe2e641618b1c0638acc1d1bb3c55bdb' }],
    files: [{ name: 'scaling.json', type: 'application/json', text: JSON.stringify(study) }],
    citation: '@software{example}',
  };
  const software = { name: 'software', version: '1', licence: 'MIT', commit: { hash: '3f01fcf', date: '2026-01-02' } };
  data.methods = methodsText(data, settings, EXAMPLE_METRICS, software, 'native fp32');
  return data;
}

/** Returns the text of a page, without scripts, styles and drawings. */
export function textOf(html: string): string {
  return html
    .replace(/<(script|style|svg)\b[\s\S]*?<\/\1>/g, '')
    .replace(/<[^>]+>/g, ' ')
    .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
    .replace(/\s+/g, ' ');
}
