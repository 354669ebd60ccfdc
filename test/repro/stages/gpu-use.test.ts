/** What `repro log` says of the GPUs of an attempt. A program in place of nvidia-smi tells the figures. */
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { project, removeProjects, until } from '../project.ts';

afterEach(removeProjects);

/** Names of GPUs that no other test has, because their leases are shared by all projects of the machine. */
const IDS = [`${process.pid}u0`, `${process.pid}u1`];
const UUID = `GPU-${process.pid}`;

/**
 * A project with a stage that leases GPUs, a stage that leases none, and an nvidia-smi of four GPUs. It notes its
 * arguments in the file `asked`, each second's figures that it has told in `told`, and that it was ended in `ended`.
 */
function gpuProject(gpus: string, wanted: number) {
  const [first, second] = IDS;
  const made = project({
    'pipeline.yaml': `
stages:
  card: {cmd: 'until [ "$(wc -l < told)" -ge 6 ]; do sleep 0.01; done; echo > out', params: [p], outs: [out], resources: {gpus: ${wanted}}}
  plain: {cmd: 'echo > plain', params: [p], outs: [plain]}
`,
    'params.yaml': 'p: 1',
    told: '',
    'bin/nvidia-smi': `#!/bin/sh
echo "$*" >> ../asked
trap 'echo > ../ended; exit' TERM
n=0
while :; do
  # The second GPU has most memory at another time than the first.
  case $n in 1) a=4000 b=100 ;; 2) a=1000 b=3500 ;; *) a=1000 b=500 ;; esac
  echo "${first}, GPU-aaaaaaaa-0000, NVIDIA H200, 90, $a"
  echo "${second}, GPU-bbbbbbbb-0000, NVIDIA H200, 50, $b"
  echo "2, GPU-cccccccc-0000, NVIDIA L4, 30, [N/A]"
  echo "3, ${UUID}-0000, NVIDIA L4, 20, 7"
  n=$((n + 1))
  echo $n >> ../told
  sleep 0.02
done
`.replaceAll('../', '$FOLDER/'),
  });
  chmodSync(made.path('bin/nvidia-smi'), 0o755);
  made.env = {
    FOLDER: made.path('.'),
    PATH: `${made.path('bin')}${delimiter}${process.env.PATH}`,
    REPRO_GPUS: gpus,
    CUDA_VISIBLE_DEVICES: undefined,
  } as never;
  return made;
}
const lastAttempt = (text: string) => JSON.parse(text.trim().split('\n').at(-1)!);

test('the model, the peak memory and the load of its GPUs are those that nvidia-smi tells while it runs', async () => {
  const made = gpuProject(IDS.join(), 2);
  expect((await made.repro('card')).exit).toBe(0);
  expect(lastAttempt(made.read('.repro/attempts.jsonl')).gpuUse).toEqual({
    ...{ model: 'NVIDIA H200', peakMemory: 4500 * 2 ** 20, utilization: 70 },
  });
  const { stdout } = await made.repro('log');
  expect(stdout).toMatch(/gpus +gpu model +gpu memory +gpu busy/);
  expect(stdout).toMatch(new RegExp(`ran +${IDS.join()} +NVIDIA H200 +4\\.4 GiB +70 %`));
  expect(readFileSync(made.path('asked'), 'utf8')).toBe(
    '--query-gpu=index,uuid,name,utilization.gpu,memory.used --format=csv,noheader,nounits --loop-ms=1000\n',
  );
  await until(() => existsSync(made.path('ended')));
});

test('a GPU may be named by its UUID, and figures that nvidia-smi does not know are left out', async () => {
  const made = gpuProject(UUID, 1);
  expect((await made.repro('card')).exit).toBe(0);
  expect(lastAttempt(made.read('.repro/attempts.jsonl')).gpuUse).toEqual({
    ...{ model: 'NVIDIA L4', peakMemory: 7 * 2 ** 20, utilization: 20 },
  });
});

test('nvidia-smi does not run for stages that lease no GPU, and the table has no columns for it', async () => {
  const made = gpuProject(IDS.join(), 2);
  expect((await made.repro('plain')).exit).toBe(0);
  expect(existsSync(made.path('asked'))).toBe(false);
  expect((await made.repro('log')).stdout).not.toContain('gpu');
});

test('without nvidia-smi, a stage on a GPU runs as well, and nothing is known of its load', async () => {
  const made = gpuProject(IDS.join(), 2);
  made.write('told', '\n\n\n\n\n\n');
  made.write('bin/nvidia-smi', '#!/bin/sh\nexit 9\n');
  expect((await made.repro('card')).exit).toBe(0);
  expect(lastAttempt(made.read('.repro/attempts.jsonl'))).toMatchObject({ outcome: 'ran', gpus: IDS });
  expect(lastAttempt(made.read('.repro/attempts.jsonl'))).not.toHaveProperty('gpuUse');
});
