/** gc by age and size, checkout, and remotes that are folders: every option. rclone.test.ts has other remotes. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { project, removeProjects, type TestProject, until } from '../project.ts';

afterEach(removeProjects);

/** Two stages; the output of `make` consists of 1000 times the input's letter. */
function pair(): TestProject {
  return project({
    'pipeline.yaml': `
stages:
  make: {cmd: 'head -c 1000 /dev/zero | tr "\\\\0" "$(cat in.txt)" > big', deps: [in.txt], outs: [big]}
  use: {cmd: 'mkdir tree && cut -c 1-10 big > tree/head && wc -c < big > tree/size', deps: [big], outs: [tree]}
`,
    'in.txt': 'A',
  });
}

function files(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
  return names.filter((name) => statSync(name).isFile()).sort();
}

describe('gc', () => {
  const day = 24 * 3600;

  /** A project that ran with A, B and C on three days in a row, and today with D. */
  async function fourDays(): Promise<TestProject> {
    const made = pair();
    for (const [i, letter] of ['A', 'B', 'C', 'D'].entries()) {
      const before = made.exists('.repro/runs') ? files(made.path('.repro/runs')) : [];
      made.write('in.txt', letter);
      await made.outcomes();
      const used = Date.now() / 1000 - (3 - i) * day;
      for (const run of files(made.path('.repro/runs'))) if (!before.includes(run)) utimesSync(run, used, used);
    }
    return made;
  }

  /** The letters whose output is still in the cache. */
  function stillThere(made: TestProject): string[] {
    const hash = (letter: string) => createHash('sha256').update(letter.repeat(1000)).digest('hex');
    const object = (sha: string) => `.repro/cache/sha256/${sha.slice(0, 2)}/${sha.slice(2)}`;
    return ['A', 'B', 'C', 'D'].filter((letter) => made.exists(object(hash(letter))));
  }

  test('keeps the current results and the newest runs by age, by size or by both; lists first, frees with --yes', async () => {
    const days = await fourDays();
    for (const [options, kept] of [
      [
        ['--age', '36h'],
        ['C', 'D'],
      ],
      [
        ['--age', '36h', '--size', '1GiB'],
        ['C', 'D'],
      ],
      [
        ['--age', '30d', '--size', '3500'],
        ['C', 'D'],
      ],
      [
        ['--size', '1GiB'],
        ['A', 'B', 'C', 'D'],
      ],
      [[], ['D']],
    ]) {
      const made = project({});
      cpSync(days.root, made.root, { recursive: true, preserveTimestamps: true });
      const before = files(made.path('.repro'));
      const listed = JSON.parse((await made.repro('gc', ...options, '--json')).stdout);
      expect(files(made.path('.repro'))).toEqual(before);
      const freed = JSON.parse((await made.repro('gc', ...options, '--yes', '--json')).stdout);
      expect(freed).toEqual({ ...listed, freed: true });
      expect(before.length - files(made.path('.repro')).length).toBe(freed.objects + freed.runs);
      expect([options, stillThere(made)]).toEqual([options, kept]);
    }
  });

  test('restoring a run counts as using it', async () => {
    const made = await fourDays();
    made.write('in.txt', 'A');
    expect(await made.outcomes()).toEqual({ make: 'restored', use: 'restored' });
    made.write('in.txt', 'D');
    await made.outcomes();
    await made.repro('gc', '--age', '12h', '--yes');
    expect(stillThere(made)).toEqual(['A', 'D']);
  });

  test('frees nothing while another repro runs a stage', async () => {
    const made = pair();
    await made.outcomes();
    made.write(
      'pipeline.yaml',
      made.read('pipeline.yaml').replace("cmd: 'head", "cmd: 'touch begun; until [ -e go ]; do sleep 0.02; done; head"),
    );
    const { ended } = await made.spawn();
    await until(() => made.exists('begun'));
    const { exit, stderr } = await made.repro('gc', '--yes');
    expect([exit, stderr]).toEqual([1, 'repro: another repro is running make; try again when it has ended\n']);
    expect((await made.repro('gc')).exit).toBe(0);
    made.write('go', '');
    expect((await ended).exit).toBe(0);
    expect((await made.repro('gc', '--yes')).exit).toBe(0);
  });

  test('an age or size that cannot be parsed is refused', async () => {
    const made = pair();
    for (const [option, value] of [
      ['--age', 'old'],
      ['--size', 'much'],
    ]) {
      const { exit, stderr } = await made.repro('gc', option, value);
      expect([exit, stderr]).toEqual([2, expect.stringMatching(`${option} ${value}: must be a (time|size) such as`)]);
    }
  });
});

