/** A local HTTP server. Each test chooses its answers, valid or not. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A running server. */
export interface FileServer {
  /** http://127.0.0.1:PORT */
  url: string;
  /** the Range header of each request, '' if there was none */
  ranges: string[];
  close(): Promise<void>;
}

/** Starts a server on a free port. `answer` gets the number of the request, from 1. */
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

/**
 * Sends a file as a correct server does: from the start of Range if If-Range has this ETag, otherwise whole. The
 * connection breaks after `breakAfter` bytes.
 */
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
