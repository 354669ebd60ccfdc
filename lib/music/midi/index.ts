export { readMidi } from './read-midi.ts';
export { writeMidi } from './write-midi.ts';
