/**
 * The accounting of a TestSlurm: MariaDB and slurmdbd on the loopback interface, with the account `lab` of root. With it,
 * Slurm knows limits of users, and sacct answers. Debian's packages: slurmdbd, mariadb-server.
 */
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Milliseconds between two looks at whether a server answers, and how many there are. */
const PAUSE = 100;
const MOST_LOOKS = 600;

/** What accounting uses of a Slurm. */
export interface SlurmParts {
  folder: string;
  env: { [name: string]: string };
  run(program: string, ...args: string[]): string;
}

/** Why there can be no accounting here: a clause; undefined if there can be. */
export function whyNoAccounting(): string | undefined {
  const missing = ['slurmdbd', 'mariadbd', 'mariadb-install-db', 'sacctmgr'].filter(
    (program) => spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin command -v ${program}`]).status !== 0,
  );
  return missing.length === 0 ? undefined : `needs Slurm's accounting: ${missing.join(', ')} not found`;
}

/** The lines of slurm.conf. */
export function accountingSettings(folder: string, port: number): string {
  return `
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=${port}
AccountingStoragePass=${join(folder, 'munge.socket')}
AccountingStorageEnforce=associations,limits,qos
AccountingStorageTRES=gres/gpu`;
}

/**
 * Starts the servers, munged first. They write their process ids to mariadbd.pid and slurmdbd.pid.
 *
 * @throws Error if one does not come up
 */
export async function startAccounting(
  slurm: SlurmParts,
  { host, port, databasePort }: { host: string; port: number; databasePort: number },
): Promise<void> {
  const at = (name: string) => join(slurm.folder, name);
  const socket = `--socket=${at('mariadb.sock')}`;
  const own = ['--no-defaults', '--user=root', `--datadir=${at('db')}`];
  slurm.run('mariadb-install-db', ...own, '--auth-root-authentication-method=normal', '--skip-test-db');
  spawn(
    'mariadbd',
    [
      ...[...own, '--bind-address=127.0.0.1', `--port=${databasePort}`, socket, `--pid-file=${at('mariadbd.pid')}`],
      ...['--innodb-buffer-pool-size=64M', '--innodb-log-file-size=16M', '--innodb-flush-log-at-trx-commit=0'],
    ],
    { env: { ...process.env, ...slurm.env }, stdio: 'ignore', detached: true },
  ).unref();
  const query = (text: string) => slurm.run('mariadb', '--no-defaults', '-uroot', socket, '-e', text);
  await untilDone(() => query('select 1'));
  query(
    "create database slurm; create user slurm@'127.0.0.1' identified by 'slurm'; grant all on slurm.* to slurm@'127.0.0.1'",
  );
  writeFileSync(
    at('slurmdbd.conf'),
    `
AuthType=auth/munge
AuthInfo=${at('munge.socket')}
DbdHost=${host}
DbdAddr=127.0.0.1
DbdPort=${port}
SlurmUser=root
LogFile=${at('slurmdbd.log')}
PidFile=${at('slurmdbd.pid')}
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=${databasePort}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
`,
    { mode: 0o600 },
  );
  slurm.run('env', `SLURM_CONF=${at('slurmdbd.conf')}`, 'slurmdbd');
  await untilDone(() => slurm.run('sacctmgr', '-n', 'show', 'cluster'));
  slurm.run('sacctmgr', '-i', 'add', 'cluster', 'repro');
  slurm.run('sacctmgr', '-i', 'add', 'account', 'lab');
  slurm.run('sacctmgr', '-i', 'add', 'user', 'root', 'account=lab');
}

/** Tries again until `attempt` does not throw. */
async function untilDone(attempt: () => unknown): Promise<void> {
  for (let looks = 1; ; looks++) {
    try {
      attempt();
      return;
    } catch (error) {
      if (looks === MOST_LOOKS) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
