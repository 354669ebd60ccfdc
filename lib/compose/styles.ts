/**
 * The composer's styles: tables of metres, modes, forms, instruments and patterns. style.ts defines their types and the
 * pattern language, accompaniment.ts plays the patterns, and compose.ts lays out the forms.
 */
import type { Style } from './style.ts';

const FORMS = {
  AABB: { name: 'AABB', sections: ['A', 'A', 'B', 'B'], bars: 8 },
  AABA: { name: 'AABA', sections: ['A', 'A', 'B', 'A'], bars: 8 },
  ABA: { name: 'ABA', sections: ['A', 'B', 'A'], bars: 8 },
  ABAC: { name: 'ABAC', sections: ['A', 'B', 'A', 'C'], bars: 8 },
  rondo: { name: 'rondo', sections: ['A', 'B', 'A', 'C', 'A'], bars: 8 },
  verses: { name: 'verse and chorus', sections: ['i', 'A', 'B', 'A', 'B'], bars: 8 },
  lifted: { name: 'verse and chorus', sections: ['i', 'A', 'B', 'A', 'B', "B'"], bars: 4 },
  bridge: { name: 'verse, chorus, bridge', sections: ['i', 'A', 'B', 'A', 'B', 'C', 'B'], bars: 4 },
  blues: { name: 'blues choruses', sections: ['A', 'A'], bars: 12 },
} as const;

const DANCE_MODES = [
  ['major', 4],
  ['dorian', 2],
  ['mixolydian', 2],
  ['minor', 1],
] as const;
const COMMON_MODES = [
  ['major', 3],
  ['minor', 2],
] as const;

