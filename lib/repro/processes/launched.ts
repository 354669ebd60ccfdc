/** A shell that is to be started, what is heard of it, and the hold on it. How it comes about: launch.ts. */

export interface Launched {
  /** The process group, whose number is the shell's; undefined before it has started and after it has ended. */
  readonly group: number | undefined;
  /** To the whole group. What comes before the start is sent at the start. */
  kill(signal: NodeJS.Signals): void;
}

export interface LaunchListener {
  output(bytes: Buffer): void;
  progress(bytes: Buffer): void;
  /** Nothing of its group is left, and all that was said has been handed on. */
  ended(exit: number | undefined, signal: NodeJS.Signals | undefined): void;
  /** No process could be started, and nothing else is called: why. */
  failed(message: string): void;
}

/** What is started: a script for /bin/sh, and the descriptor that its group is noted on. */
export interface Launch {
  script: string;
  cwd: string;
  /** What differs from repro's own environment. */
  env: { readonly [name: string]: string };
  notes: number;
}
