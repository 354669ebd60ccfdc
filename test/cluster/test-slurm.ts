/**
 * A Slurm of its own for tests, on this machine: munged, slurmctld, and one slurmd for each node. The nodes have GPUs
 * in name only. It listens on the loopback interface alone, lies in a temporary folder, and needs root.
 *
 *   const slurm = await TestSlurm.start();
 *   made.env = slurm.env; … await slurm.stop();
 *
 * Debian's packages: slurmctld, slurmd, slurm-client, munge. With accounting, also those of test-accounting.ts.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { accountingSettings, startAccounting } from './test-accounting.ts';

/** The first two are in the partition main; the others are for tests that harm their node. */
const NODES = ['n1', 'n2', 'n3', 'n4'] as const;
/** They are in the partition island, and are not started with the others. */
const ISLANDS = ['n5', 'n6', 'n7'] as const;
const ALL_NODES = [...NODES, ...ISLANDS];
const GPUS = 4;
/** The most tasks of an array. */
export const LARGEST_ARRAY = 3;
const HOST = hostname().split('.')[0];
/** In the order in which they are ended. */
const DAEMONS = ['slurmctld', 'slurmdbd', 'mariadbd', 'munged'];
const MEMORY_CGROUPS = '/sys/fs/cgroup/memory';
/** Milliseconds between two looks at whether it is up, and how many there are. */
const PAUSE = 100;
const MOST_LOOKS = 300;