describe('checkout', () => {
  test('restores only the targets, and says so if there is nothing to do', async () => {
    const made = pair();
    await made.outcomes();
    made.remove('big');
    made.remove('tree');
    expect((await made.repro('checkout', 'tree')).stdout).toBe('1 output checked out\n');
    expect([made.exists('big'), made.read('tree/head')]).toEqual([false, 'AAAAAAAAAA\n']);
    expect((await made.repro('checkout')).stdout).toBe('1 output checked out\n');
    expect((await made.repro('checkout')).stdout).toBe('nothing to check out\n');
  });

  test('an output that the cache no longer has is reported, and the file in its place is kept', async () => {
    const made = pair();
    await made.outcomes();
    made.remove('.repro/cache');
    made.write('big', 'mine');
    const { exit, stderr } = await made.repro('checkout');
    expect([exit, stderr]).toEqual([
      1,
      expect.stringMatching(/make: big cannot be checked out: \w{12} is missing from the cache/),
    ]);
    expect(made.read('big')).toBe('mine');
  });
});

describe('remotes', () => {
  const clone = (made: TestProject, config = '') =>
    project({
      ...Object.fromEntries(['pipeline.yaml', 'in.txt', 'dvc-like.lock'].map((name) => [name, made.read(name)])),
      ...(config === '' ? {} : { '.repro/config.yaml': config }),
    });

  test('push copies only missing objects; fetch fills only the cache; pull also restores the outputs', async () => {
    const made = pair();
    await made.outcomes();
    const store = project({}).root;
    const pushed = /^(\d+) objects pushed, 0 there already\n$/.exec((await made.repro('push', '-r', store)).stdout)!;
    const [first, second, ...rest] = files(join(store, 'sha256'));
    rmSync(first);
    rmSync(second);
    expect((await made.repro('push', '-r', store)).stdout).toBe(`2 objects pushed, ${rest.length} there already\n`);
    expect(Number(pushed[1])).toBe(rest.length + 2);

    const other = clone(made);
    expect((await other.repro('fetch', '-r', store, 'make')).stdout).toBe('1 object fetched, 0 there already\n');
    expect(other.exists('big')).toBe(false);
    expect((await other.repro('pull', '-r', store)).stdout).toMatch(/^3 objects fetched, 1 there already\n2 outputs/);
    expect(await other.outcomes()).toEqual({});
  });

  test('a push replaces damaged objects and runs of the remote; a fetch names them, and replaces damaged ones here', async () => {
    const made = pair();
    await made.outcomes();
    const store = project({}).root;
    await made.repro('push', '-r', store);
    const objects = files(join(store, 'sha256'));
    /** Damages a file, with a text of any other length or of the same one. */
    const damage = (file: string, text: (old: string) => string) => {
      chmodSync(file, 0o644);
      writeFileSync(file, text(readFileSync(file, 'utf8')));
    };
    const cut = (file: string) => damage(file, () => '');
    const flip = (file: string) => damage(file, (old) => `!${old.slice(1)}`);

    const before = objects.map((file) => readFileSync(file, 'utf8'));
    for (const [i, file] of objects.entries()) (i % 2 === 0 ? cut : flip)(file);
    for (const run of files(join(store, 'runs'))) cut(run);
    const elsewhere = await clone(made).repro('pull', '-r', store);
    expect([elsewhere.exit, elsewhere.stderr]).toEqual([
      1,
      expect.stringMatching(/^repro: big: .* is damaged; it was not copied$/m),
    ]);
    expect((await made.repro('fetch', '-r', store, 'make')).stdout).toBe('0 objects fetched, 1 there already\n');
    // The objects and the runs of both stages.
    expect((await made.repro('push', '-r', store)).stdout).toBe(
      `0 objects pushed, 0 there already, ${objects.length + 2} repaired\n`,
    );
    expect(objects.map((file) => readFileSync(file, 'utf8'))).toEqual(before);
    const other = clone(made);
    expect((await other.repro('pull', '-r', store)).exit).toBe(0);
    expect(await other.outcomes()).toEqual({});

    flip(files(other.path('.repro/cache/sha256'))[0]);
    expect((await other.repro('pull', '-r', store)).stdout).toBe(
      `0 objects fetched, ${objects.length - 1} there already, 1 repaired\n0 outputs checked out\n`,
    );
  });

  test('a folder in place of an object or of the remote is named and kept, and so is a remote that cannot be written', async () => {
    const made = pair();
    await made.outcomes();
    const store = project({}).root;
    await made.repro('push', '-r', store, 'make');
    const [object] = files(join(store, 'sha256'));
    rmSync(object);
    mkdirSync(join(object, 'mine'), { recursive: true });
    const blocked = await made.repro('push', '-r', store, 'make');
    expect([blocked.exit, blocked.stderr]).toEqual([1, `repro: big: ${object} is not a file; remove it\n`]);
    const there = await clone(made).repro('fetch', '-r', store, 'make');
    expect([there.exit, there.stderr]).toEqual([1, `repro: big: ${object} is not a file; it was not copied\n`]);
    expect(statSync(join(object, 'mine')).isDirectory()).toBe(true);

    const file = await made.repro('push', '-r', 'in.txt');
    expect([file.exit, file.stderr]).toEqual([2, expect.stringMatching(/in\.txt is a file; a remote is a folder/)]);
    const below = await made.repro('push', '-r', 'in.txt/store');
    expect([below.exit, below.stderr]).toEqual([1, expect.stringMatching(/cannot be written: part of its path is a/)]);
  });

  test('a push or pull that is killed leaves no incomplete object, and continues where it stopped', async () => {
    const made = project({
      'pipeline.yaml': `
stages:
  many: {cmd: 'mkdir out; for n in $(seq 40); do head -c 500000 /dev/zero | tr "\\\\0" x > out/$n; echo $n >> out/$n; done', deps: [in.txt], outs: [out]}
`,
      'in.txt': '',
    });
    await made.outcomes();
    const store = project({}).root;
    const interrupted = async (by: TestProject, verb: string, there: string) => {
      const objects = () => readdirSync(there, { recursive: true, encoding: 'utf8' }).filter((n) => /\w{62}$/.test(n));
      const { process, ended } = await by.spawn(verb, '-r', store);
      await until(() => objects().length > 2);
      process.kill('SIGKILL');
      await ended;
      const present = objects().length;
      const { exit, stdout } = await by.repro(verb, '-r', store);
      expect([exit, stdout]).toEqual([
        0,
        expect.stringMatching(`^${41 - present} objects? (pushed|fetched), ${present} there already\n`),
      ]);
    };
    await interrupted(made, 'push', store);
    const other = clone(made);
    other.write('.repro/x', '');
    await interrupted(other, 'pull', other.path('.repro'));
    expect(await other.outcomes()).toEqual({});
  });

  test('names of remotes are in .repro/config.yaml; a single remote need not be named', async () => {
    const made = pair();
    await made.outcomes();
    const [near, far] = [project({}).root, project({}).root];
    made.write('.repro/config.yaml', `remotes: {near: ${near}}\n`);
    expect((await made.repro('push')).exit).toBe(0);
    made.write('.repro/config.yaml', `remotes: {near: ${near}, far: ${far}}\n`);
    const unnamed = await made.repro('push');
    expect([unnamed.exit, unnamed.stderr]).toEqual([2, expect.stringMatching(/several remotes \(near, far\)/)]);
    expect((await made.repro('push', '-r', 'far')).exit).toBe(0);
    expect(files(far)).toHaveLength(files(near).length);
    const wrong = await made.repro('push', '-r', 'fr');
    expect([wrong.exit, wrong.stderr]).toEqual([2, expect.stringMatching(/no remote "fr" .*did you mean "far"\?/)]);
    writeFileSync(made.path('.repro/config.yaml'), 'remote: {near: x}\n');
    const unknown = await made.repro('push');
    expect([unknown.exit, unknown.stderr]).toEqual([
      2,
      expect.stringMatching(/config\.yaml:1:1: unknown key "remote"; did you mean "remotes"\?/),
    ]);
  });

  test('a remote with an address that repro cannot copy to is refused before anything is written', async () => {
    const made = pair();
    made.write('.repro/config.yaml', 'remotes: {cloud: "ssh://host/store"}\n');
    const before = made.snapshot();
    for (const [args, message] of [
      [['push'], /^repro: \.repro\/config\.yaml:1:18: "ssh:\/\/host\/store" is a URL .*a remote is a folder, such as /],
      [['pull', '-r', 'user@host:/srv/store'], /^repro: "user@host:\/srv\/store" names another machine or service/],
      [['--pull', '-r', 'hdfs://bucket', '-S', '+p=1'], /^repro: "hdfs:\/\/bucket" is a URL/],
    ] as const) {
      const { exit, stderr } = await made.repro(...args);
      expect([exit, stderr]).toEqual([2, expect.stringMatching(message)]);
    }
    expect(made.snapshot()).toEqual(before);
  });

  test('an output that the remote lacks is reported, and with --pull the stage runs here', async () => {
    const made = pair();
    await made.outcomes();
    const store = project({}).root;
    await made.repro('push', '-r', store, 'make');
    const other = clone(made);
    const { exit, stderr } = await other.repro('pull', '-r', store);
    expect([exit, stderr]).toEqual([1, expect.stringMatching(/tree: .*there is no such file/)]);
    expect(await other.outcomes('--pull', '-r', store)).toEqual({ use: 'ran' });
  });

  test('an output that is missing is reported although one that git keeps has the same content', async () => {
    const made = project({
      'pipeline.yaml': 'stages:\n  a: {cmd: echo 1 | tee m > o, params: [p], outs: [{m: {cache: false}}, o]}\n',
      'params.yaml': 'p: 1',
    });
    await made.outcomes();
    made.remove('.repro');
    const { exit, stderr } = await made.repro('push', '-r', made.path('store'));
    expect([exit, stderr]).toEqual([1, expect.stringMatching(/^repro: o: .*there is no such file/)]);
  });
});
