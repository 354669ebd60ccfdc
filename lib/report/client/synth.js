/**
 * A small synthesizer on WebAudio, without sampled sounds. Every note has its own oscillators, with a timbre by the General MIDI
 * family of its program. Drums are made of noise and of sines with a falling pitch.
 *
 * Notes are [start ms, duration ms, pitch, velocity 0–127, program or −1 for a drum], sorted by start. They are scheduled shortly
 * before they sound, so that a long piece does not create thousands of audio nodes at once.
 */

/**
 * Notes are scheduled this number of seconds before they sound. It is more than 1 s, because timers of hidden tabs run
 * once a second.
 */
const SCHEDULE_AHEAD_SECONDS = 1.6;
/** Time between two rounds of scheduling. */
const SCHEDULE_INTERVAL_MS = 200;
/** Delay of the first note, so that it is not scheduled in the past. */
const START_DELAY_SECONDS = 0.08;

/**
 * Timbres by family of eight programs. Later families use the last one.
 *
 * `attack` and `release`: seconds. `decay`: seconds until a held note has faded away; 0: it does not fade. `bright`: cutoff of the
 * low-pass filter, as a multiple of the pitch. `gain`: loudness.
 */
const FAMILIES = [
  { wave: 'triangle', attack: 0.004, release: 0.25, decay: 1.6, bright: 7, gain: 0.9 }, // pianos
  { wave: 'sine', attack: 0.002, release: 0.4, decay: 1.1, bright: 9, gain: 0.8 }, // bells, mallets
  { wave: 'square', attack: 0.015, release: 0.08, decay: 0, bright: 4, gain: 0.34 }, // organs
  { wave: 'sawtooth', attack: 0.003, release: 0.15, decay: 0.9, bright: 5, gain: 0.5 }, // guitars
  { wave: 'triangle', attack: 0.006, release: 0.1, decay: 1.5, bright: 5, gain: 1.2 }, // basses
  { wave: 'sawtooth', attack: 0.06, release: 0.2, decay: 0, bright: 4, gain: 0.34 }, // strings
  { wave: 'sawtooth', attack: 0.09, release: 0.3, decay: 0, bright: 3, gain: 0.32 }, // ensembles
  { wave: 'sawtooth', attack: 0.03, release: 0.1, decay: 0, bright: 5, gain: 0.36 }, // brass
  { wave: 'square', attack: 0.03, release: 0.1, decay: 0, bright: 3.5, gain: 0.34 }, // reeds
  { wave: 'sine', attack: 0.04, release: 0.12, decay: 0, bright: 6, gain: 0.7 }, // pipes
  { wave: 'square', attack: 0.008, release: 0.08, decay: 0, bright: 6, gain: 0.28 }, // leads
  { wave: 'sawtooth', attack: 0.15, release: 0.5, decay: 0, bright: 2.5, gain: 0.3 }, // pads
];

/**
 * Sounds of the drums, by General MIDI key.
 *
 * `length`: seconds. `gain`: loudness. `fall`: start and end of a falling pitch in Hz; [0, 0] for toms, whose pitch depends on the
 * key. `noise`: frequency in Hz and type of the filter of the noise.
 */
const DRUMS = [
  { keys: [35, 36], length: 0.28, gain: 1.3, fall: [140, 42] },
  { keys: [38, 40], length: 0.18, gain: 0.7, fall: [230, 150], noise: [1500, 'highpass'] },
  { keys: [37, 39, 31, 32, 33, 34], length: 0.07, gain: 0.6, noise: [2200, 'bandpass'] },
  { keys: [42, 44, 22, 69, 70, 82], length: 0.05, gain: 0.35, noise: [8000, 'highpass'] },
  { keys: [46, 26, 54], length: 0.3, gain: 0.35, noise: [7500, 'highpass'] },
  { keys: [49, 52, 55, 57], length: 1.1, gain: 0.4, noise: [5000, 'highpass'] },
  { keys: [51, 53, 59], length: 0.5, gain: 0.25, noise: [6500, 'highpass'] },
  { keys: [41, 43, 45, 47, 48, 50, 60, 61, 62, 63, 64, 65, 66], length: 0.3, gain: 0.8, fall: [0, 0] },
];
const OTHER_DRUM = { keys: [], length: 0.09, gain: 0.4, noise: [3500, 'bandpass'] };

/** Plays one piece at a time. `scheduled` counts the notes scheduled since the piece began. */
class Player {
  constructor() {
    this.scheduled = 0;
    this.playing = false;
    this.onprogress = () => {};
  }

