/** `code:` of Python entries: the project's modules that they import, found by Python's own parser. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { delimiter } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { pythonModules, searchFolders } from '../../../lib/repro/hashing/python-modules.ts';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

const hasPython = (() => {
  try {
    return execFileSync('python3', ['--version']).length > 0;
  } catch {
    return false;
  }
})();

describe.skipIf(!hasPython)('the modules of a Python entry', () => {
  /** The modules behind an entry of a project with these files, itself included. */
  async function modulesOf(files: { [path: string]: string }, entry = 'main.py', pythonPath: string[] = []) {
    const { root } = project(files);
    const found = (await pythonModules(root, new Map([[entry, searchFolders(entry, pythonPath)]]))).get(entry)!;
    if ('failure' in found) throw found.failure;
    return found.modules.filter((module) => module !== entry);
  }

  test('packages run their __init__.py, and that of each package above; relative imports start at the file', async () => {
    const files = {
      'main.py': 'import pkg.sub.mod as m\nfrom pkg import one, name\n',
      'pkg/__init__.py': 'name = 1\n',
      'pkg/one.py': '',
      'pkg/unused.py': '',
      'pkg/core.py': '',
      'pkg/sub/__init__.py': '',
      'pkg/sub/mod.py': 'from . import leaf\nfrom ..core import x\nfrom .. import sub\n',
      'pkg/sub/leaf.py': '',
    };
    const used = [
      'pkg/__init__.py',
      'pkg/core.py',
      'pkg/one.py',
      'pkg/sub/__init__.py',
      'pkg/sub/leaf.py',
      'pkg/sub/mod.py',
    ];
    expect(await modulesOf(files)).toEqual(used);
    expect(await modulesOf(files, 'pkg/sub/leaf.py')).toEqual(['pkg/__init__.py', 'pkg/sub/__init__.py']);
  });

  test('`import *` counts the submodules in __all__; folders without __init__.py and compiled modules count too', async () => {
    const files = {
      'main.py': 'from pkg import *\nimport plain.deep\nimport fast\n',
      'pkg/__init__.py': '__all__ = ["named"]\n__all__ += ["more"]\n',
      'pkg/named.py': '',
      'pkg/more.py': '',
      'pkg/other.py': '',
      'plain/deep.py': '',
      'fast.cpython-311-x86_64-linux-gnu.so': '',
    };
    const used = [
      'fast.cpython-311-x86_64-linux-gnu.so',
      'pkg/__init__.py',
      'pkg/more.py',
      'pkg/named.py',
      'plain/deep.py',
    ];
    expect(await modulesOf(files)).toEqual(used);
  });

  test('imports count wherever they stand; the standard library and installed packages do not', async () => {
    const main = `
import os, json, numpy
try:
    import a
except ImportError:
    a = None
def f():
    if f:
        import b
    importlib.import_module("c")
    importlib.import_module(name)
    __import__("d")
`;
    expect(await modulesOf({ 'main.py': main, 'a.py': '', 'b.py': '', 'c.py': '', 'd.py': '', 'name.py': '' })).toEqual(
      ['a.py', 'b.py', 'c.py', 'd.py'],
    );
  });

  test('searched are the folder of the entry, those above, src in each, PYTHONPATH, and what the code adds to sys.path', async () => {
    const entry = `
import beside, above, in_src, in_path, in_lib, in_tools, in_more
from pathlib import Path
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "lib"))
sys.path.append(os.path.join(os.path.dirname(__file__), "..", "tools"))
sys.path += ["more"]
`;
    const modules = [
      'above.py',
      'lib/in_lib.py',
      'more/in_more.py',
      'path/in_path.py',
      'src/in_src.py',
      'stages/beside.py',
      'tools/in_tools.py',
    ];
    const files = {
      'stages/main.py': entry,
      ...Object.fromEntries(modules.map((name) => [name, ''])),
      'never/beside.py': '',
    };
    expect(await modulesOf(files, 'stages/main.py', ['path'])).toEqual(modules);
  });
});

describe.skipIf(!hasPython)('a stage with a Python entry', () => {
  const PIPELINE = `
stages:
  train: {cmd: 'PYTHONPATH=$PWD/lib python3 stages/train.py', code: [stages/train.py], outs: [out]}
  plot: {cmd: python3 stages/plot.py, code: [stages/plot.py], outs: [plot]}
`;

  function pythonProject(): TestProject {
    const made = project({
      'pipeline.yaml': PIPELINE,
      'stages/train.py': 'from helper import value\nopen("out", "w").write(value)\n',
      'lib/helper.py': 'value = "1"\n',
      'lib/unused.py': '',
      'stages/plot.py': 'open("plot", "w")\n',
      'calls/.keep': '',
      src: 'imports are looked for in a folder of this name; this is a file\n',
    });
    // Notes each call of python3 and passes it on.
    const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)']).toString().trim();
    made.write('bin/python3', `#!/bin/sh\necho "$1" >> "${made.path('calls/all')}"\nexec ${python} "$@"\n`);
    execFileSync('chmod', ['+x', made.path('bin/python3')]);
    made.env = { PATH: [made.path('bin'), process.env.PATH].join(delimiter), PYTHONDONTWRITEBYTECODE: '1' };
    return made;
  }

  /** How often repro itself has called python3, to follow imports. */
  const follows = (made: TestProject) =>
    made
      .read('calls/all')
      .split('\n')
      .filter((word) => word === '-I').length;

  test('is stale when a module that it imports changes; nothing to do needs no Python', async () => {
    const made = pythonProject();
    expect(await made.outcomes('-j', '1')).toEqual({ train: 'ran', plot: 'ran' });
    const called = follows(made);
    expect((await made.repro()).stdout).toContain('everything is up to date');
    made.remove('.repro/fresh');
    made.write('lib/unused.py', 'x = 1\n');
    made.env.PATH = made.path('calls');
    expect(await made.stale()).toEqual({});
    made.env.PATH = [made.path('bin'), process.env.PATH].join(delimiter);
    expect(follows(made)).toBe(called);

    made.write('lib/helper.py', 'value = "2"\n');
    expect(await made.stale()).toMatchObject({ train: { reasons: [{ kind: 'code', path: 'lib/helper.py' }] } });
    // A module that takes over the import.
    made.write('stages/helper.py', 'value = "3"\n');
    const changed = [{ path: 'lib/helper.py' }, { kind: 'code', path: 'stages/helper.py' }];
    expect(await made.stale()).toMatchObject({ train: { reasons: changed } });
  });

  test('is refused with the place of a syntax error, and where python3 is missing', async () => {
    const made = pythonProject();
    made.write('lib/helper.py', 'value = 1\ndef f(:\n');
    expect(await made.repro()).toMatchObject({
      exit: 2,
      stderr: expect.stringMatching(
        /^repro: lib\/helper\.py:2:7: train: this code cannot be followed: invalid syntax\n$/,
      ),
    });
    made.env.PATH = made.path('calls');
    expect(await made.repro()).toMatchObject({
      exit: 2,
      stderr: expect.stringMatching(
        /code: the imports of "stages\/train\.py" cannot be followed, because python3 cannot be run/,
      ),
    });
    expect(readdirSync(made.root)).not.toContain('out');
  });
});
