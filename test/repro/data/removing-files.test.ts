/** Only a few modules of lib/repro may remove, rename or overwrite files. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { removeUserPath } from '../../../lib/repro/workspace/index.ts';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);

/** The files of lib/repro with a text that matches. */
function sourcesWith(pattern: RegExp): string[] {
  const folder = fileURLToPath(new URL('../../../lib/repro/', import.meta.url));
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && pattern.test(readFileSync(join(folder, name), 'utf8')))
    .sort();
}

describe('removing and overwriting', () => {
  /** The only files of lib/repro that may remove or write files, and what they do it to. */
  const WRITERS: { [file: string]: string } = {
    'workspace/user-files.ts': 'files that users see, after the checks of planning/replaced-files.ts and gc',
    'workspace/trash.ts': '.repro/trash, and what is moved there and back',
    'workspace/output-marks.ts': '.repro/unrecorded and .repro/ignored',
    'workspace/checkpoint-marks.ts': '.repro/attempting',
    'files/atomic-write.ts': 'files that its callers name; these are in this table too',
    'files/open-store.ts': '.repro/state, .repro/section and tables of leases',
    'hosts/folder-claim.ts': '.repro/host, and files in .repro/section',
    'hashing/write-fresh-stamp.ts': '.repro/fresh',
    'slurm/attempt-files.ts': '.repro/jobs; appends to a log of .repro/logs',
    'slurm/probe/known-nodes.ts': '.repro/nodes.json',
    'slurm/probe/probe-files.ts': '.repro/probes',
    'execution/running-stages.ts': '.repro/running',
    'forecast/costs.ts': 'a folder for temporary files of its own',
    'processes/process-groups.ts': '.repro/leases',
    'storage/object-store.ts': '.repro/cache',
    'storage/shared-cache.ts': 'projects, sessions and gc of a shared cache',
    'storage/run-cache.ts': '.repro/runs',
    'storage/copies.ts': '.repro/cache; gives a persistent output that is a link into it a copy of its own',
    'storage/cache.ts': '.repro/cache; an output that is restored, after removeUserPath',
    'storage/transfer.ts': 'the remote and .repro/cache',
    'storage/rclone.ts': 'a temporary file with the names for rclone',
    'storage/rclone-transfer.ts': '.repro/cache/incoming, and the temporary outline of a remote',
    'storage/remote.ts': 'the temporary outline of a remote',
    'storage/remote-store.ts': 'the remote, after the plan of remote-gc.ts; .repro/cache/incoming',
    'storage/lock.ts': 'dvc-like.lock',
    'edits/edit-history.ts': '.repro/edits.json',
    'edits/edit-params.ts': 'the params file that -S names; pipeline.yaml for freeze',
    'making/params-copies.ts': '.repro/params',
    'stage-api/read-params.ts': '.repro/params: which copies a program has read',
    'making/incremental.ts': '.repro/changes',
    'execution/killed-files.ts': 'temporary files in .repro of processes that have ended',
    'making/late-outputs.ts': 'a file of its own beside an output, to see what other hosts wrote',
    'attempts/attempt-log.ts': '.repro/attempts.jsonl and .repro/logs',
    'cli/commands/gc.ts': '.repro/cache, .repro/runs, .repro/logs and damaged stores',
    'workspace/git-ignore.ts': '.gitignore, to which lines are added',
    'cli/commands/init.ts': 'pipeline.yaml if there is none, params.yaml',
    'cli/commands/import-dvc.ts':
      'the new pipeline.yaml, stages.yaml and .reproignore; old ones only after moveToTrash',
    'cli/commands/scratch-project.ts': '.repro/verify',
    'cli/commands/plots.ts': 'the page that -o names',
  };
  const CALLS =
    /\bopen(Sync|File)?\(.*, '(w|a|r\+)|\b(rm|rmdir|unlink|rename|writeFile|appendFile|truncate|cp|copyFile|symlink|link|createWriteStream|writeAtomically|moveIntoPlace)(Sync)?\(/;

  test('is done only in the files of lib/repro that are known for it', () => {
    expect(sourcesWith(CALLS)).toEqual(Object.keys(WRITERS).sort());
  });

  test('opening files is left to one file, which refuses FIFOs and devices', () => {
    /** Files that open with other calls, and why that cannot wait for another program. */
    const OPENERS: { [file: string]: string } = {
      'freshness/regular-file.ts': 'the one file',
      'files/check-store.ts': 'opens with O_NONBLOCK and checks the kind',
      'files/atomic-write.ts': 'a file or folder of its own, to sync it',
      'files/boot-id.ts': '/proc',
      'files/host.ts': '/proc and /etc/machine-id',
      'processes/proc-files.ts': '/proc',
      'hashing/file-readers.ts': 'opens with O_NONBLOCK what the scan found to be a file',
      'storage/copies.ts': 'makes new files only',
      'storage/transfer.ts': 'streams from a descriptor of openFile',
    };
    const openers = sourcesWith(/\b(readFileSync|openSync|createReadStream)\(|await open\(/);
    expect(openers).toEqual(Object.keys(OPENERS).sort());
  });

  test('never touches the root, what lies outside of it, or git', () => {
    const made = project({ 'a/.git/x': '', b: '' });
    for (const path of ['.', '..', '../x', '.git', 'a/.git', 'a/.git/x', 'a/../..', '/tmp'])
      expect(() => removeUserPath(made.root, path), path).toThrow('is not removed');
    removeUserPath(made.root, 'b');
    expect([made.exists('b'), made.exists('a/.git/x')]).toEqual([false, true]);
  });
});
