/** A local HTTP server that gives one file, well or badly: what it does is what each test tells it. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FileServer {
  /** http://127.0.0.1:PORT */
  url: string;
  /** the Range of each request, '' where there was none */
  ranges: string[];
  close(): Promise<void>;
}

export async function serve(
  answer: (request: IncomingMessage, response: ServerResponse, count: number) => void,
): Promise<FileServer> {
  const ranges: string[] = [];
  const server = createServer((request, response) => {
    ranges.push(request.headers.range ?? '');
    answer(request, response, ranges.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    ranges,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** As a good server does: whole, or from where Range says if If-Range names this ETag; cut after `breakAfter` bytes. */
export function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer,
  { etag = '"v1"', breakAfter }: { etag?: string; breakAfter?: number } = {},
): void {
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  const from = range && request.headers['if-range'] === etag ? Number(range[1]) : 0;
  const body = bytes.subarray(from);
  const headers: Record<string, string | number> = { etag, 'content-length': body.length };
  if (from > 0) headers['content-range'] = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
  response.writeHead(from > 0 ? 206 : 200, headers);
  if (breakAfter === undefined) response.end(body);
  else response.write(body.subarray(0, breakAfter), () => response.destroy());
}
