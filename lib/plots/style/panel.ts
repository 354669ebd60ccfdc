/**
 * A panel with a line for each model size, as several plots have beside each other. Larger sizes are darker, and the
 * name of a size stands beside the right end of its line.
 */
import { spread } from './axes.ts';
import { ramp } from './theme.ts';

/** Width and height of a panel, in pixels. */
export interface PanelSize {
  width: number;
  height: number;
}

/** The smallest distance between the names of two lines, in pixels. */
const LABEL_GAP = 15;
/** The top of the panel, in pixels: half a name has room below it. */
const LABEL_TOP = 6;

/**
 * The frame of a panel, and the colours of its lines.
 *
 * @param sizes names of the model sizes, from small to large: the field `size` of the data
 * @param colour of the largest size
 */
export function linesPanel(name: string, sizes: readonly string[], colour: string, { width, height }: PanelSize) {
  return {
    frame: {
      title: { text: name, fontSize: 14, offset: 8, anchor: 'start', frame: 'group' } as const,
      width,
      height,
      resolve: { scale: { color: 'independent' } } as const,
    },
    color: {
      field: 'size',
      type: 'nominal',
      scale: { domain: [...sizes], range: ramp(colour, sizes.length) },
      legend: null,
    } as const,
  };
}

/**
 * The layer of names at the right edge of a panel, one for each line, moved apart where lines end close together.
 *
 * @param ends value on the y axis at which the line of each size ends
 * @param y encoding of the y axis, with a fixed domain; its scale is linear unless its type is `log`
 * @param color encoding of the colour, by linesPanel
 */
export function endLabels<Y extends { scale: { type?: 'log'; domain: [number, number] } }, Color>(
  ends: readonly { size: string; value: number }[],
  y: Y,
  color: Color,
  { width, height }: PanelSize,
) {
  const [low, high] = y.scale.domain;
  const isLog = y.scale.type === 'log';
  const toPixel = (value: number) =>
    height * (isLog ? Math.log(high / value) / Math.log(high / low) : (high - value) / (high - low));
  const toValue = (pixel: number) =>
    isLog ? high * (low / high) ** (pixel / height) : high - (pixel / height) * (high - low);
  const placed = spread(
    ends.map(({ value }) => toPixel(value)),
    LABEL_GAP,
    [LABEL_TOP, height],
  );
  return {
    data: { values: ends.map(({ size }, i) => ({ size, label_at: toValue(placed[i]) })) },
    mark: { type: 'text', align: 'left', baseline: 'middle', dx: 8, fontSize: 11.5 } as const,
    encoding: { x: { value: width }, y: { ...y, field: 'label_at' }, text: { field: 'size' }, color } as const,
  };
}
