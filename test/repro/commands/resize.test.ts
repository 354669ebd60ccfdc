/** The live lines of a run while its terminal is resized. tmux is the terminal: it wraps lines again, as most do. */
import { execFileSync } from 'node:child_process';
import stringWidth from 'string-width';
import { afterEach, describe, expect, test } from 'vitest';
import { project, removeProjects, type TestProject, until } from '../project.ts';

/** The terminals of this file have a tmux server of their own. */
const SERVER = `repro-test-${process.pid}`;

afterEach(() => {
  removeProjects();
  if (hasTmux()) tmux('kill-server');
});

function hasTmux(): boolean {
  try {
    return execFileSync('tmux', ['-V'], { encoding: 'utf8' }).startsWith('tmux');
  } catch {
    return false;
  }
}

function tmux(...args: string[]): string {
  try {
    return execFileSync('tmux', ['-u', '-L', SERVER, '-f', '/dev/null', ...args], { encoding: 'utf8', stdio: 'pipe' });
  } catch {
    return ''; // The terminal has ended.
  }
}

/** The live line of a stage whose output is long enough to be cut. */
const LIVE = /^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] t@.* ([\d.]+ s) · 学.*…$/;

/** Three stages with wide names that end when there is a file `go`. */
function wideNames(): TestProject {
  return project({
    'pipeline.yaml': `
stages:
  t: {matrix: {n: [音楽理論, 🎵🎶🎵, abc]}, cmd: 'echo ${'学習率を下げました'.repeat(6)}; until [ -e go ]; do sleep 0.01; done', params: [p]}
`,
    'params.yaml': 'p: 1',
  });
}

/**
 * Starts repro in a terminal of 90 columns and 20 rows.
 *
 * @param above lines of other text that are there already
 * @returns `lines`: everything that can be seen by scrolling, without that text
 */
async function inTmux(made: TestProject, { above }: { above: number }) {
  const call = `yes above | head -n ${above}; '${process.execPath}' '${await made.bundle()}' -j 3; echo ended; cat`;
  tmux('new-session', '-d', '-x', '90', '-y', '20', '-c', made.root, '-e', 'NO_COLOR=1', call);
  const lines = () =>
    tmux('capture-pane', '-p', '-S', '-')
      .split('\n')
      .filter((line) => line !== '' && line !== 'above');
  return { lines, resize: (columns: number) => tmux('resize-window', '-x', `${columns}`, '-y', '20') };
}

/** Waits for the end of the run, and returns the lines with `T` for each duration. */
async function end(made: TestProject, lines: () => string[]): Promise<string[]> {
  made.write('go', '');
  await until(() => lines().includes('ended'));
  return lines().map((line) => line.replace(/[\d.]+ s$/, 'T'));
}

describe.skipIf(!hasTmux())('when the terminal is resized (needs tmux)', () => {
  test('live lines with wide names fill the new width, and no part of an old one is left', async () => {
    const made = wideNames();
    const { lines, resize } = await inTmux(made, { above: 60 });
    for (const columns of [90, 61, 37, 90]) {
      resize(columns);
      await until(() => {
        const [plan, ...live] = lines();
        const isOneFrame = plan === '3 stages: 3 stale' && /^ {2}0 of 3 done/.test(live.pop() ?? '');
        const free = live.map((line) => columns - stringWidth(line));
        return isOneFrame && live.length === 3 && live.every((line, i) => LIVE.test(line) && [1, 2].includes(free[i]));
      });
    }
    const [plan, ...ended] = await end(made, lines);
    expect(plan).toBe('3 stages: 3 stale');
    expect(ended.slice(0, 3).sort()).toEqual(['✓ t@abc  T', '✓ t@音楽理論  T', '✓ t@🎵🎶🎵  T']);
    expect(ended.slice(3)).toEqual(['3 ran in T', 'ended']);
  });

  test('frames that begin in the top row do not fill what can be scrolled back to', async () => {
    const made = wideNames();
    const { lines, resize } = await inTmux(made, { above: 0 });
    await until(() => lines().some((line) => LIVE.test(line)));
    // tmux keeps the empty rows below, so the first rows leave the screen, and the live lines are in the top row.
    resize(37);
    const shown = new Set<string>();
    await until(() => {
      shown.add(LIVE.exec(lines().at(-2) ?? '')?.[1] ?? '');
      return shown.size > 5;
    });
    expect((await end(made, lines)).length).toBeLessThan(15);
  });
});
