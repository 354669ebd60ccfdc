/** The report: one file that fetches nothing, says what was found, and works in a real browser where one is installed. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ReportData, writeReport } from '../../lib/report/index.ts';
import { fitStudy, readRuns } from '../../lib/scaling/index.ts';
import { exampleResults, LAWS } from '../scaling/example.ts';
import { Browser, findChromium } from './browser.ts';
import { exampleAbc, exampleNotes, exampleReport } from './example.ts';

let folder: string;
let data: ReportData;
let file: string;
let page: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'report-'));
  data = await exampleReport();
  file = await writeReport(join(folder, 'report'), data);
  page = await readFile(file, 'utf8');
});
afterAll(() => rm(folder, { recursive: true }));

/** The page without scripts, styles and drawings. */
function text(html: string): string {
  return html
    .replace(/<(script|style|svg)\b[\s\S]*?<\/\1>/g, '')
    .replace(/<[^>]+>/g, ' ')
    .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
    .replace(/\s+/g, ' ');
}

/** Of a page: what fails is shown, and not half a megabyte around it. */
function matches(html: string, pattern: RegExp): string[] {
  return html.match(pattern) ?? [];
}

async function written(changes: Partial<ReportData>): Promise<string> {
  return readFile(await writeReport(await mkdtemp(join(folder, 'page-')), { ...data, ...changes }), 'utf8');
}