/** Why Slurm cannot be started here: a clause; undefined if it can. */
export function whyNoSlurm(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = ['munged', 'slurmctld', 'slurmd', 'sbatch'].filter(
    (program) => spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin command -v ${program}`]).status !== 0,
  );
  return missing.length === 0 ? undefined : `needs Slurm: ${missing.join(', ')} not found`;
}

/** Why no job can be killed for its memory here: a clause; undefined if it can. Slurm 22.05 needs systemd for version 2. */
export function whyNoCgroups(): string | undefined {
  const trial = join(MEMORY_CGROUPS, `repro-test-${process.pid}`);
  try {
    mkdirSync(trial);
    rmdirSync(trial);
    return undefined;
  } catch {
    return 'needs the memory controller of cgroups, version 1';
  }
}

/** What a Slurm has beside the least. */
export interface TestSlurmOptions {
  /** slurmdbd and MariaDB, see test-accounting.ts; and jobs that have ended are soon forgotten by squeue. */
  accounting?: boolean;
  /** Jobs cannot take more memory than they have. */
  cgroups?: boolean;
}

/** A running Slurm. */
export class TestSlurm {
  readonly #options: TestSlurmOptions;
  readonly folder: string;
  /** Variables for the programs of Slurm, and for repro: shorter times than for people. */
  readonly env: { [name: string]: string };

  private constructor(folder: string, options: TestSlurmOptions) {
    this.folder = folder;
    this.#options = options;
    const times = { poll: 1, look: 0.25, latency: 4, fence: 0.5, probe: false };
    this.env = {
      PATH: `${process.env.PATH}:/usr/sbin`,
      SLURM_CONF: join(folder, 'slurm.conf'),
      REPRO_TEST_SLURM: JSON.stringify(times),
    };
  }

  /** @throws Error with the end of the logs if it does not come up */
  static async start(options: TestSlurmOptions = {}): Promise<TestSlurm> {
    // The path of a socket has at most 107 characters.
    const slurm = new TestSlurm(mkdtempSync(join(tmpdir(), 'slurm-')), options);
    const [controller, port, databasePort, ...ports] = await freePorts(3 + ALL_NODES.length);
    slurm.#writeSettings({ controller, port, ports });
    slurm.#startMunge();
    if (options.accounting) await startAccounting(slurm, { host: HOST, port, databasePort });
    slurm.run('slurmctld', '-f', slurm.env.SLURM_CONF);
    for (const node of NODES) slurm.startNode(node);
    for (let looks = 0; slurm.#states().filter((state) => state === 'idle').length < NODES.length; looks++) {
      if (looks === MOST_LOOKS) {
        const log = readFileSync(join(slurm.folder, 'slurmctld.log'), 'utf8');
        await slurm.stop();
        throw new Error(`Slurm does not come up:\n${log.slice(-2000)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    return slurm;
  }

  /** Runs a program of Slurm, and returns what it printed. @throws Error if it fails */
  run(program: string, ...args: string[]): string {
    const env = { ...process.env, ...this.env };
    return execFileSync(program, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** Starts the daemon of a node. */
  startNode(node: string): void {
    this.run('slurmd', '-N', node, '-f', this.env.SLURM_CONF);
  }

  /**
   * Starts a node of the partition island, which has mounts of its own.
   *
   * @param mount lines of sh that make them
   */
  startIsland(node: (typeof ISLANDS)[number], mount: string): void {
    this.run('unshare', '-m', 'sh', '-ec', `${mount}\nexec slurmd -N ${node} -f "$SLURM_CONF"`);
  }

  /** Ends the daemon of a node. */
  stopNode(node: string): void {
    this.#kill(`slurmd-${node}`);
  }

  /** Ends the daemon of a node, as if the node had lost its network: its jobs go on, and Slurm gives them up. */
  loseNode(node: string): void {
    this.#kill(`slurmd-${node}`);
    this.run('scontrol', 'update', `NodeName=${node}`, 'State=DOWN', 'Reason=test');
  }

  /** Lets the controller hang. @returns a function that lets it go on */
  pauseController(): () => void {
    const pid = Number(readFileSync(join(this.folder, 'slurmctld.pid'), 'utf8'));
    process.kill(pid, 'SIGSTOP');
    return () => process.kill(pid, 'SIGCONT');
  }

  /** Brings a lost node back. */
  bringBack(node: string): void {
    this.startNode(node); // ReturnToService=2 takes it in again.
  }

  /** The jobs of a name or id that Slurm knows: `STATE NODE`. */
  jobs(...filter: string[]): string[] {
    return this.run('squeue', '-h', '-t', 'all', '-o', '%T %N', ...filter)
      .split('\n')
      .filter((line) => line !== '');
  }

  /** Ends all of it, jobs first, and removes the folder. */
  async stop(): Promise<void> {
    spawnSync('scancel', ['-u', 'root'], { env: { ...process.env, ...this.env } });
    for (let tries = 0; tries < 50 && this.#queue() !== ''; tries++) await new Promise((done) => setTimeout(done, 100));
    for (const name of [...ALL_NODES.map((node) => `slurmd-${node}`), ...DAEMONS]) this.#kill(name);
    if (this.#options.cgroups) removeCgroups();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  #queue(): string {
    return spawnSync('squeue', ['-h'], { env: { ...process.env, ...this.env }, encoding: 'utf8' }).stdout ?? '';
  }

  #states(): string[] {
    try {
      return this.run('sinfo', '-h', '-N', '-p', 'main,fragile', '-o', '%t').trim().split('\n');
    } catch {
      return []; // The controller does not answer yet.
    }
  }

  /** Ends the daemon whose process id is in a file. */
  #kill(name: string): void {
    const file = join(this.folder, `${name}.pid`);
    if (!existsSync(file)) return;
    try {
      process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL');
    } catch {} // It has ended.
    rmSync(file, { force: true });
  }

  #startMunge(): void {
    const at = (name: string) => join(this.folder, name);
    writeFileSync(at('munge.key'), randomBytes(128), { mode: 0o600 });
    // --force: the folder lies below one that everybody may write to.
    const files = {
      'key-file': 'munge.key',
      socket: 'munge.socket',
      'pid-file': 'munged.pid',
      'log-file': 'munged.log',
    };
    const options = Object.entries({ ...files, 'seed-file': 'munge.seed' }).map(
      ([option, name]) => `--${option}=${at(name)}`,
    );
    this.run('munged', '--force', '--num-threads=2', ...options);
  }

  #writeSettings({ controller, port, ports }: { controller: number; port: number; ports: readonly number[] }): void {
    const at = (name: string) => join(this.folder, name);
    for (const name of ['state', 'spool', 'dev']) mkdirSync(at(name));
    // Slurm counts a GPU only if its file is a device.
    for (let gpu = 0; gpu < GPUS; gpu++) symlinkSync('/dev/null', at(`dev/gpu${gpu}`));
    const { accounting, cgroups } = this.#options;
    const plugin = cgroups ? 'cgroup' : undefined;
    writeFileSync(
      at('slurm.conf'),
      `
ClusterName=repro
SlurmctldHost=${HOST}(127.0.0.1)
SlurmctldPort=${controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=${at('munge.socket')},cred_expire=5
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=${at('state')}
SlurmdSpoolDir=${at('spool')}/%n
SlurmctldPidFile=${at('slurmctld.pid')}
SlurmdPidFile=${at('slurmd-%n.pid')}
SlurmctldLogFile=${at('slurmctld.log')}
SlurmdLogFile=${at('slurmd-%n.log')}
ProctrackType=proctrack/${plugin ?? 'linuxproc'}
TaskPlugin=task/${plugin ?? 'none'}
JobAcctGatherType=jobacct_gather/none
${accounting ? accountingSettings(this.folder, port) : 'AccountingStorageType=accounting_storage/none'}
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=300
GresTypes=gpu
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=1
MinJobAge=${accounting ? 2 : 300}
MessageTimeout=5
MaxArraySize=${LARGEST_ARRAY}
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
${ALL_NODES.map((node, i) => `NodeName=${node} NodeHostname=${HOST} NodeAddr=127.0.0.1 Port=${ports[i]} CPUs=16 RealMemory=16000 Gres=gpu:${GPUS} State=UNKNOWN`).join('\n')}
PartitionName=main Nodes=n[1-2] Default=YES DefaultTime=60 MaxTime=1440 State=UP
PartitionName=fragile Nodes=n[3-4] DefaultTime=60 MaxTime=1440 State=UP PriorityTier=1 PreemptMode=CANCEL
PartitionName=island Nodes=${ISLANDS.join(',')} DefaultTime=60 MaxTime=1440 State=UP
PartitionName=urgent Nodes=n4 DefaultTime=60 MaxTime=1440 State=UP PriorityTier=10
`,
    );
    const gres = `AutoDetect=off\nNodeName=n[1-7] Name=gpu File=${at('dev')}/gpu[0-${GPUS - 1}]\n`;
    writeFileSync(at('gres.conf'), gres);
    const limits = ['ConstrainRAMSpace=yes', 'ConstrainSwapSpace=yes', 'AllowedSwapSpace=0'];
    writeFileSync(at('cgroup.conf'), ['CgroupPlugin=cgroup/v1', ...limits, ''].join('\n'));
  }
}

/** Ports of the loopback interface that nothing listens on now. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) =>
          server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
        ),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

/** Removes the cgroups that the nodes have left, innermost first. */
function removeCgroups(): void {
  const names = ALL_NODES.map((node) => `slurm_${node}`);
  for (const name of names)
    spawnSync('sh', ['-c', `find /sys/fs/cgroup/*/${name} -depth -type d -exec rmdir {} + 2>&1`]);
}
