/** Which addresses of a remote are folders. */
import { describe, expect, test } from 'vitest';
import { parseRemoteAddress } from '../../../lib/repro/storage/index.ts';

describe('parseRemoteAddress', () => {
  test.each([
    ['/mnt/store', '/mnt/store'],
    ['../store', '/store'],
    ['./a:b', '/p/a:b'],
    ['sub/a:b', '/p/sub/a:b'],
    ['./~', '/p/~'],
    ['./s3://bucket', '/p/s3:/bucket'],
    ['file:///mnt/my%20store', '/mnt/my store'],
    ['file://localhost/mnt/store', '/mnt/store'],
  ])('%s is a folder', (text, folder) => {
    expect(parseRemoteAddress(text, '/p')).toEqual({ kind: 'folder', folder });
  });

  test.each([
    's3://bucket/store',
    'S3://bucket',
    'ssh://host/store',
    'gs://bucket',
    'azure://container',
    'https://host/store',
    'file://host/store',
    'file:///store?a',
    'file:store',
  ])('%s is a URL that is refused', (text) => {
    expect(() => parseRemoteAddress(text, '/p')).toThrow(/^"[^"]+" .*\/mnt\/store/);
  });

  test.each([
    ['user@host:/srv/store', 'names another machine or service'],
    ['host:store', 'names another machine or service'],
    ['[::1]:/srv', 'names another machine or service'],
    ['s3:/bucket', 'names another machine or service'],
    ['C:store', 'names another machine or service'],
    ['C:\\store', 'is a Windows path'],
    ['\\\\server\\store', 'is a Windows path'],
    ['//server/store', 'names a share of another machine'],
    ['~/store', 'only a shell replaces'],
    ['$HOME/store', 'only a shell replaces'],
    ['', 'is not a remote'],
    ['a\0b', 'NUL'],
  ])('%s is refused', (text, message) => {
    expect(() => parseRemoteAddress(text, '/p')).toThrow(message);
  });
});