describe('the file', () => {
  test('is one, and the same bytes for the same study', async () => {
    expect(await readdir(join(folder, 'report'))).toEqual(['index.html']);
    expect((await written({})) === page).toBe(true);
  });

  test('refers to nothing outside itself: no address, no link, no import, and a policy that would refuse them', () => {
    const addresses = [...page.matchAll(/(?:https?:)?\/\/[a-z0-9.-]+\.[a-z]{2,}[^\s"'`)<]*/gi)].map(
      ([address]) => address,
    );
    // Names of the SVG and XML vocabularies, which nothing fetches.
    expect(
      [...new Set(addresses)].filter(
        (address) => !/^http:\/\/www\.w3\.org\/(2000\/svg|1999\/xlink|2000\/xmlns\/)/.test(address),
      ),
    ).toEqual([]);
    expect(matches(page, /<(link|script|img|iframe|source)\b[^>]*\b(src|href)="(?!data:)[^>]*/gi)).toEqual([]);
    expect(matches(page, /@import|url\((?!["']?(#|data:)).{20}/g)).toEqual([]);
    expect(page.includes("default-src 'none'")).toBe(true);
  });

  test('escapes what others wrote', async () => {
    const hostile = '</script><script>alert(1)</script><img src=x>';
    const spoilt = await written({
      title: hostile,
      samples: [
        { run: hostile, index: 1, abc: `X:1\nT:${hostile}\nK:C\nC|\n`, valid: false, measures: 1, problem: hostile },
      ],
      settings: { [hostile]: hostile },
      provenance: { commit: hostile },
    });
    expect(matches(spoilt, /<script>alert|<img/g)).toEqual([]);
  });
});

describe('what it says', () => {
  test('is the verdict in plain words, the laws with their intervals, and the best model', () => {
    const said = text(page);
    expect(said).toMatch(
      /GPT: larger models predict music better, .* each doubling of the parameters takes 21 % \(\d+ to \d+ %\) off/,
    );
    expect(said).toMatch(/LSTM is better at small sizes and GPT at large ones; the laws cross near/);
    expect(said).toMatch(/The best model is char-gpt-large-\d: 0\.\d+ test bits per byte with 512,640 parameters\./);
    expect(said).toContain('4 of the 6 samples below are valid ABC');
    expect(said).toMatch(/GPT a·N −α \+ c 0\.3\d\d 0\.\d+–0\.\d+/);
  });

  test('is that there is no law, and why, where there is none', async () => {
    const results = readRuns(
      exampleResults(
        LAWS.map((law) => ({ ...law, sizes: law.sizes.slice(0, 2) })),
        [1],
      ),
    );
    const said = text(await written({ results, study: fitStudy(results), samples: [], plots: [] }));
    expect(said).toMatch(
      /GPT: these runs support no scaling law, because the law a·N\^\(−α\) needs at least 4 runs of 3 sizes/,
    );
    expect(said).toContain('none: the law');
    expect(said).not.toContain('Listen');
  });

  test('holds every run, plot and sample, settings and origin', () => {
    for (const { run } of data.results) expect(page.includes(`data-value="${run}"`), run).toBe(true);
    for (const { name } of data.plots) expect(page.includes(`<figure id="plot-${name}"`), name).toBe(true);
    const said = text(page);
    expect(said).toContain('bar 5 of voice 2 is 14/16 long');
    for (const part of [
      'Sample 1',
      'in scale 0.958',
      'commit 3f01fcf',
      'tokens 1024000',
      'betas 0.9, 0.95',
      'temperature 0.9',
    ])
      expect(said).toContain(part);
  });

  test('marks runs that diverged and what was not measured', async () => {
    const results = readRuns(
      exampleResults()
        .replace(/^(char-gpt-tiny-1,.*),false$/m, '$1,true')
        .replace(/1\.\d+,/, ','),
    );
    const said = await written({ results, study: fitStudy(results) });
    expect(matches(said, /<tr class="diverged"><th scope="row" data-value="char-gpt-tiny-1">/)).toHaveLength(1);
    expect(text(said)).toContain('run char-gpt-tiny-1 is left out: it diverged');
  });

  test('shows samples whose MIDI is missing or unreadable, without a player', async () => {
    const sample = { run: 'a', index: 1, abc: exampleAbc(1), valid: true, measures: 1 };
    const said = await written({ samples: [sample, { ...sample, index: 2, midiBase64: 'bm8gTUlESQ==' }] });
    expect(matches(said, /There is nothing to play/g)).toHaveLength(2);
  });

  test('plays notes that are given as such', async () => {
    const said = await written({
      samples: [{ run: 'a', index: 1, abc: exampleAbc(1), notes: exampleNotes(1), valid: true, measures: 1 }],
    });
    const packed = JSON.parse(/id="samples-data">([\s\S]*?)<\/script>/.exec(said)![1]);
    expect(packed[0].notes).toHaveLength(exampleNotes(1).length);
    // [start ms, duration ms, pitch, velocity, program or −1]: the flute's a' of two beats at 112 a minute, with drums.
    expect(packed[0].notes).toContainEqual([0, 536, 81, 102, 73]);
    expect(packed[0].notes.some(([, , , , program]: number[]) => program === -1)).toBe(true);
  });
});

const chromium = findChromium();

describe.skipIf(chromium === undefined)('in a browser (skipped where Chromium is not installed)', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = new Browser(chromium!);
    await browser.open(file);
  });
  afterAll(() => browser.close());

  /** Resolves once the expression is true in the page; a page in which it never becomes so would hold up the tests for ever. */
  const until = (expression: string) =>
    browser.evaluate(`new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('never: ' + ${JSON.stringify(expression)})), 10000);
      const look = () => (${expression}) ? (clearTimeout(late), resolve()) : requestAnimationFrame(look);
      look();
    })`);

  test('loads without an error and asks the network for nothing', () => {
    expect(browser.errors).toEqual([]);
    expect(browser.requests).toEqual([]);
  });

  test('draws the scores when they come into view', async () => {
    await browser.evaluate("document.getElementById('listen').scrollIntoView()");
    await until("document.querySelectorAll('.paper svg').length >= 2");
    const staves = await browser.evaluate<number>(
      "document.querySelector('.paper svg').querySelectorAll('.abcjs-staff').length",
    );
    expect(staves).toBe(8);
    expect(browser.errors).toEqual([]);
  });

  test('plays a sample, marks what sounds, stops, and plays another instead', async () => {
    await browser.evaluate("document.querySelectorAll('.play')[0].click()");
    await until('player.scheduled > 0 && player.position > 0');
    await until("document.querySelector('.sample.playing .sounding')");
    expect(await browser.evaluate("document.querySelector('.play').getAttribute('aria-label')")).toMatch(/^Stop /);
    await browser.evaluate("document.querySelectorAll('.play')[1].click()");
    await until('player.scheduled > 0');
    expect(
      await browser.evaluate(
        "[...document.querySelectorAll('.sample')].map((card) => card.classList.contains('playing')).indexOf(true)",
      ),
    ).toBe(1);
    expect(await browser.evaluate("document.querySelectorAll('.playing').length")).toBe(1);
    await browser.evaluate("document.querySelectorAll('.play')[1].click()");
    expect(await browser.evaluate("[player.playing, document.querySelectorAll('.playing, .sounding').length]")).toEqual(
      [false, 0],
    );
  });

  test('plays from where the slider is put', async () => {
    const from = await browser.evaluate<number>(`(() => {
      const [card] = document.querySelectorAll('.sample');
      card.querySelector('.seek').value = 500;
      card.querySelector('.seek').dispatchEvent(new Event('input'));
      card.querySelector('.play').click();
      const { next } = player;
      const [start] = player.notes[next - player.scheduled];
      player.stop();
      return start / 1000;
    })()`);
    // Half of 8 bars of four beats at 112 a minute.
    expect(from).toBeGreaterThan(8);
    expect(from).toBeLessThan(9.2);
  });

  test('sorts the runs by a column, both ways', async () => {
    const first = () => browser.evaluate("document.querySelector('.sortable tbody tr').children[0].dataset.value");
    const click = () => browser.evaluate("document.querySelectorAll('.sortable th button')[1].click()");
    await click();
    expect(await first()).toMatch(/^char-gpt-tiny/);
    await click();
    expect(await first()).toMatch(/^char-gpt-large/);
    expect(await browser.evaluate("document.querySelectorAll('.sortable thead th')[1].getAttribute('aria-sort')")).toBe(
      'descending',
    );
  });

  test('is readable on a dark screen: text and lines stand out from what is behind them', async () => {
    await browser.open(file, { dark: true });
    const contrasts = await browser.evaluate<Record<string, number>>(`(() => {
      const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      const luminance = (colour) => {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((c) => (c / 255 <= 0.04 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const contrast = (a, b) => (Math.max(luminance(a), luminance(b)) + 0.05) / (Math.min(luminance(a), luminance(b)) + 0.05);
      const style = (selector) => getComputedStyle(document.querySelector(selector));
      const plot = style('figure svg').backgroundColor;
      const lines = [...document.querySelectorAll('figure svg path[stroke^="#"]')];
      return {
        text: contrast(style('body').color, style('body').backgroundColor),
        title: contrast(getComputedStyle(document.querySelector('figure svg text')).fill, plot),
        lines: Math.min(...lines.filter((path) => path.getAttribute('stroke-width') === '2').map((path) => contrast(getComputedStyle(path).stroke, plot))),
      };
    })()`);
    expect(contrasts.text).toBeGreaterThan(7);
    expect(contrasts.title).toBeGreaterThan(4.5);
    expect(contrasts.lines).toBeGreaterThan(2.5);
  });

  test('fits a phone without scrolling sideways', async () => {
    await browser.open(file, { width: 390, height: 800 });
    expect(await browser.evaluate('document.documentElement.scrollWidth <= 390')).toBe(true);
  });
});
