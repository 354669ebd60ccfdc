/**
 * The address of a remote, as -r and .repro/config.yaml give it. This file alone decides which addresses are understood
 * and what each of them means.
 *
 *   /mnt/store   ../store   ./a:b   file:///mnt/store     a folder
 *   s3://bucket/store   gs://…   azure://…   sftp://…     a service, by the program rclone
 *   rclone:lab:store                                      what the user's rclone calls "lab:store"
 *   https://host/store   host:/store                      refused
 *
 * An address with a colon before its first slash names a host, as for git and rsync. So `s3:/bucket` never becomes a
 * folder of that name.
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ReproError } from '../messages/index.ts';

/** A remote that repro can copy to and from. */
export type RemoteAddress = FolderAddress | RcloneAddress;

/** A folder. */
export interface FolderAddress {
  kind: 'folder';
  /** An absolute path. */
  folder: string;
}

/** A service that rclone copies to and from. */
export interface RcloneAddress {
  kind: 'rclone';
  /** The address in rclone's form. */
  address: string;
  /** As the user wrote it. */
  url: string;
}

/**
 * Services by the scheme of a URL: rclone's name and options. Credentials are those of the environment and the user's
 * rclone. The part after the colon is the bucket and the path.
 */
const SERVICES: { readonly [scheme: string]: string } = {
  s3: ':s3,env_auth=true:',
  gs: ':gcs,env_auth=true:',
  azure: ':azureblob,env_auth=true:',
};
/** [user@]host[:port]/path. A character with a meaning for rclone must not get into its address. */
const SFTP = /^(?:([\w.-]+)@)?([\w.-]+)(?::(\d+))?(\/.*)$/;

const URL_SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i;
const HOST = /^(?:[^/@]+@)?(?:\[[^/\]]*\]|[^/:]*):/;
const WHAT_IS =
  'a remote is a folder, such as /mnt/store, or a URL: s3://bucket/store, gs://, azure://, sftp://host/path, rclone:NAME:path';

/**
 * Parses an address.
 *
 * @param base the folder to which a relative path is relative
 * @throws ReproError if repro cannot copy to it, with what would be right
 * @example parseRemoteAddress('../store', '/p/study') // { kind: 'folder', folder: '/p/store' }
 */
export function parseRemoteAddress(text: string, base: string): RemoteAddress {
  const refuse = (why: string): never => {
    throw new ReproError(`${JSON.stringify(text)} ${why}`);
  };
  if (text.trim() === '') refuse(`is not a remote; ${WHAT_IS}`);
  if (text.includes('\0')) refuse('has a NUL character, which no path can have');
  const scheme = URL_SCHEME.exec(text)?.[1].toLowerCase();
  if (scheme === 'file')
    return { kind: 'folder', folder: folderOfUrl(text) ?? refuse('is not a folder here; write /mnt/store') };
  const service = scheme ?? (/^rclone:/i.test(text) ? 'rclone' : undefined);
  if (service !== undefined) {
    const address =
      rcloneAddress(service, text) ?? refuse(`is a URL (${service}:) that repro cannot copy to; ${WHAT_IS}`);
    return { kind: 'rclone', address, url: text };
  }
  if (/^([a-z]:)?\\/i.test(text)) refuse(`is a Windows path; ${WHAT_IS}`);
  if (/^\/\/[^/]/.test(text)) refuse(`names a share of another machine; ${WHAT_IS}`);
  if (HOST.test(text))
    refuse(
      `names another machine or service, which repro cannot copy to; ${WHAT_IS}; for a folder with a colon in its name write ./${text}`,
    );
  if (/^[~$]/.test(text))
    refuse(`starts with ${text[0]}, which only a shell replaces; write the whole path, or ./${text}`);
  return { kind: 'folder', folder: resolve(base, text) };
}

/** The address in rclone's form. Undefined if repro cannot copy to it. */
function rcloneAddress(service: string, text: string): string | undefined {
  const rest = text.slice(text.indexOf(':') + 1).replace(/^\/\//, '');
  if (Object.hasOwn(SERVICES, service)) return /^[^/\s]/.test(rest) ? `${SERVICES[service]}${rest}` : undefined;
  if (service === 'rclone') return /^[^:\s-][^:]*:/.test(rest) ? rest : undefined;
  if (service !== 'sftp') return undefined;
  const [, user, host, port, path] = SFTP.exec(rest) ?? [];
  if (host === undefined) return undefined;
  // The program would run a shell on the server at each call, and md5sum for each file. Objects are checked by their
  // SHA-256 when they are fetched.
  return `:sftp,disable_hashcheck=true,shell_type=none,host=${host}${user === undefined ? '' : `,user=${user}`}${port === undefined ? '' : `,port=${port}`}:${path}`;
}

/** The path of a `file:` URL; undefined if it is on another machine, has a query, or is not valid. */
function folderOfUrl(text: string): string | undefined {
  try {
    return /[?#]/.test(text) ? undefined : fileURLToPath(text);
  } catch {
    return undefined;
  }
}
