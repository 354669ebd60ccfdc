/** Completion of commands, options and stages in shells. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, symlinkSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

describe('completion', () => {
  /** A project in which a shell finds repro by its name, as the completion scripts need it. */
  async function projectWithBin(): Promise<TestProject> {
    const made = project({
      'pipeline.yaml':
        'stages:\n  prepare: {cmd: "true", params: [p]}\n  train: {matrix: {arch: [gpt, lstm], size: [tiny, base]}, cmd: "true", params: [p]}\n',
      'params.yaml': 'p: 1',
      'bin/.keep': '',
    });
    symlinkSync(await made.bundle(), made.path('bin/repro'));
    chmodSync(await made.bundle(), 0o755);
    return made;
  }

  test('bash offers commands, the options of the current command, and stages with their cells', async () => {
    const made = await projectWithBin();
    const script = (await made.repro('completion', 'bash')).stdout;
    /** Calls the script as bash does: bash also splits words at @, and passes the part that it will replace. */
    const offers = (line: string): string[] => {
      const words = line.split(/ |(?=@)|(?<=@)/);
      const replaced = /(@?[^ @]*)$/.exec(line)![0];
      const call = `${script}
COMP_LINE=$1 COMP_POINT=\${#1} COMP_WORDS=("\${@:3}") COMP_CWORD=$(($# - 3))
_repro repro "$2" ""
printf '%s\\n' "\${COMPREPLY[@]}"`;
      const path = `${made.path('bin')}:${process.env.PATH}`;
      const env = { ...process.env, PATH: path };
      return execFileSync('bash', ['-c', call, 'bash', line, replaced, ...words], {
        cwd: made.root,
        env,
        encoding: 'utf8',
      })
        .split('\n')
        .filter((word) => word !== '');
    };
    expect(offers('repro pr')).toEqual(['prepare']);
    expect(offers('repro st')).toEqual(['status']);
    expect(offers('repro --no')).toEqual(['--no-run-cache', '--no-commit']);
    expect(offers('repro tra')).toEqual([
      'trash',
      'train@gpt-tiny',
      'train@gpt-base',
      'train@lstm-tiny',
      'train@lstm-base',
    ]);
    expect(offers('repro train@l')).toEqual(['@lstm-tiny', '@lstm-base']);
    expect(offers('repro why prep')).toEqual(['prepare']);
    expect(offers('repro status --')).toEqual(['--allow-missing', '--json', '--quiet']);
    expect(offers('repro metrics d')).toEqual(['diff']);
    expect(offers('repro metrics diff --p')).toEqual(['--precision']);
    expect(offers('repro gc --')).toEqual(['--yes', '--age', '--size', '--remote', '--project', '--json']);
    expect(offers('repro completion z')).toEqual(['zsh']);
    // Without a pipeline, commands and options are still offered.
    made.remove('pipeline.yaml');
    expect(offers('repro p')).toEqual(['params', 'plots', 'push', 'pull']);
  });

  /** The words that a shell offers; `call` gets the line to complete as its argument. */
  const offersOf = (made: TestProject, shell: string, call: string, line: string): string[] => {
    const env = { ...process.env, PATH: `${made.path('bin')}:${process.env.PATH}` };
    return execFileSync(shell, ['-c', call, line], { cwd: made.root, env, encoding: 'utf8' })
      .split('\n')
      .map((offer) => offer.split('\t')[0])
      .filter((word) => word !== '');
  };
  const has = (shell: string) => spawnSync(shell, ['-c', 'exit']).status === 0;
  const withShell = (shell: string) => test.skipIf(!has(shell));

  test('the name of a stage never runs as code, neither when it is offered nor in the completed line', async () => {
    const values = ['$(id>PWNED)', '`id>PWNED`', ';id>PWNED;', '<(id>PWNED)', '~/x y', "it's", '*', '-x'];
    const made = await projectWithBin();
    const names = values.map((value) => `s@${value}`);
    made.write(
      'pipeline.yaml',
      `stages:\n  s: {matrix: {value: ${JSON.stringify(values)}}, cmd: "true", params: [p]}\n`,
    );
    const script = (await made.repro('completion', 'bash')).stdout;
    const call = `${script}
COMP_LINE='repro why ' COMP_POINT=10 COMP_WORDS=(repro why '') COMP_CWORD=2
_repro repro '' why
for reply in "\${COMPREPLY[@]}"; do eval "printf '%s\\n' $reply"; done`;
    const offered = offersOf(made, 'bash', call, 'repro why ');
    expect(offered).toEqual(expect.arrayContaining(names));
    for (const shell of ['zsh', 'fish'].filter(has)) {
      const line = 'repro why ';
      if (shell === 'fish') offersOf(made, shell, 'repro completion fish | source; complete -C $argv[1]', line);
      else
        offersOf(
          made,
          shell,
          'compdef() { :; }; _files() { :; }; compadd() { :; }; source <(repro completion zsh); words=(repro why ""); CURRENT=3; _repro',
          line,
        );
    }
    expect([made.exists('PWNED'), made.exists('~')]).toEqual([false, false]);
  });

  withShell('fish')('fish offers the same (needs fish)', async () => {
    const made = await projectWithBin();
    const offers = (line: string) =>
      offersOf(made, 'fish', 'repro completion fish | source; complete -C $argv[1]', line).sort();
    expect(offers('repro prep')).toEqual(['prepare']);
    expect(offers('repro sta')).toEqual(['status']);
    expect(offers('repro why train@l')).toEqual(['train@lstm-base', 'train@lstm-tiny']);
    expect(offers('repro status --')).toEqual(['--json', '--quiet']);
    expect(offers('repro metrics d')).toEqual(['diff']);
  });

  withShell('zsh')('zsh gets all words of the current command and filters them itself (needs zsh)', async () => {
    const made = await projectWithBin();
    const call = `compdef() { :; }; _files() { :; }; compadd() { print -l -- "\${@[2,-1]}"; }
      source <(repro completion zsh); words=(\${=0}); CURRENT=$#words; _repro`;
    const offers = (line: string) => offersOf(made, 'zsh', call, line);
    expect(offers('repro pr')).toEqual(
      expect.arrayContaining(['status', 'push', '--jobs', 'prepare', 'train@gpt-tiny']),
    );
    expect(offers('repro why train@')).toEqual(expect.arrayContaining(['prepare', 'train@lstm-base']));
    expect(offers('repro why train@')).not.toContain('status');
    expect(offers('repro metrics d')).toEqual(expect.arrayContaining(['show', 'diff', '--precision']));
  });

  test('an unknown shell is refused with the list of known shells', async () => {
    const { exit, stderr } = await (await projectWithBin()).repro('completion', 'tcsh');
    expect([exit, stderr]).toEqual([2, expect.stringMatching(/bash, zsh, fish/)]);
  });
});
