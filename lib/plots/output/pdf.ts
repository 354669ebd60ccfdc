/**
 * Draws a plot as a PDF for papers: lines and text stay vectors, and the fonts are embedded. Vega draws on the page of a
 * PDF of Skia as it would on a canvas.
 */
import type { View } from 'vega';
import { FONT_FILES } from './fonts.ts';

/** Points of a page per pixel of the SVG, so that a plot has the same size in print as on a screen. */
const POINTS_PER_PIXEL = 0.75;

/** Whether Skia knows the fonts. */
let hasFonts = false;

/**
 * Draws a plot on a page of its size. The same plot gives the same bytes.
 *
 * @param view a view whose dataflow has run
 * @param size width and height of its SVG, in pixels
 * @throws Error if a font file is missing
 */
export async function viewPdf(view: View, size: { width: number; height: number }): Promise<Buffer> {
  const { GlobalFonts, PDFDocument } = await import('@napi-rs/canvas');
  if (!hasFonts)
    for (const file of FONT_FILES) {
      // Skia would draw the text with another font, and say nothing.
      if (!GlobalFonts.registerFromPath(file)) throw new Error(`the font ${file} cannot be read`);
    }
  hasFonts = true;
  // Skia would cut off a part of a point.
  const [width, height] = [size.width, size.height].map((pixels) => Math.ceil(pixels * POINTS_PER_PIXEL));
  const document = new PDFDocument();
  const page = document.beginPage(width, height);
  keepTextPlain(page);
  // The option is missing from Vega's types.
  const options: object = { externalContext: page };
  await view.toCanvas(POINTS_PER_PIXEL, options);
  document.endPage();
  return document.close();
}

/**
 * Skia writes letters that are stroked, or drawn while a line dash is set, as a Type 3 font, which some publishers refuse.
 * So letters are filled without a dash, and instead of a stroke, which sets labels off, they have a box behind them.
 */
function keepTextPlain(page: Page): void {
  const fillText = page.fillText.bind(page);
  page.fillText = (...call) => {
    const dash = page.getLineDash();
    page.setLineDash([]);
    fillText(...call);
    page.setLineDash(dash);
  };
  page.strokeText = (text, x, y) => fillBox(page, text, x, y);
}

/** Fills the box of a text with the colour of its stroke. */
function fillBox(page: Page, text: string, x: number, y: number): void {
  const box = page.measureText(text);
  const [left, top] = [x - box.actualBoundingBoxLeft, y - box.actualBoundingBoxAscent];
  const width = box.actualBoundingBoxLeft + box.actualBoundingBoxRight;
  const height = box.actualBoundingBoxAscent + box.actualBoundingBoxDescent;
  page.save();
  page.fillStyle = page.strokeStyle;
  page.fillRect(left, top, width, height);
  page.restore();
}

/** A page of a PDF, which has the methods of a canvas. */
type Page = ReturnType<InstanceType<typeof import('@napi-rs/canvas').PDFDocument>['beginPage']>;
