/** Which addresses of a remote are folders, and which are services behind rclone. */
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
    ['s3://bucket/store', ':s3,env_auth=true:bucket/store'],
    ['S3://bucket', ':s3,env_auth=true:bucket'],
    ['gs://bucket/a/b', ':gcs,env_auth=true:bucket/a/b'],
    ['azure://container', ':azureblob,env_auth=true:container'],
    ['sftp://host/srv/store', ':sftp,disable_hashcheck=true,shell_type=none,host=host:/srv/store'],
    [
      'sftp://me@host.example:2222/srv',
      ':sftp,disable_hashcheck=true,shell_type=none,host=host.example,user=me,port=2222:/srv',
    ],
    ['rclone:lab:study', 'lab:study'],
    ['rclone:lab:', 'lab:'],
    ['rclone:crypt:/a b', 'crypt:/a b'],
  ])('%s is a service behind rclone', (text, address) => {
    expect(parseRemoteAddress(text, '/p')).toEqual({ kind: 'rclone', address, url: text });
  });

  test.each([
    'ssh://host/store',
    's3://',
    's3:///store',
    'sftp://host',
    'sftp://host,user=root/srv',
    'sftp://a:b@host/srv',
    'rclone:lab',
    'rclone:--config=x:y',
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
    ['-x:/bucket', 'names another machine or service'],
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