  /**
   * Plays a piece, and stops the one before.
   *
   * @param notes
   * @param {number} from position at which to begin, in seconds
   * @param {(seconds: number, ended: boolean) => void} onprogress called with every frame, and at the end
   */
  play(notes, from, onprogress) {
    this.stop();
    this.context ??= new AudioContext();
    this.context.resume();
    this.noise ??= noiseBuffer(this.context);
    this.bus = this.context.createGain();
    this.bus.gain.value = 0.22;
    const limiter = this.context.createDynamicsCompressor();
    this.bus.connect(limiter).connect(this.context.destination);
    this.notes = notes;
    this.next = notes.findIndex(([start]) => start >= 1000 * from - 1);
    if (this.next < 0) this.next = notes.length;
    this.end = lengthOf(notes);
    this.origin = this.context.currentTime + START_DELAY_SECONDS - from;
    this.onprogress = onprogress;
    this.scheduled = 0;
    this.playing = true;
    this.schedule();
    this.timer = setInterval(() => this.schedule(), SCHEDULE_INTERVAL_MS);
    const frame = () => {
      if (!this.playing) return;
      this.onprogress(Math.min(this.position, this.end), false);
      if (this.position > this.end + 0.3) this.stop();
      else this.frame = requestAnimationFrame(frame);
    };
    this.frame = requestAnimationFrame(frame);
  }

  /** Seconds since the beginning of the piece; 0 if nothing plays. */
  get position() {
    return this.playing ? Math.max(0, this.context.currentTime - this.origin) : 0;
  }

  /** Stops with a short fade, which avoids a click. */
  stop() {
    if (!this.playing) return;
    this.playing = false;
    clearInterval(this.timer);
    cancelAnimationFrame(this.frame);
    const bus = this.bus;
    bus.gain.setTargetAtTime(0, this.context.currentTime, 0.02);
    setTimeout(() => bus.disconnect(), 200);
    this.onprogress(0, true);
  }

  /** Schedules the notes of the next SCHEDULE_AHEAD_SECONDS. */
  schedule() {
    const until = this.context.currentTime + SCHEDULE_AHEAD_SECONDS;
    for (; this.next < this.notes.length; this.next++) {
      const [start, duration, pitch, velocity, program] = this.notes[this.next];
      const at = this.origin + start / 1000;
      if (at > until) return;
      const loudness = (velocity / 127) ** 1.5;
      if (program < 0) this.drum(at, pitch, loudness);
      else this.tone(at, duration / 1000, pitch, loudness, program);
      this.scheduled++;
    }
  }

  /** Schedules a note. `at` is in the time of the audio context, `duration` in seconds, `loudness` from 0 to 1. */
  tone(at, duration, pitch, loudness, program) {
    const family = FAMILIES[Math.min(program >> 3, FAMILIES.length - 1)];
    const hertz = 440 * 2 ** ((pitch - 69) / 12);
    const envelope = this.context.createGain();
    const filter = this.context.createBiquadFilter();
    filter.type = 'lowpass';
    filter.frequency.setValueAtTime(Math.min(14000, hertz * family.bright), at);
    const peak = loudness * family.gain;
    const off = at + Math.max(duration, family.attack + 0.02);
    envelope.gain.setValueAtTime(0, at);
    envelope.gain.linearRampToValueAtTime(peak, at + family.attack);
    if (family.decay > 0) {
      envelope.gain.setTargetAtTime(0, at + family.attack, family.decay / 2.5);
      filter.frequency.setTargetAtTime(hertz * 2, at + family.attack, family.decay / 4);
    }
    envelope.gain.setTargetAtTime(0, off, family.release / 3);
    filter.connect(envelope).connect(this.bus);
    for (const detune of family.attack > 0.05 ? [-5, 5] : [0]) {
      const oscillator = this.context.createOscillator();
      oscillator.type = family.wave;
      oscillator.frequency.value = hertz;
      oscillator.detune.value = detune;
      oscillator.connect(filter);
      oscillator.start(at);
      oscillator.stop(off + 2 * family.release);
    }
  }

  /** Schedules a drum. */
  drum(at, key, loudness) {
    const drum = DRUMS.find(({ keys }) => keys.includes(key)) ?? OTHER_DRUM;
    const envelope = this.context.createGain();
    envelope.gain.setValueAtTime(loudness * drum.gain, at);
    envelope.gain.exponentialRampToValueAtTime(0.001, at + drum.length);
    envelope.connect(this.bus);
    if (drum.fall) {
      // Toms: higher keys have higher pitches.
      const [from, to] = drum.fall[0] > 0 ? drum.fall : [80 + 9 * (key - 41), 60 + 6 * (key - 41)];
      const oscillator = this.context.createOscillator();
      oscillator.frequency.setValueAtTime(from, at);
      oscillator.frequency.exponentialRampToValueAtTime(to, at + drum.length / 2);
      oscillator.connect(envelope);
      oscillator.start(at);
      oscillator.stop(at + drum.length);
    }
    if (drum.noise) {
      const source = this.context.createBufferSource();
      const filter = this.context.createBiquadFilter();
      source.buffer = this.noise;
      [filter.frequency.value, filter.type] = drum.noise;
      source.connect(filter).connect(envelope);
      source.start(at, (key * 0.037) % 0.5, drum.length);
    }
  }
}

/** Length of a piece: the end of its last note, in seconds. */
function lengthOf(notes) {
  return notes.reduce((end, [start, duration]) => Math.max(end, start + duration), 0) / 1000;
}

/** Two seconds of white noise, shared by all drums. */
function noiseBuffer(context) {
  const buffer = context.createBuffer(1, 2 * context.sampleRate, context.sampleRate);
  const samples = buffer.getChannelData(0);
  for (let i = 0; i < samples.length; i++) samples[i] = 2 * Math.random() - 1;
  return buffer;
}

window.player = new Player();
