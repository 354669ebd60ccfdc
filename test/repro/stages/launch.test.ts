/**
 * Commands behave the same whether the addon starts them or node:child_process does (REPRO_SPAWN=node). Each way has one
 * run of a pipeline with a stage for each test.
 */
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { events, project, removeProjects, type TestProject } from '../project.ts';

afterAll(removeProjects);

const addon = existsSync('native/spawn/build/Release/spawn.node') || existsSync('native/spawn/prebuilds');

/** Commands by stage. */
const COMMANDS = {
  way: 'readlink /proc/self/fd/1',
  order: 'for i in 1 2 3; do echo "out $i"; echo "err $i" >&2; done',
  much: "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); echo $i; done; printf 'é'",
  given: `cat; pwd; echo "$OWN"; echo '{"done": 1, "total": 2}' >&"$REPRO_PROGRESS_FD"`,
  exits: 'exit 3',
  killed: 'kill -9 $$',
  unknown: 'no-such-program',
  signals: "trap 'echo usr1' USR1; kill -USR1 $$; sh -c 'kill -PIPE $$; echo survived' || echo $?",
  leaves: 'sleep 1000 & echo $!',
};
/** Further lines by stage. */
const MORE: { [stage: string]: string } = { given: '    wdir: sub\n    env: {OWN: "a = ü"}\n' };

describe.each([
  ['native/spawn', addon ? '' : 'skipped: native/spawn is not built', 'pipe'],
  ['node:child_process', '', 'socket'],
])('%s %s', (how, missing, channel) => {
  let made: TestProject;
  let told: ReturnType<typeof events>;
  beforeAll(async () => {
    if (missing !== '') return;
    const stages = Object.entries(COMMANDS).map(
      ([name, cmd]) => `  ${name}:\n    cmd: |\n      ${cmd}\n    deps: [in]\n${MORE[name] ?? ''}`,
    );
    made = project({ 'pipeline.yaml': `stages:\n${stages.join('')}`, in: '', 'sub/in': '' });
    made.hasOwnProcesses = true;
    made.env.REPRO_SPAWN = how === 'native/spawn' ? '' : 'node';
    told = events((await made.repro('-k', '--json')).stdout);
  });
  const all = (stage: keyof typeof COMMANDS, kind: string) =>
    told.filter((each) => each.event === kind && each.stage === stage);
  const said = (stage: keyof typeof COMMANDS) =>
    all(stage, 'output')
      .map(({ text }) => text)
      .join('');
  const testIfBuilt = (name: string, run: () => void) => test.skipIf(missing !== '')(name, run);
  const onLinux = process.platform === 'linux' ? testIfBuilt : test.skip;

  onLinux('is the way that commands are started', () => {
    expect(said('way')).toMatch(channel);
  });

  testIfBuilt('keeps the order of output on stdout and stderr', () => {
    expect(said('order')).toBe('out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n');
  });

  testIfBuilt('reads all output, however much it is', () => {
    expect(said('much')).toBe(`${Array.from({ length: 20_000 }, (_, i) => `${i + 1}\n`).join('')}é`);
  });

  testIfBuilt('gives a command no input, its working folder, its environment and the progress descriptor', () => {
    expect(said('given')).toBe(`${made.path('sub')}\na = ü\n`);
    expect(all('given', 'progress')).toMatchObject([{ done: 1, total: 2 }]);
    expect(all('given', 'end')).toMatchObject([{ outcome: 'ran' }]);
  });

  testIfBuilt('reports exit codes, signals and programs that are not found', () => {
    const failure = (stage: keyof typeof COMMANDS) => all(stage, 'end')[0].message;
    expect(failure('exits')).toContain('exit 3');
    expect(failure('killed')).toContain('SIGKILL');
    expect(failure('unknown')).toContain('was not found');
  });

  testIfBuilt('starts commands with no signal ignored or blocked', () => {
    expect(said('signals')).toMatch(/^usr1\n(Broken pipe\n)?141\n$/);
  });

  onLinux('kills the processes that a command leaves in its group', () => {
    // It is a zombie if the process that adopted it has not reaped it yet.
    expect(['gone', 'Z']).toContain(stateOf(Number(said('leaves'))));
  });
});

function stateOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '')[0];
  } catch {
    return 'gone';
  }
}
