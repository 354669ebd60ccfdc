/** Names of the 128 General MIDI programs, by number from 0. They are shortened to fit beside a staff. */
export const INSTRUMENTS = `Piano|Bright piano|Electric grand|Honky-tonk|E-piano 1|E-piano 2|Harpsichord|Clavinet
Celesta|Glockenspiel|Music box|Vibraphone|Marimba|Xylophone|Bells|Dulcimer
Drawbar organ|Perc. organ|Rock organ|Church organ|Reed organ|Accordion|Harmonica|Bandoneon
Nylon guitar|Steel guitar|Jazz guitar|Clean guitar|Muted guitar|Overdrive|Distortion|Harmonics
Acoustic bass|Finger bass|Pick bass|Fretless bass|Slap bass 1|Slap bass 2|Synth bass 1|Synth bass 2
Violin|Viola|Cello|Contrabass|Tremolo|Pizzicato|Harp|Timpani
Strings 1|Strings 2|Synth strings 1|Synth strings 2|Choir|Voice|Synth voice|Orchestra hit
Trumpet|Trombone|Tuba|Muted trumpet|Horn|Brass|Synth brass 1|Synth brass 2
Soprano sax|Alto sax|Tenor sax|Baritone sax|Oboe|English horn|Bassoon|Clarinet
Piccolo|Flute|Recorder|Pan flute|Bottle|Shakuhachi|Whistle|Ocarina
Square lead|Saw lead|Calliope|Chiff|Charang|Voice lead|Fifths|Bass + lead
New age|Warm pad|Polysynth|Choir pad|Bowed pad|Metal pad|Halo|Sweep
Rain|Soundtrack|Crystal|Atmosphere|Brightness|Goblins|Echoes|Sci-fi
Sitar|Banjo|Shamisen|Koto|Kalimba|Bagpipe|Fiddle|Shanai
Tinkle bell|Agogo|Steel drums|Woodblock|Taiko|Melodic tom|Synth drum|Reverse cymbal
Fret noise|Breath|Seashore|Birds|Telephone|Helicopter|Applause|Gunshot`.split(/[|\n]/);
