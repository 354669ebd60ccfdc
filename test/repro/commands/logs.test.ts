/** The kept output of attempts: `repro log --tail`, what gc frees, and logs that are large. */
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { lastLines, oldLogs, textOf } from '../../../lib/repro/attempts/log-files.ts';
import { project, removeProjects } from '../project.ts';

const folder = mkdtempSync(join(tmpdir(), 'repro-logs-'));

afterEach(removeProjects);

describe('the end of a log', () => {
  const file = join(folder, 'log');
  const last = (text: string, count: number) => {
    writeFileSync(file, text);
    return lastLines(file, count);
  };

  test('is found from the end; the lines before it are counted, unless they are too many', () => {
    expect(last('a\nb\nc\n\n', 2)).toEqual({ lines: ['b', 'c'], earlier: 1 });
    expect(last('a\nb', 2)).toEqual({ lines: ['a', 'b'], earlier: 0 });
    expect(last('', 2)).toEqual({ lines: [], earlier: 0 });
    const line = `${'é'.repeat(50_000)}\n`;
    expect(last(line.repeat(30), 1)).toEqual({ lines: [line.trim()], earlier: 29 });
    expect(last(`x\n${'y'.repeat(20 << 20)}`, 1)).toEqual({ lines: ['y'.repeat(256 << 10)], earlier: undefined });
    rmSync(folder, { recursive: true });
  });

  test('is printed by --tail, from the start of a line; without it, all of it', async () => {
    const made = project({
      'pipeline.yaml': `stages: {a: {cmd: 'seq 300000; printf end; exit 3'}}\n`,
    });
    await made.repro();
    const { stdout } = await made.repro('log', 'a', '--tail', '3');
    expect(stdout.split('\n').slice(-3)).toEqual(['299999', '300000', 'end']);
    const whole = (await made.repro('log', 'a')).stdout;
    expect(whole.slice(whole.indexOf('\n1\n') + 1)).toBe(
      `${Array.from({ length: 300_000 }, (_, i) => i + 1).join('\n')}\nend`,
    );
    expect(whole.length).toBe(
      [...textOf(made.path(/\.repro\/\S+\.log/.exec(whole)![0]))].join('').length + whole.indexOf('\n1\n') + 1,
    );
  });
});

describe('gc', () => {
  test('frees logs older than seven days, or than --age, but never the newest of a stage of the pipeline', async () => {
    const day = 24 * 3600;
    const made = project({ 'pipeline.yaml': 'stages: {a: {cmd: echo a}, b: {cmd: echo b}}\n' });
    const log = (stage: string, name: string, days: number) => {
      made.write(`.repro/logs/${stage}/${name}.log`, 'x'.repeat(1000));
      const time = Date.now() / 1000 - days * day;
      utimesSync(made.path(`.repro/logs/${stage}/${name}.log`), time, time);
    };
    for (const stage of ['a', 'gone'])
      for (const [name, days] of [
        ['1', 30],
        ['2', 8],
        ['3', 6],
      ] as const)
        log(stage, name, days);
    log('b', '1', 90);
    const old = (age?: number) =>
      oldLogs(made.root, ['a', 'b'], age).map(({ path }) => path.slice(made.root.length + 13));
    expect(old(40 * day)).toEqual([]);
    expect(old(10 * day).sort()).toEqual(['a/1.log', 'gone/1.log']);
    expect(old(0).sort()).toEqual(['a/1.log', 'a/2.log', 'gone/1.log', 'gone/2.log', 'gone/3.log']);

    expect((await made.repro('gc')).stdout).toContain('would free 3.9 KiB in 4 old logs\n');
    expect(readdirSync(made.path('.repro/logs/gone'))).toHaveLength(3);
    expect(JSON.parse((await made.repro('gc', '--yes', '--json')).stdout)).toMatchObject({ logs: 4, logBytes: 4000 });
    expect(['a', 'b', 'gone'].map((stage) => readdirSync(made.path(`.repro/logs/${stage}`)))).toEqual([
      ['3.log'],
      ['1.log'],
      ['3.log'],
    ]);
  });

  test('forgets attempts of the same age, but never the last of a stage and the last that succeeded', async () => {
    const made = project({ 'pipeline.yaml': 'stages: {a: {cmd: echo a}}\n' });
    const attempt = (stage: string, days: number, outcome: string) =>
      `${JSON.stringify({ stage, started: new Date(Date.now() - days * 86_400_000), seconds: days, outcome })}\n`;
    const lines = [
      attempt('a', 30, 'ran'),
      attempt('a', 20, 'ran'),
      attempt('a', 19, 'failed'),
      attempt('a', 18, 'failed'),
      attempt('gone', 17, 'ran'),
      attempt('gone', 2, 'ran'),
    ];
    made.write('.repro/attempts.jsonl', lines.join(''));
    expect((await made.repro('gc')).stdout).toContain('would free the record of 3 old attempts\n');
    expect(made.read('.repro/attempts.jsonl')).toBe(lines.join(''));
    expect(JSON.parse((await made.repro('gc', '--yes', '--json')).stdout)).toMatchObject({ attempts: 3 });
    expect(made.read('.repro/attempts.jsonl')).toBe(lines[1] + lines[3] + lines[5]);
  });
});
