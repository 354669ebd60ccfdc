/**
 * Short names and explanations of the measures of a sample, by their names in the metrics. Most are from MusPy.
 *
 * @see Dong et al. 2020, "MusPy: A Toolkit for Symbolic Music Generation"; muspy.metrics
 */
export const MEASURES: Record<string, { name: string; meaning: string }> = {
  pitch_range: { name: 'range', meaning: 'Semitones between the lowest and the highest note' },
  n_pitches_used: { name: 'pitches', meaning: 'Different pitches used' },
  n_pitch_classes_used: { name: 'pitch classes', meaning: 'Different pitch classes used, of twelve' },
  polyphony: { name: 'polyphony', meaning: 'Notes that sound together, on average where any does' },
  polyphony_rate: { name: 'polyphonic', meaning: 'Share of time in which more than one note sounds' },
  pitch_entropy: { name: 'pitch entropy', meaning: 'How evenly pitches are used, in bits' },
  pitch_class_entropy: {
    name: 'pitch class entropy',
    meaning: 'How evenly the twelve pitch classes are used, in bits: 3.58 is all alike, 2.8 is common in real music',
  },
  scale_consistency: { name: 'in scale', meaning: 'Share of notes in the major or minor scale that fits best' },
  groove_consistency: { name: 'groove', meaning: 'How alike the rhythms of neighbouring bars are: 1 is the same' },
  empty_beat_rate: { name: 'empty beats', meaning: 'Share of beats in which no note sounds' },
  empty_measure_rate: { name: 'empty bars', meaning: 'Share of bars in which no note sounds' },
  drum_in_pattern_rate: { name: 'drums in pattern', meaning: 'Share of drum notes on the metre’s divisions' },
};
