/** The request and the result of a launch, shared by launch.ts, launch-with-addon.ts and launch-with-node.ts. */

/** A shell command to start. */
export interface LaunchRequest {
  /** A script for /bin/sh. */
  script: string;
  /** Its arguments, `"$@"`. */
  args: readonly string[];
  /** The working folder, absolute. */
  cwd: string;
  /** Variables in addition to repro's own environment. */
  env: { readonly [name: string]: string };
  /** File descriptor that the process group is noted on, see ProcessGroups. */
  groupsFd: number;
}

/** A shell that has been started, or is about to be. */
export interface LaunchedShell {
  /** The process group, which has the shell's process id; undefined before the start and after the end. */
  readonly group: number | undefined;
  /** Sends a signal to the whole group. Before the start it is kept, and sent at the start. */
  kill(signal: NodeJS.Signals): void;
}

/** Receives the output and the end of a shell, always in a later turn of the event loop than the start. */
export interface LaunchListener {
  /** Bytes from stdout and stderr, in the order in which they were written. */
  output(bytes: Buffer): void;
  /** Bytes from the progress descriptor. */
  progress(bytes: Buffer): void;
  /** No process of the group is left, and all output has been passed on. The last call. */
  ended(exit: number | undefined, signal: NodeJS.Signals | undefined): void;
  /** No process could be started, because of `message`. The only call. */
  failed(message: string): void;
}
