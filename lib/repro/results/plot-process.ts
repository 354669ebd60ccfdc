/**
 * The program of the process that draws plots (plot-renderer.ts). A Vega-Lite specification may come from anyone, so:
 * - its expressions are interpreted. Vega would compile them to JavaScript;
 * - it reads only the data that repro hands out, and embeds only images that are `data:` URLs;
 * - repro ends this process if it takes too long or too much memory.
 *
 * @see https://vega.github.io/vega/usage/interpreter/
 */
import { expressionInterpreter } from 'vega-interpreter';
import type { TopLevelSpec } from 'vega-lite';

/** A message from repro: a specification to draw, or the answer to a `load`. */
export type ToPlotProcess =
  | { draw: string }
  | { url: string; loaded: string }
  /** Why the data cannot be read. */
  | { url: string; refused: string };

/** A message from this process: a request for data, or the result. */
export type FromPlotProcess = { load: string } | { svg: string } | { failed: string };

const DATA_IMAGE = /^data:image\/(png|jpeg|gif|webp);base64,[\w+/=]*$/;

const send = (message: FromPlotProcess) => process.send!(message);

/** The loads that wait for an answer, by URL. */
const waiting = new Map<string, { resolve(text: string): void; reject(error: Error): void }[]>();

process.on('message', async (message: ToPlotProcess) => {
  if ('draw' in message) {
    try {
      send({ svg: await draw(message.draw) });
    } catch (error) {
      send({ failed: error instanceof Error ? error.message : String(error) });
    }
    return;
  }
  const loads = waiting.get(message.url) ?? [];
  waiting.delete(message.url);
  for (const { resolve, reject } of loads) {
    if ('loaded' in message) resolve(message.loaded);
    else reject(new Error(message.refused));
  }
});

/** Vega is large, and only these plots need it, so it is an optional dependency of the package. */
async function importVega() {
  try {
    return await Promise.all([import('vega-lite'), import('vega')]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new Error('this needs two more packages: npm install vega@6 vega-lite@6');
  }
}

/**
 * Draws a Vega-Lite specification as SVG.
 *
 * @throws Error if it is not a valid specification, or reads data that it may not read
 */
async function draw(text: string): Promise<string> {
  const spec: TopLevelSpec = JSON.parse(text);
  if (typeof spec !== 'object' || spec === null) throw new Error('it is not a Vega-Lite specification');
  const [{ compile }, { parse, View }] = await importVega();
  /** Vega reports most errors to its logger and goes on. The first one counts. */
  let failure: Error | undefined;
  const fail = (error: unknown) => {
    failure ??= error instanceof Error ? error : new Error(String(error));
  };
  const logger = {
    level: () => 0,
    error: (...args: unknown[]) => {
      fail(args.find((arg) => arg instanceof Error) ?? args.join(' '));
      return logger;
    },
    warn: () => logger,
    info: () => logger,
    debug: () => logger,
  };
  const loader = {
    async load(uri: string) {
      try {
        return await new Promise<string>((resolve, reject) => {
          waiting.set(uri, [...(waiting.get(uri) ?? []), { resolve, reject }]);
          send({ load: uri });
        });
      } catch (error) {
        fail(error);
        throw error;
      }
    },
    async sanitize(uri: string, { context }: { context?: string }) {
      // The plot is embedded as an image, where links do nothing.
      if (context === 'href') return { href: '#' };
      if (!DATA_IMAGE.test(uri))
        fail(new Error(`it shows the image ${uri.slice(0, 200)}; an image must be a data: URL of a bitmap`));
      return { href: DATA_IMAGE.test(uri) ? uri : '' };
    },
  };
  const { spec: vegaSpec } = compile(spec, { logger: logger as never });
  const view = new View(parse(vegaSpec, undefined, { ast: true }), {
    renderer: 'none',
    expr: expressionInterpreter,
    loader: loader as never,
    logger: logger as never,
  });
  try {
    const svg = await view.toSVG();
    if (failure) throw failure;
    return svg;
  } finally {
    view.finalize();
  }
}
