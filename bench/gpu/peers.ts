/** PyTorch on the same GPU: starts peers.py, and passes requests to it one by one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ModelConfig } from '../../lib/models/index.ts';

/** A request to peers.py, which documents the fields. */
export type PeerRequest = { config: ModelConfig; variant: 'eager' | 'compile'; seconds: number } & (
  | { kind: 'train'; batch: number }
  | { kind: 'sample'; streams: number; tokens: number }
);

/** The answer of peers.py: the seconds of each of several blocks, for a training step or for sampling all tokens. */
export type PeerAnswer = { seconds: number[]; loss?: number; memory: number; parameters: number } | { error: string };

/** Seconds after which a request is cancelled, because torch.compile may hang. */
const LIMIT_SECONDS = 240;

/** A process of PyTorch. It is restarted after a cancelled request. */
export class Peers {
  readonly #python: string;
  readonly #script: string;
  #process: ChildProcess | undefined;
  #lines: AsyncIterator<string> | undefined;

  constructor(python: string, script = fileURLToPath(new URL('peers.py', import.meta.url))) {
    this.#python = python;
    this.#script = script;
  }

  /** Starts PyTorch. @returns what it is, and its device; undefined if it cannot be used */
  async start(): Promise<{ name: string; device: string } | undefined> {
    const child = spawn(this.#python, [this.#script], { stdio: ['pipe', 'pipe', 'ignore'] });
    child.on('error', () => {});
    child.stdin.on('error', () => {});
    this.#process = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return this.#answer() as never;
  }

  async ask(request: PeerRequest): Promise<PeerAnswer> {
    if (!this.#process && !(await this.start())) return { error: 'PyTorch does not start again' };
    this.#process!.stdin!.write(`${JSON.stringify(request)}\n`);
    const answer = (await this.#answer()) as PeerAnswer | undefined;
    return answer ?? { error: `no answer within ${LIMIT_SECONDS} s, or PyTorch ended` };
  }

  stop(): void {
    this.#process?.kill('SIGKILL');
    this.#process = undefined;
  }

  async #answer(): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), LIMIT_SECONDS * 1000);
    });
    const line = await Promise.race([this.#lines!.next(), late]);
    clearTimeout(timer);
    if (line === undefined || line.done) {
      this.stop();
      return undefined;
    }
    return JSON.parse(line.value);
  }
}