/** All styles. A changed entry changes every synthetic data set. */
export const STYLES: readonly Style[] = [
  {
    name: 'reel',
    weight: 3,
    modes: DANCE_MODES,
    harmony: 'loop',
    chordsPerBar: 1,
    chordSize: 3,
    density: ['running'],
    tempo: [96, 120],
    forms: [FORMS.AABB, FORMS.AABA],
    layers: [
      { role: 'melody', programs: [40, 73, 21, 105], presence: 1 },
      { role: 'thirds', programs: [40, 22], presence: 0.3 },
      { role: 'chords', programs: [24, 25], presence: 0.9 },
      { role: 'bass', programs: [32], presence: 0.6 },
    ],
    patterns: {
      '4/4': { chords: ['.x.x', 'x-x-', '.x.x.x.x'], bass: ['R.5.', 'R-5-', 'R-R5'], drums: [] },
      '2/4': { chords: ['.x', '.x.x'], bass: ['R5', 'R-'], drums: [] },
    },
  },
  {
    name: 'jig',
    weight: 3,
    modes: DANCE_MODES,
    harmony: 'functional',
    chordsPerBar: 1,
    chordSize: 3,
    density: ['running', 'moving'],
    tempo: [100, 126],
    forms: [FORMS.AABB, FORMS.AABA],
    layers: [
      { role: 'melody', programs: [40, 73, 21, 74], presence: 1 },
      { role: 'thirds', programs: [40, 73], presence: 0.3 },
      { role: 'chords', programs: [24, 46], presence: 0.9 },
      { role: 'bass', programs: [32], presence: 0.5 },
    ],
    patterns: {
      '6/8': { chords: ['x-.x-.', 'x.xx.x', '0-12-1'], bass: ['R-', 'R5'], drums: [] },
      '9/8': { chords: ['x-.x-.x-.', '0-12-12-1'], bass: ['R-5', 'R--'], drums: [] },
    },
  },
  {
    name: 'waltz',
    weight: 3,
    modes: COMMON_MODES,
    harmony: 'functional',
    chordsPerBar: 1,
    chordSize: 3,
    density: ['calm', 'moving'],
    tempo: [120, 180],
    forms: [FORMS.AABA, FORMS.ABA],
    layers: [
      { role: 'melody', programs: [40, 21, 0, 68], presence: 1 },
      { role: 'thirds', programs: [40, 71], presence: 0.4 },
      { role: 'chords', programs: [0, 21, 24], presence: 1 },
      { role: 'bass', programs: [32, 43], presence: 1 },
    ],
    patterns: { '3/4': { chords: ['.xx', '.x-', '.x.'], bass: ['R..', 'R--', 'R.5'], drums: [] } },
  },
  {
    name: 'march',
    weight: 2,
    modes: COMMON_MODES,
    harmony: 'functional',
    chordsPerBar: 1,
    chordSize: 3,
    density: ['moving'],
    tempo: [100, 126],
    forms: [FORMS.AABB, FORMS.ABA, FORMS.rondo],
    layers: [
      { role: 'melody', programs: [56, 61, 71], presence: 1 },
      { role: 'thirds', programs: [56, 61], presence: 0.4 },
      { role: 'chords', programs: [60, 61], presence: 1 },
      { role: 'bass', programs: [58], presence: 1 },
      { role: 'drums', programs: [0], presence: 0.5 },
    ],
    patterns: {
      '2/4': {
        chords: ['.x.x', '.x'],
        bass: ['R.5.', 'R5'],
        drums: [
          { groove: { kick: 'x.', snare: '.x' }, fill: { snare: 'x.xxxx..' } },
          { groove: { kick: 'x.x.', snare: '.x.x' }, fill: { snare: 'xxxxx.x.' } },
        ],
      },
      '6/8': {
        chords: ['..x..x', '.x'],
        bass: ['R..5..', 'R5'],
        drums: [{ groove: { kick: 'x.....', snare: '...x..' }, fill: { snare: 'x.xxxx' } }],
      },
    },
  },
  {
    name: 'chorale',
    weight: 3,
    modes: COMMON_MODES,
    harmony: 'functional',
    chordsPerBar: 2,
    chordSize: 3,
    density: ['calm'],
    tempo: [66, 92],
    forms: [FORMS.AABA, FORMS.AABB, FORMS.ABAC],
    layers: [
      { role: 'melody', programs: [52, 19, 48], presence: 1 },
      { role: 'inner', programs: [52, 19, 48], presence: 1 },
      { role: 'inner', programs: [52, 19, 48], presence: 0.9 },
      { role: 'bass', programs: [52, 19, 48], presence: 1 },
    ],
    patterns: { '4/4': { chords: [], bass: ['R-R-', 'R-Ra', 'R8Ra'], drums: [] } },
  },
  {
    name: 'nocturne',
    weight: 3,
    modes: COMMON_MODES,
    harmony: 'functional',
    chordsPerBar: 1,
    chordSize: 3,
    density: ['calm', 'moving'],
    tempo: [54, 84],
    forms: [FORMS.ABA, FORMS.AABA, FORMS.rondo],
    layers: [
      { role: 'melody', programs: [0, 42, 73], presence: 1 },
      { role: 'chords', programs: [0, 46], presence: 1 },
      { role: 'bass', programs: [0, 42], presence: 0.5 },
    ],
    patterns: {
      '4/4': { chords: ['01212121', '0-12-121', '02120212'], bass: ['R---', 'R-5-'], drums: [] },
      '6/8': { chords: ['012121', '0-1212', '012210'], bass: ['R-', 'R5'], drums: [] },
      '12/8': { chords: ['012121012121', '012210012210'], bass: ['R---', 'R-5-'], drums: [] },
    },
  },
  {
    name: 'invention',
    weight: 3,
    modes: COMMON_MODES,
    harmony: 'functional',
    chordsPerBar: 1,
    chordSize: 3,
    density: ['running', 'moving'],
    tempo: [72, 104],
    forms: [FORMS.ABA, FORMS.AABB, FORMS.ABAC],
    layers: [
      { role: 'melody', programs: [6, 0], presence: 1 },
      { role: 'imitation', programs: [6, 0], presence: 1 },
      { role: 'bass', programs: [42, 70], presence: 0.4 },
    ],
    patterns: {
      '4/4': { chords: [], bass: ['R-5-', 'R35a', 'R8'], drums: [] },
      '3/4': { chords: [], bass: ['R--', 'R35', 'R-a'], drums: [] },
    },
  },
  {
    name: 'pop',
    weight: 4,
    modes: COMMON_MODES,
    harmony: 'loop',
    chordsPerBar: 1,
    chordSize: 3,
    density: ['moving', 'syncopated'],
    tempo: [84, 128],
    forms: [FORMS.verses, FORMS.lifted, FORMS.bridge],
    layers: [
      { role: 'melody', programs: [80, 73, 11, 65], presence: 1 },
      { role: 'chords', programs: [0, 4, 25], presence: 1 },
      { role: 'pad', programs: [48, 89], presence: 0.5 },
      { role: 'bass', programs: [33, 38], presence: 1 },
      { role: 'drums', programs: [0], presence: 0.8 },
    ],
    patterns: {
      '4/4': {
        chords: ['x---', 'x-x-', 'x--x--x-', '.x.x'],
        bass: ['R-R-', 'R--R--5-', 'R---', 'R--R..8.'],
        drums: [
          { groove: { kick: 'x.x.', snare: '.x.x' }, fill: { kick: 'x.......', snare: '..x.xxxx' } },
          { groove: { kick: 'x...', hat: '.x.x', snare: '..x.' }, fill: { kick: 'x...', snare: '..xx' } },
          { groove: { kick: 'x..xx...', snare: '..x...x.' }, fill: { kick: 'x..x....', snare: '..x.x.xx' } },
        ],
      },
    },
  },
  {
    name: 'rock',
    weight: 3,
    modes: [
      ['minor', 3],
      ['mixolydian', 2],
    ],
    harmony: 'loop',
    chordsPerBar: 1,
    chordSize: 2,
    density: ['syncopated', 'moving'],
    tempo: [104, 152],
    forms: [FORMS.verses, FORMS.AABA, FORMS.bridge],
    layers: [
      { role: 'melody', programs: [29, 30, 18], presence: 1 },
      { role: 'chords', programs: [29, 30], presence: 1 },
      { role: 'bass', programs: [33, 34], presence: 1 },
      { role: 'drums', programs: [0], presence: 0.9 },
    ],
    patterns: {
      '4/4': {
        chords: ['x-x-', 'x--x--x-', 'x-.xx-.x', 'xxxx'],
        bass: ['RRRR', 'RRRRRRRR', 'R--R--R-'],
        drums: [
          {
            groove: { kick: 'x.x.', snare: '.x.x' },
            fill: { snare: 'xx......', highTom: '..xx....', lowTom: '....xxxx' },
          },
          { groove: { kick: 'x...xx..', snare: '..x...x.' }, fill: { kick: 'x.......', snare: '..xxxxxx' } },
        ],
      },
    },
  },
  {
    name: 'blues',
    weight: 3,
    modes: [['mixolydian', 1]],
    harmony: 'blues',
    chordsPerBar: 1,
    chordSize: 4,
    density: ['moving', 'syncopated'],
    tempo: [76, 120],
    forms: [FORMS.blues],
    layers: [
      { role: 'melody', programs: [26, 65, 22, 66], presence: 1 },
      { role: 'chords', programs: [0, 16, 26], presence: 0.9 },
      { role: 'bass', programs: [32, 33], presence: 1 },
      { role: 'drums', programs: [0], presence: 0.6 },
    ],
    patterns: {
      '12/8': {
        chords: ['.x.x', 'x---', 'x--..x......'],
        bass: ['R35a', 'R57a', 'R.'],
        drums: [{ groove: { kick: 'x.x.', snare: '.x.x' }, fill: { kick: 'x...........', snare: '...x.xxxxx.x' } }],
      },
      '4/4': {
        chords: ['.x.x', 'x---', 'x-.x....'],
        bass: ['R35a', 'R57a', 'R3578753'],
        drums: [{ groove: { kick: 'x.x.', snare: '.x.x' }, fill: { kick: 'x...', snare: '..xx' } }],
      },
    },
  },
  {
    name: 'bossa',
    weight: 2,
    modes: COMMON_MODES,
    harmony: 'functional',
    chordsPerBar: 1,
    chordSize: 4,
    density: ['syncopated'],
    tempo: [112, 140],
    forms: [FORMS.AABA, FORMS.ABAC, FORMS.rondo],
    layers: [
      { role: 'melody', programs: [73, 66, 24], presence: 1 },
      { role: 'chords', programs: [24, 4], presence: 1 },
      { role: 'bass', programs: [32], presence: 1 },
      { role: 'drums', programs: [0], presence: 0.5 },
    ],
    patterns: {
      '4/4': {
        chords: ['x--x--x-', '.x-x-.x-', 'x-.x-.x.'],
        bass: ['R--5R--5', 'R--R5--5', 'R-5-'],
        drums: [{ groove: { kick: 'x.x.', rim: '.x.x' }, fill: { kick: 'x.......', rim: '...x..xx' } }],
      },
    },
  },
  {
    name: 'dance',
    weight: 2,
    modes: [
      ['minor', 3],
      ['dorian', 1],
    ],
    harmony: 'loop',
    chordsPerBar: 1,
    chordSize: 3,
    density: ['syncopated', 'moving'],
    tempo: [120, 140],
    forms: [FORMS.verses, FORMS.lifted, FORMS.ABAC],
    layers: [
      { role: 'melody', programs: [81, 80, 87], presence: 1 },
      { role: 'chords', programs: [81, 90, 4], presence: 1 },
      { role: 'pad', programs: [89, 95], presence: 0.4 },
      { role: 'bass', programs: [38, 39], presence: 1 },
      { role: 'drums', programs: [0], presence: 1 },
    ],
    patterns: {
      '4/4': {
        chords: ['0121012101210121', '02120212', '.x.x.x.x', 'x--x--x-'],
        bass: ['.R.R.R.R', 'R--R--R-', 'R8R8R8R8'],
        drums: [
          { groove: { kick: 'xxxx' }, fill: { kick: 'x.x.x.x.', clap: '..x.x.xx' } },
          { groove: { kick: 'x.x.x.x.', openHat: '.x.x.x.x' }, fill: { kick: 'x.x.....', snare: '....xxxx' } },
        ],
      },
    },
  },
];
