import { createHash } from 'node:crypto';
import { appendFile } from 'node:fs/promises';
import path from 'node:path';
import type { ServerHostKeyAlgorithm } from 'ssh2';
import { errors } from '../errors.ts';
import { makeDirectory, readIfExists } from '../files.ts';

export interface KnownHostsOptions {
  /** Its form is that of OpenSSH. Created with the first key. */
  file: string;
  ip: string;
  port: number;
  /** Whether a host without a known key is trusted. */
  acceptNew: boolean;
  /** Whether its key is then written down. */
  keepNew: boolean;
}

interface KnownKey {
  line: number;
  type: string;
  key: string;
}

/** Signature algorithms with the types of their keys, in the order of preference. */
const algorithms: readonly (readonly [ServerHostKeyAlgorithm, string])[] = [
  ['ssh-ed25519', 'ssh-ed25519'],
  ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp256'],
  ['ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp384'],
  ['ecdsa-sha2-nistp521', 'ecdsa-sha2-nistp521'],
  ['rsa-sha2-512', 'ssh-rsa'],
  ['rsa-sha2-256', 'ssh-rsa'],
  ['ssh-rsa', 'ssh-rsa'],
];

/** The host keys that this node trusts. The file is read at each connection: an operator may change it at any time. */
export class KnownHosts {
  private readonly options: KnownHostsOptions;

  constructor(options: KnownHostsOptions) {
    this.options = options;
  }

  /** Returns the host key algorithms, those of known keys first: a host with several keys then answers with a known one. */
  async algorithms(): Promise<ServerHostKeyAlgorithm[]> {
    const known = new Set((await this.keys()).map(({ type }) => type));
    const rank = ([, type]: readonly [string, string]) => (known.has(type) ? 0 : 1);
    return algorithms.toSorted((one, other) => rank(one) - rank(other)).map(([name]) => name);
  }

  /** Throws HostKeyUnknown, HostKeyChanged. */
  async check(key: Buffer, where: string): Promise<void> {
    const { file, acceptNew, keepNew } = this.options;
    const type = key.toString('latin1', 4, 4 + key.readUInt32BE(0));
    const text = key.toString('base64');
    const known = await this.keys();
    if (known.some((one) => one.key === text)) return;
    const fingerprint = `${type} SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
    const other = known.find((one) => one.type === type) ?? known[0];
    if (other) throw errors.hostKeyChanged(where, fingerprint, file, other.line);
    const line = `${this.host} ${type} ${text}`;
    if (!acceptNew) throw errors.hostKeyUnknown(where, fingerprint, file, line);
    if (!keepNew) return;
    await makeDirectory(path.dirname(file), 0o700);
    await appendFile(file, `${line}\n`, { mode: 0o600, flush: true });
  }

  private get host(): string {
    const { ip, port } = this.options;
    return port === 22 ? ip : `[${ip}]:${port}`;
  }

  private async keys(): Promise<KnownKey[]> {
    const text = (await readIfExists(this.options.file)) ?? '';
    return text.split('\n').flatMap((row, index) => {
      const [hosts = '', type = '', key = ''] = row.trim().split(/\s+/);
      if (row.startsWith('#') || !hosts.split(',').includes(this.host) || key === '') return [];
      return [{ line: index + 1, type, key }];
    });
  }
}
