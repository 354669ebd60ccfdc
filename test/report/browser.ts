/**
 * Drives Chromium over the DevTools protocol through a pipe, with a temporary profile. Network requests are recorded.
 *
 * @see https://chromedevtools.github.io/devtools-protocol/
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';

/** Finds Chromium: $CHROMIUM, or a program in $PATH with one of its usual names. */
export function findChromium(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const candidates = [
    process.env.CHROMIUM ?? '',
    ...names.flatMap((name) => folders.map((folder) => join(folder, name))),
  ];
  return candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return file !== '';
    } catch {
      return false;
    }
  });
}

interface Message {
  id?: number;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
}

/** A browser with one page. */
export class Browser {
  /** errors that the page threw or wrote to the console */
  readonly errors: string[] = [];
  /** addresses that the page requested, other than files and data: URLs */
  readonly requests: string[] = [];
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<
    number,
    { resolve: (result: Record<string, unknown>) => void; reject: (error: Error) => void }
  >();
  readonly #listeners: { method: string; resolve: () => void }[] = [];
  #session = '';
  #count = 0;

  constructor(program: string) {
    this.#profile = mkdtempSync(join(tmpdir(), 'report-browser-'));
    this.#process = spawn(
      program,
      [
        '--headless=new',
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-dev-shm-usage',
        '--mute-audio',
        `--user-data-dir=${this.#profile}`,
        '--remote-debugging-pipe',
        'about:blank',
      ],
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
    );
    let buffer = '';
    (this.#process.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => {
      buffer += text;
      const messages = buffer.split('\0');
      buffer = messages.pop()!;
      for (const message of messages) this.#receive(JSON.parse(message));
    });
    this.#process.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the browser has ended'));
    });
  }

  /** Opens a file and waits until it has loaded. */
  async open(file: string, { width = 1100, height = 1400, dark = false } = {}): Promise<void> {
    if (this.#session === '') {
      const { targetId } = await this.#send('Target.createTarget', { url: 'about:blank' });
      const { sessionId } = await this.#send('Target.attachToTarget', { targetId, flatten: true });
      this.#session = sessionId as string;
      for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await this.#send(`${domain}.enable`);
    }
    await this.#send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
    await this.#send('Emulation.setEmulatedMedia', {
      features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }],
    });
    const loaded = new Promise<void>((resolve) => this.#listeners.push({ method: 'Page.loadEventFired', resolve }));
    await this.#send('Page.navigate', { url: pathToFileURL(file).href });
    await loaded;
  }

  /** Evaluates an expression in the page with the rights of a user's click, and awaits its promise. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.#send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
      userGesture: true,
    });
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails).slice(0, 500));
    return (result as { value: T }).value;
  }

  async screenshot(file: string, wholePage = false): Promise<void> {
    const { data } = await this.#send('Page.captureScreenshot', { captureBeyondViewport: wholePage });
    writeFileSync(file, Buffer.from(data as string, 'base64'));
  }

  async pdf(file: string): Promise<void> {
    const { data } = await this.#send('Page.printToPDF', {});
    writeFileSync(file, Buffer.from(data as string, 'base64'));
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#send('Browser.close').catch(() => {});
    const late = setTimeout(() => this.#process.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(late);
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  #send(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = ++this.#count;
    const session = this.#session === '' ? {} : { sessionId: this.#session };
    (this.#process.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #receive(message: Message): void {
    if (message.id !== undefined) {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.error) waiting?.reject(new Error(message.error.message));
      else waiting?.resolve(message.result ?? {});
      return;
    }
    const params = message.params as Record<string, Record<string, unknown> & string>;
    if (message.method === 'Runtime.exceptionThrown') this.errors.push(JSON.stringify(params.exceptionDetails));
    if (message.method === 'Runtime.consoleAPICalled' && params.type === 'error')
      this.errors.push(JSON.stringify(params.args));
    if (message.method === 'Log.entryAdded' && params.entry.level === 'error')
      this.errors.push(String(params.entry.text));
    if (message.method === 'Network.requestWillBeSent' && !/^(file|data|about):/.test(String(params.request.url)))
      this.requests.push(String(params.request.url));
    const index = this.#listeners.findIndex(({ method }) => method === message.method);
    if (index >= 0) this.#listeners.splice(index, 1)[0].resolve();
  }
}
