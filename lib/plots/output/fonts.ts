/** The font files of PNGs and PDFs, so that plots look the same on every machine. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const FOLDER = dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json'));

export const FONT_FILES = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf', 'DejaVuSans-Oblique.ttf'].map((file) =>
  join(FOLDER, 'ttf', file),
);
/** The family of these files. */
export const FONT_FAMILY = 'DejaVu Sans';
