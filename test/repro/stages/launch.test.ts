/** Commands behave the same whether the addon starts them or node:child_process does (REPRO_SPAWN=node). */
import { existsSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { events, project, removeProjects } from '../project.ts';

afterEach(removeProjects);

const addon = existsSync('native/spawn/build/Release/spawn.node') || existsSync('native/spawn/prebuilds');

describe.each([
  ['native/spawn', addon ? '' : 'skipped: native/spawn is not built', 'pipe'],
  ['node:child_process', '', 'socket'],
])('%s %s', (how, missing, channel) => {
  const stage = (cmd: string, more = '') => {
    const made = project({
      'pipeline.yaml': `stages:\n  it:\n    cmd: |\n      ${cmd}\n    deps: [in]\n${more}`,
      in: '',
    });
    made.hasOwnProcesses = true;
    made.env.REPRO_SPAWN = how === 'native/spawn' ? '' : 'node';
    return made;
  };
  const said = (stdout: string) =>
    events(stdout)
      .filter(({ event }) => event === 'output')
      .map(({ text }) => text)
      .join('');
  const testIfBuilt = (name: string, run: () => Promise<void>) => test.skipIf(missing !== '')(name, run);
  const onLinux = process.platform === 'linux' ? testIfBuilt : test.skip;

  onLinux('is the way that commands are started', async () => {
    const { stdout } = await stage('readlink /proc/self/fd/1').repro('--json');
    expect(said(stdout)).toMatch(channel);
  });

  testIfBuilt('keeps the order of output on stdout and stderr', async () => {
    const { stdout } = await stage('for i in 1 2 3; do echo "out $i"; echo "err $i" >&2; done').repro('--json');
    expect(said(stdout)).toBe('out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n');
  });

  testIfBuilt('reads all output, however much it is', async () => {
    const { stdout } = await stage("i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); echo $i; done; printf 'é'").repro(
      '--json',
    );
    expect(said(stdout)).toBe(`${Array.from({ length: 20_000 }, (_, i) => `${i + 1}\n`).join('')}é`);
  });

  testIfBuilt('gives a command no input, its working folder, its environment and the progress descriptor', async () => {
    const made = stage(
      `cat; pwd; echo "$OWN"; echo '{"done": 1, "total": 2}' >&"$REPRO_PROGRESS_FD"`,
      '    wdir: sub\n    env: {OWN: "a = ü"}\n',
    );
    made.write('sub/in', '');
    const { stdout, exit } = await made.repro('--json');
    expect([exit, said(stdout)]).toEqual([0, `${made.path('sub')}\na = ü\n`]);
    expect(events(stdout).filter(({ event }) => event === 'progress')).toMatchObject([{ done: 1, total: 2 }]);
  });

  testIfBuilt('reports exit codes, signals and programs that are not found', async () => {
    const failure = async (cmd: string) => (await stage(cmd).repro()).stdout;
    expect(await failure('exit 3')).toContain('exit 3');
    expect(await failure('kill -9 $$')).toContain('SIGKILL');
    expect(await failure('no-such-program')).toContain('was not found');
  });

  testIfBuilt('starts commands with no signal ignored or blocked', async () => {
    const { stdout } = await stage(
      "trap 'echo usr1' USR1; kill -USR1 $$; sh -c 'kill -PIPE $$; echo survived' || echo $?",
    ).repro('--json');
    expect(said(stdout)).toMatch(/^usr1\n(Broken pipe\n)?141\n$/);
  });

  onLinux('kills the processes that a command leaves in its group', async () => {
    const made = stage('sleep 1000 & echo $!');
    const pid = Number(said((await made.repro('--json')).stdout));
    // It is a zombie if the process that adopted it has not reaped it yet.
    expect(['gone', 'Z']).toContain(stateOf(pid));
  });
});

function stateOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '')[0];
  } catch {
    return 'gone';
  }
}
