/** `repro plots` with plots from someone else: nothing in them runs, and they bring no other files into the page. */
import { symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { PlotRenderer } from '../../../lib/repro/results/index.ts';
import { Browser, findChromium } from '../../report/browser.ts';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

const values = [{ x: 1 }];
const spec = (parts: object) =>
  JSON.stringify({ mark: 'point', encoding: { x: { field: 'x', type: 'quantitative' } }, ...parts });

/** A stage whose output is a folder of plots. */
function plots(files: { [name: string]: string }): TestProject {
  const inFolder = Object.entries(files).map(([name, text]) => [`plots/${name}`, text]);
  return project({
    'pipeline.yaml': "stages:\n  draw: {cmd: 'true', params: [p], plots: [{plots: {persist: true}}]}\n",
    'params.yaml': 'p: 1',
    'secret.csv': 'x\n1\n',
    ...Object.fromEntries(inFolder),
  });
}

test('a specification reads data beside it or below, and nothing else', async () => {
  const reads = (url: string) => spec({ data: { url } });
  const refused: { [name: string]: [spec: string, why: string] } = {
    address: [reads('http://127.0.0.1:9/x.csv'), 'it reads http://127.0.0.1:9/x.csv, which is an address'],
    file: [reads('file:///etc/passwd'), 'it reads file:///etc/passwd, which is an address'],
    host: [reads('//example.org/x.csv'), 'it reads //example.org/x.csv, which is an address'],
    absolute: [reads('/etc/passwd'), 'it reads /etc/passwd, which is an absolute path'],
    up: [reads('sub/../../secret.csv'), 'it reads sub/../../secret.csv, which is outside of its folder'],
    hidden: [reads('.env.json'), 'it reads .env.json, which is not a data file'],
    linked: [reads('link.csv'), 'it reads link.csv, which leads to '],
    missing: [reads('none.csv'), 'it reads none.csv, which is missing'],
    lookup: [
      spec({
        data: { values },
        transform: [{ lookup: 'x', from: { data: { url: 'https://example.org/y.json' }, key: 'x', fields: ['y'] } }],
      }),
      'it reads https://example.org/y.json, which is an address',
    ],
    image: [
      spec({ data: { values }, mark: { type: 'image', url: 'http://example.org/i.png', width: 9 } }),
      'it shows the image http://example.org/i.png; an image must be a data: URL',
    ],
    code: [
      spec({ data: { values }, transform: [{ calculate: 'toString.constructor("return process")()', as: 'x' }] }),
      'Illegal callee',
    ],
    null: ['null', 'it is not a Vega-Lite specification'],
  };
  const made = plots({
    'good.vl.json': spec({ data: { url: 'sub/data.csv' }, title: '</svg><script>alert(1)</script>' }),
    'sub/data.csv': 'x\n1\n',
    ...Object.fromEntries(Object.entries(refused).map(([name, [text]]) => [`${name}.vl.json`, text])),
  });
  symlinkSync('../secret.csv', made.path('plots/link.csv'));
  symlinkSync('/etc/hosts', made.path('plots/hosts.csv'));
  const { exit, stdout, stderr } = await made.repro('plots', 'show');
  expect([exit, stdout]).toEqual([0, expect.stringMatching(/^3 plots in /)]); // good, its data, and link
  for (const [name, [, why]] of Object.entries(refused))
    expect(stderr).toContain(`repro: plots/${name}.vl.json cannot be drawn: ${why}`);
  expect(stderr).toContain(
    "repro: plots/hosts.csv cannot be drawn: it leads to /etc/hosts, outside of the pipeline's folder",
  );
  expect(made.read('.repro/plots.html')).not.toMatch(/<script|example\.org/);
});

test('a specification that takes too long is given up, and the next one is drawn', async () => {
  const program = join(dirname(await plots({}).bundle()), 'repro/plot-process.js');
  const renderer = new PlotRenderer(program);
  const noData = async () => undefined;
  const endless = spec({ data: { values }, transform: [{ calculate: 'length(sequence(0, 1e9))', as: 'x' }] });
  await expect(renderer.draw(endless, noData, 0.2)).rejects.toThrow('drawing it takes more than 0.2 s');
  expect(await renderer.draw(spec({ data: { values } }), noData)).toMatch(/^<svg/);
  renderer.close();
});

const chromium = findChromium();

test.skipIf(chromium === undefined)(
  'scripts in an SVG do not run, and the page requests nothing (needs Chromium)',
  async () => {
    const made = plots({
      'evil.svg': `<svg width="9" height="9" onload="top.ran = 1"><script>top.ran = 2; fetch('http://127.0.0.1:9/script')</script>
<image href="http://127.0.0.1:9/image" width="9" height="9"/><foreignObject><iframe src="http://127.0.0.1:9/frame"/></foreignObject>
<style>@import url(http://127.0.0.1:9/style)</style></svg>`,
    });
    // A title is text of pipeline.yaml.
    made.write(
      'pipeline.yaml',
      made
        .read('pipeline.yaml')
        .replace('persist: true', `persist: true, title: "<img src=http://127.0.0.1:9/title onerror='ran = 3'>"`),
    );
    expect((await made.repro('plots', 'show')).stderr).toBe('');
    const browser = new Browser(chromium!);
    try {
      await browser.open(made.path('.repro/plots.html'));
      const { drawn, ran } = await browser.evaluate<{ drawn: number; ran: unknown }>(
        `({ drawn: document.querySelector('img').naturalWidth, ran: window.ran ?? null })`,
      );
      expect({ drawn, ran, requests: browser.requests }).toEqual({ drawn: 9, ran: null, requests: [] });
      // The policy itself stops what would get past the escaping.
      await browser.evaluate(
        `document.body.insertAdjacentHTML('beforeend', "<img src='http://127.0.0.1:9/x' onerror='ran = 4'><a href='javascript:ran = 5'>x</a>"), document.querySelector('a').click()`,
      );
      expect(await browser.evaluate('new Promise((then) => setTimeout(() => then(window.ran ?? null)))')).toBe(null);
      expect(browser.errors.every((error) => error.includes('Content Security Policy'))).toBe(true);
    } finally {
      await browser.close();
    }
  },
);
