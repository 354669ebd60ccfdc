/**
 * macOS and Windows, emulated on Linux: REPRO_PLATFORM names the system, and the programs that repro asks there are
 * fakes on PATH, which print what macOS prints. That Linux has real processes and files makes the rest real. Nothing
 * here has run on macOS itself.
 */
import { chmodSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { project, removeProjects, type TestProject, until } from '../project.ts';

afterEach(removeProjects);

test('on Windows, repro ends with one sentence that names WSL', async () => {
  const made = project({ 'pipeline.yaml': 'stages: {}\n' });
  made.env.REPRO_PLATFORM = 'win32';
  expect(await made.repro('status')).toEqual({
    exit: 2,
    stdout: '',
    stderr:
      'repro: repro needs Linux or macOS; on Windows, run it in WSL, the Windows Subsystem for Linux: wsl --install\n',
  });
});

describe.skipIf(process.platform !== 'linux')('on macOS', () => {
  const BOOT = '0C0FFEE0-0000-4000-8000-00000000000A';

  /** `lstart` of ps on macOS, in UTC: a process has started `age` seconds ago. It asks /proc, as the ps of Linux does. */
  const PS = `#!/bin/sh
[ "$LC_ALL$TZ" = CUTC ] || exit 3
case "$*" in
  *lstart*)
    for pid; do :; done
    [ -d /proc/$pid ] || exit 1
    state=$(sed 's/.*) //' /proc/$pid/stat | cut -d' ' -f1)
    date -u -d "@$(stat -c %Y /proc/$pid)" "+$state    %a %b %e %H:%M:%S %Y" ;;
  *pgid*stat*) cat /proc/[0-9]*/stat 2>/dev/null | sed 's/.*) //' | awk '{print "  " $3 " " $1}' ;;
  *pgid*rss*) cat /proc/[0-9]*/stat 2>/dev/null | sed 's/.*) //' | awk '{print "  " $3 " " $22 * 4}' ;;
  *) exit 3 ;;
esac
`;
  const SYSCTL = `#!/bin/sh\n[ "$2" = kern.bootsessionuuid ] && echo ${BOOT}\n`;
  const OLD_SYSCTL =
    '#!/bin/sh\n[ "$2" = kern.boottime ] && echo "{ sec = 1764424000, usec = 5 } Sat Nov 29 13:46:40 2025"\n';
  const CP =
    '#!/bin/sh\n[ "$1" = -c ] || exec /bin/cp "$@"\necho "$3" >> "${0%/*}/clones"\nexec /bin/cp -p "$2" "$3"\n';

  function onMacOs(files: { [path: string]: string }, programs: { [name: string]: string } = {}): TestProject {
    const made = project(files);
    for (const [name, text] of Object.entries({ ps: PS, sysctl: SYSCTL, cp: CP, ...programs })) {
      made.write(`bin/${name}`, text);
      chmodSync(made.path(`bin/${name}`), 0o755);
    }
    made.hasOwnProcesses = true;
    made.env = {
      REPRO_PLATFORM: 'darwin',
      REPRO_SPAWN: 'node',
      PATH: `${made.path('bin')}:${process.env.PATH}`,
    };
    return made;
  }

  const PIPELINE = 'stages:\n  a: {cmd: cat in > out, deps: [in], outs: [out]}\n';

  test('leases belong to one start of the machine: its session or, on older systems, its time', async () => {
    const made = onMacOs({ 'pipeline.yaml': PIPELINE, in: '1' });
    const leases = async (sysctl: string) => {
      made.write('bin/sysctl', sysctl);
      made.write('in', sysctl);
      expect(await made.outcomes()).toEqual({ a: 'ran' });
      return readdirSync(made.path('.repro/leases'));
    };
    const first = await leases(SYSCTL);
    expect(await leases(`${SYSCTL}# the same`)).toEqual(first);
    const second = await leases(SYSCTL.replace('C0FFEE', 'DECADE'));
    expect(second).not.toEqual(first);
    expect(await leases(OLD_SYSCTL)).not.toEqual(second);
  });

  const LONG = 'stages:\n  long: {cmd: "echo $$ > pid; touch out; sleep 600", deps: [in], outs: [out]}\n';

  test('a second terminal sees what runs', async () => {
    const made = onMacOs({ 'pipeline.yaml': LONG, in: '1' });
    const { process: first, ended } = await made.spawn();
    await until(
      () => made.exists('.repro/running') && readdirSync(made.path('.repro/running')).some((f) => f.endsWith('.json')),
    );
    expect((await made.repro('status')).stdout).toMatch(new RegExp(`long: running\\n.*repro ${first.pid}`));
    first.kill('SIGINT');
    expect((await ended).exit).toBe(130);
    expect((await made.repro('status')).stdout).not.toMatch(String(first.pid));
  });

  test('if repro and its reaper are killed, the next repro takes over and kills the command that was left', async () => {
    const made = onMacOs({ 'pipeline.yaml': LONG, in: '1' });
    const { process: first, ended } = await made.spawn();
    await until(() => made.exists('pid') && made.read('pid').endsWith('\n') && made.exists('out'));
    const reaper = readdirSync('/proc').find((pid) => /^\d+$/.test(pid) && isReaperOf(pid, first.pid!));
    process.kill(Number(reaper), 'SIGKILL');
    first.kill('SIGKILL');
    await ended;
    const left = Number(made.read('pid'));
    expect(statSync(`/proc/${left}`).isDirectory()).toBe(true);
    made.write('pipeline.yaml', LONG.replace('sleep 600', 'true'));
    expect(await made.outcomes()).toEqual({ long: 'ran' });
    expect(isRunning(left)).toBe(false);
  });

  test('the peak memory of a command is that of its group', async () => {
    const made = onMacOs({
      'pipeline.yaml':
        'stages:\n  a: {cmd: "node -e \'globalThis.a = Buffer.alloc(2e8, 1); setTimeout(() => {}, 1500)\'", always_changed: true}\n',
    });
    await made.repro();
    const [attempt] = JSON.parse((await made.repro('log', '--json')).stdout);
    expect(attempt.peakMemory).toBeGreaterThan(2e8);
  });

  test('large files are cloned by cp -c into the cache and back, small ones are copied', async () => {
    const made = onMacOs({
      'pipeline.yaml':
        'stages:\n  a: {cmd: "head -c 3000000 /dev/zero > large; echo > small", always_changed: true, outs: [large, small]}\n',
    });
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    const cloned = () => readFileSync(made.path('bin/clones'), 'utf8').trim().split('\n');
    expect(cloned().length).toBe(2); // The trial, and large.
    made.remove('large');
    made.remove('small');
    expect((await made.repro('checkout')).exit).toBe(0);
    expect(made.read('large')).toBe('\0'.repeat(3_000_000));
    expect(cloned().length).toBe(4);
  });

  test('if cp fails, files are copied', async () => {
    const failing = '#!/bin/sh\n[ "$1" = -c ] || exec /bin/cp "$@"\nhead -c 10 "$2" > "$3"\nexit 1\n';
    const made = onMacOs(
      {
        'pipeline.yaml':
          'stages:\n  a: {cmd: "head -c 3000000 /dev/zero > large", always_changed: true, outs: [large]}\n',
      },
      { cp: failing },
    );
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    made.remove('large');
    expect((await made.repro('checkout')).exit).toBe(0);
    expect(statSync(made.path('large')).size).toBe(3_000_000);
  });
});

function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Whether a process is the shell that ends commands after a kill of repro. */
function isReaperOf(pid: string, repro: number): boolean {
  try {
    const [, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return Number(parent) === repro && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('.groups');
  } catch {
    return false;
  }
}
