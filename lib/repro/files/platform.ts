/**
 * Functions that depend on the operating system. The rest of lib/repro calls them, and so do tests: they name
 * another system by REPRO_PLATFORM and put fake `ps`, `sysctl` and `cp` on PATH, to try on Linux what macOS needs.
 */
import { execFile, execFileSync } from 'node:child_process';
import { statfsSync, utimesSync } from 'node:fs';

/** The operating system, or the one that REPRO_PLATFORM names instead. */
export function platform(): NodeJS.Platform {
  return (process.env.REPRO_PLATFORM as NodeJS.Platform | undefined) ?? process.platform;
}

/** `f_type` of APFS in statfs(2) of macOS. */
const APFS = 26;

/**
 * Whether a folder of macOS is on APFS, which can share blocks. Node cannot clone there: libuv has no clonefile(2), and
 * copyFile with COPYFILE_FICLONE_FORCE fails with ENOSYS (nodejs/node#53498). `cp -c` can, but copies elsewhere.
 */
export function isOnApfs(folder: string): boolean {
  if (platform() !== 'darwin') return false;
  return process.platform !== 'darwin' || statfsSync(folder).type === APFS;
}

/** Programs of the system print in English and UTC, and are found in cron's short PATH too. */
const settings = () => ({
  encoding: 'utf8' as const,
  env: { LC_ALL: 'C', TZ: 'UTC', PATH: `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin` },
});

/**
 * Clones a file on APFS.
 *
 * @param to a path where nothing is; after an error, part of a file may be there
 * @throws Error if it cannot be cloned or copied
 */
export function cloneOnApfs(from: string, to: string): void {
  execFileSync('cp', ['-c', from, to], { ...settings(), stdio: 'ignore' });
  // A clone has the times of the original.
  utimesSync(to, new Date(), new Date());
}

/**
 * Runs a program of the system, such as ps.
 *
 * @returns what it prints, trimmed; "" if it fails, and undefined if it cannot be started
 */
export function systemOutput(program: string, ...args: readonly string[]): string | undefined {
  try {
    return execFileSync(program, args, { ...settings(), stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch (error) {
    return typeof (error as { status?: unknown }).status === 'number' ? '' : undefined;
  }
}

/** Like systemOutput, but asynchronous: a synchronous call blocks the main thread for 10 ms. "" for any failure. */
export function systemOutputLater(program: string, ...args: readonly string[]): Promise<string> {
  return new Promise((done) => {
    execFile(program, args, settings(), (_, stdout) => done(stdout.trim())).unref();
  });
}
