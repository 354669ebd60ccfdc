/**
 * The report: one file that works offline, with the results of the study. It is tested in Chromium too, if that is
 * installed.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ReportData, writeReport } from '../../lib/report/index.ts';
import { fitStudy, readRuns } from '../../lib/scaling/index.ts';
import { exampleResults, LAWS } from '../scaling/example.ts';
import { Browser, findChromium } from './browser.ts';
import { exampleAbc, exampleNotes, exampleReport, textOf } from './example.ts';

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

/** Returns all matches in a page, so that a failing assertion does not print the whole page. */
function matches(html: string, pattern: RegExp): string[] {
  return html.match(pattern) ?? [];
}

/** Writes a report with some data changed, and returns the page. */
async function written(changes: Partial<ReportData>): Promise<string> {
  return readFile(await writeReport(await mkdtemp(join(folder, 'page-')), { ...data, ...changes }), 'utf8');
}

describe('the file', () => {
  test('is the only output, with the same bytes for the same data', async () => {
    expect(await readdir(join(folder, 'report'))).toEqual(['index.html']);
    expect((await written({})) === page).toBe(true);
  });

  test('refers to no other file or address, and has a policy that forbids requests', () => {
    const addresses = [...page.matchAll(/(?:https?:)?\/\/[a-z0-9.-]+\.[a-z]{2,}[^\s"'`)<]*/gi)].map(
      ([address]) => address,
    );
    // XML namespaces are names and are not requested.
    expect(
      [...new Set(addresses)].filter(
        (address) => !/^http:\/\/www\.w3\.org\/(2000\/svg|1999\/xlink|2000\/xmlns\/)/.test(address),
      ),
    ).toEqual([]);
    expect(matches(page, /<(link|script|img|iframe|source)\b[^>]*\b(src|href)="(?!data:)[^>]*/gi)).toEqual([]);
    expect(matches(page, /@import|url\((?!["']?(#|data:)).{20}/g)).toEqual([]);
    expect(page.includes("default-src 'none'")).toBe(true);
  });

  test('escapes all text from samples and settings', async () => {
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

  test('runs only its own scripts, and takes no plot with scripts, links or addresses', async () => {
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)![1];
    const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, script]) => script);
    const hashes = scripts.map((script) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`);
    expect(policy).toContain(`script-src ${hashes.join(' ')};`);
    for (const [inside, what] of [
      ['<script>alert(1)</script>', 'an element <script>'],
      ['<g onload="alert(1)"/>', 'an attribute onload'],
      ['<a xlink:href="javascript:alert(1)"><text>x</text></a>', 'an element <a>'],
      ['<image href="http://example.org/x.png"/>', 'an element <image>'],
      ['<rect fill="url(http://example.org/x.svg#a)"/>', 'an address'],
      ['<g style="background:url(x)"/>', 'an attribute style'],
      ['</svg><meta http-equiv="refresh" content="0;url=http://example.org">', 'an element <meta>'],
      ["<g onload='alert(1)'/>", 'markup that is not an element of a plot'],
      ['<!-- --!><img src=x>', 'markup that is not an element of a plot'],
    ])
      await expect(written({ plots: [{ name: 'p', caption: '', svg: `<svg>${inside}</svg>` }] })).rejects.toThrow(
        `the plot p has ${what}`,
      );
  });
});

describe('the content', () => {
  test('has the laws in plain words and with their intervals, their comparison, and the best model', () => {
    const shown = textOf(page);
    expect(shown).toMatch(
      /GPT: larger models predict music better, .* each doubling of the parameters takes 21 % \(\d+ to \d+ %\) off/,
    );
    expect(shown).toMatch(/LSTM is better at small sizes and GPT at large ones; the laws cross near/);
    expect(shown).toMatch(/The best model is char-gpt-large-\d: 0\.\d+ test bits per byte with 512,640 parameters\./);
    expect(shown).toContain(
      '3 of 80 samples drawn without rules are valid ABC from beginning to end (95 %: 1.3 to 10 %). ' +
        'Of those that may only follow the rules of the notation, 20 of 20 are.',
    );
    expect(shown).toMatch(/GPT a·N −α \+ c 0\.3\d\d 0\.\d+–0\.\d+/);
  });

  test('gives the reason if there is no law', async () => {
    const results = readRuns(
      exampleResults(
        LAWS.map((law) => ({ ...law, sizes: law.sizes.slice(0, 2) })),
        [1],
      ),
    );
    const shown = textOf(await written({ results, study: fitStudy(results), samples: [], plots: [] }));
    expect(shown).toMatch(
      /GPT: these runs support no scaling law, because the law a·N\^\(−α\) needs at least 4 runs of 3 sizes/,
    );
    expect(shown).toContain('none: the law');
    expect(shown).not.toContain('Listen');
  });

  test('has every run, plot and sample, the settings and the provenance', () => {
    for (const { run } of data.results) expect(page.includes(`data-value="${run}"`), run).toBe(true);
    for (const { name } of data.plots) expect(page.includes(`<figure id="plot-${name}"`), name).toBe(true);
    const shown = textOf(page);
    expect(shown).toContain('bar 5 of voice 2 is 14/16 long');
    for (const part of [
      'Sample 1',
      'in scale 0.958',
      'commit 3f01fcf',
      'tokens 1024000',
      'betas 0.9, 0.95',
      'temperature 0.9',
    ])
      expect(shown).toContain(part);
  });

  test('marks runs that diverged, and values that were not measured', async () => {
    const results = readRuns(
      exampleResults()
        .replace(/^(char-gpt-tiny-1,.*),false$/m, '$1,true')
        .replace(/1\.\d+,/, ','),
    );
    const shown = await written({ results, study: fitStudy(results) });
    expect(matches(shown, /<tr class="diverged"><th scope="row" data-value="char-gpt-tiny-1">/)).toHaveLength(1);
    expect(textOf(shown)).toContain('run char-gpt-tiny-1 is left out: it diverged');
  });

  test('shows samples with missing or unreadable MIDI without a player', async () => {
    const sample = { run: 'a', index: 1, abc: exampleAbc(1), valid: true, measures: 1 };
    const shown = await written({ samples: [sample, { ...sample, index: 2, midiBase64: 'bm8gTUlESQ==' }] });
    expect(matches(shown, /There is nothing to play/g)).toHaveLength(2);
  });

  test('plays notes that are given instead of a MIDI file', async () => {
    const shown = await written({
      samples: [{ run: 'a', index: 1, abc: exampleAbc(1), notes: exampleNotes(1), valid: true, measures: 1 }],
    });
    const packed = JSON.parse(/id="samples-data">([\s\S]*?)<\/script>/.exec(shown)![1]);
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

  /** Waits until an expression is true in the page; fails after 10 s. */
  const until = (expression: string) =>
    browser.evaluate(`new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('never: ' + ${JSON.stringify(expression)})), 10000);
      const look = () => (${expression}) ? (clearTimeout(late), resolve()) : requestAnimationFrame(look);
      look();
    })`);

  test('loads without errors and network requests', () => {
    expect(browser.errors).toEqual([]);
    expect(browser.requests).toEqual([]);
  });

  test('draws the scores when they come into view', async () => {
    await browser.evaluate("document.getElementById('listen').scrollIntoView({ behavior: 'instant' })");
    await until("document.querySelectorAll('.paper svg').length >= 2");
    const staves = await browser.evaluate<number>(
      "document.querySelector('.paper svg').querySelectorAll('.abcjs-staff').length",
    );
    expect(staves).toBe(8);
    expect(browser.errors).toEqual([]);
  });

  test('plays a sample and highlights its notes; starting another stops the first', async () => {
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

  test('plays from the position of the slider', async () => {
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

  test('sorts the runs by a column in both orders, by its heading or by the list that a phone shows', async () => {
    const first = () => browser.evaluate("document.querySelector('.sortable tbody tr').children[0].dataset.value");
    const heading =
      "[...document.querySelectorAll('.sortable th')].find((th) => th.innerText.startsWith('parameters'))";
    await browser.evaluate(`${heading}.querySelector('button').click()`);
    expect(await first()).toMatch(/^char-gpt-tiny/);
    await browser.evaluate(`${heading}.querySelector('button').click()`);
    expect(await first()).toMatch(/^char-gpt-large/);
    expect(await browser.evaluate(`${heading}.getAttribute('aria-sort')`)).toBe('descending');
    await browser.evaluate(`(() => {
      const list = document.querySelector('.sorter select');
      list.value = [...list.options].find(({ text }) => text === 'test bits per byte').value;
      list.dispatchEvent(new Event('change'));
    })()`);
    expect(await first()).toMatch(/^char-gpt-large/);
    await browser.evaluate("document.querySelector('.sorter button').click()");
    expect(await first()).toMatch(/^char-gpt-tiny/);
  });

  test('plots name the run below the pointer, highlight it in the table, and lead to its row', async () => {
    await browser.evaluate("document.getElementById('plot-scaling').scrollIntoView({ behavior: 'instant' })");
    await until("document.querySelector('#plot-scaling .live .mark-symbol path')");
    // Each step reads what it shows within one task: the scroll that a click leads to hides the tooltip in the next frame.
    const onPoint = (events: string[], result: string) => `(() => {
      const [point] = document.querySelectorAll('#plot-scaling .live .mark-symbol path');
      const { left, top, width, height } = point.getBoundingClientRect();
      const at = { bubbles: true, clientX: left + width / 2, clientY: top + height / 2 };
      for (const type of ${JSON.stringify(events)}) point.dispatchEvent(new PointerEvent(type, at));
      return ${result};
    })()`;
    const runOf = (name: string) => `document.querySelector('tr.${name}')?.children[0].dataset.value`;
    const [shown, row] = await browser.evaluate<string[]>(
      onPoint(
        ['pointerover', 'pointermove', 'mousemove'],
        `[!document.getElementById('tooltip').hidden && document.getElementById('tooltip').innerText, ${runOf('hovered')}]`,
      ),
    );
    const found = await browser.evaluate<string>(onPoint(['click'], runOf('found')));
    expect(shown).toMatch(
      /run\s+char-gpt-tiny-\d[\s\S]*test bits per byte\s+1\.\d{4}[\s\S]*parameters\s+5,632[\s\S]*seed/,
    );
    expect([row, found]).toEqual([/char-gpt-tiny-\d/.exec(shown)![0], row]);
  });

  test('plots zoom by buttons, move by arrow keys, and show all again', async () => {
    const labels =
      "[...document.querySelectorAll('#plot-scaling .live .role-axis-label text')].map((label) => label.textContent).sort().join(' ')";
    const press = (action: string) =>
      browser.evaluate(`document.querySelector('#plot-scaling [data-zoom=${action}]').click()`);
    const changed = async (from: string) => {
      await until(`${labels} !== ${JSON.stringify(from)}`);
      return browser.evaluate<string>(labels);
    };
    const all = await browser.evaluate<string>(labels);
    await press('in');
    const zoomed = await changed(all);
    expect(zoomed.split(' ')).toEqual(expect.arrayContaining(['20k', '100k', '1']));
    expect(zoomed).not.toMatch(/\b5k|500k|NaN|undefined/);
    await browser.evaluate(
      "document.querySelector('#plot-scaling .zoom').dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowUp', bubbles: true }))",
    );
    await changed(zoomed);
    await press('reset');
    await until(`${labels} === ${JSON.stringify(all)}`);
    expect(browser.errors).toEqual([]);
  });

  test('shows the drawings where scripts do not run', async () => {
    const bare = join(folder, 'without-scripts.html');
    await writeFile(bare, page.replace(/script-src [^;]*/, "script-src 'none'"));
    await browser.open(bare);
    const sizes = await browser.evaluate<number[]>(
      "[...document.querySelectorAll('.drawing')].map((drawing) => drawing.querySelector('svg').getBoundingClientRect().height)",
    );
    expect(Math.min(...sizes)).toBeGreaterThan(100);
    expect(await browser.evaluate("getComputedStyle(document.querySelector('.only-script')).display")).toBe('none');
    browser.errors.length = 0;
    await browser.open(file);
  });

  test.each([
    ['a wide light screen', { width: 1280, height: 900 }],
    ['a dark phone', { width: 400, height: 800, dark: true }],
  ])('has no fault that axe finds on %s, with all parts open', async (_, screen) => {
    await browser.open(file, screen);
    await browser.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
    await browser.evaluate("for (const part of document.querySelectorAll('details')) part.open = true");
    await browser.evaluate("document.getElementById('listen').scrollIntoView({ behavior: 'instant' })");
    await until("document.querySelectorAll('.paper svg').length >= 1");
    const violations = await browser.evaluate<object[]>(
      'axe.run().then(({ violations }) => violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html }) => html.slice(0, 200)) })))',
    );
    expect(violations).toEqual([]);
  });

  test('has sufficient contrast of text and lines on a dark screen', async () => {
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

  test('fits a phone: nothing is cut, plots are narrow, rows are cards', async () => {
    await browser.open(file, { width: 400, height: 800 });
    await browser.evaluate("document.getElementById('plot-scaling').scrollIntoView({ behavior: 'instant' })");
    await until("document.querySelector('#plot-scaling .live svg')");
    const parts =
      'figure svg, figure button, .headline div, .verdicts li, table.cards td, table.cards th, .facts div, .pairs dd';
    const cut = await browser.evaluate<string[]>(`[...document.querySelectorAll('${parts}')]
      .filter((part) => part.checkVisibility() && !part.closest('thead'))
      .filter((part) => part.getBoundingClientRect().right > 400 || part.getBoundingClientRect().left < 0)
      .map((part) => part.outerHTML.slice(0, 100))`);
    expect(cut).toEqual([]);
    expect(await browser.evaluate('document.documentElement.scrollWidth <= 400')).toBe(true);
    // A card of the table shows the first values of its run, and all of them on demand.
    const values =
      "[...document.querySelector('.sortable tbody tr').cells].filter((cell) => cell.checkVisibility()).length";
    expect(await browser.evaluate(values)).toBe(7);
    await browser.evaluate("document.querySelector('.all-values').click()");
    expect(await browser.evaluate(values)).toBeGreaterThan(10);
    // Letters of a drawing are about as large as in its layout, not shrunk with a wide one.
    const scale = "document.querySelector('#plot-scaling .live svg')";
    expect(
      await browser.evaluate(`${scale}.getBoundingClientRect().width / ${scale}.viewBox.baseVal.width`),
    ).toBeGreaterThan(0.9);
  });
});
