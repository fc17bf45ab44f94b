import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandError } from '../command-error.ts';
import { BlockstoreError, errors } from '../errors.ts';
import type { Processes } from '../process.ts';

export interface Domain {
  name: string;
  uuid: string;
}

/** Runs virsh on one libvirt connection. `domain` is what errors name. */
export class Virsh {
  readonly uri: string;
  private readonly processes: Processes;

  constructor(uri: string, processes: Processes) {
    this.uri = uri;
    this.processes = processes;
  }

  /** Throws DomainFailed, DomainNotFound, CommandNotFound. */
  async run(domain: string, args: readonly string[]): Promise<string> {
    try {
      return (await this.processes.run('virsh', ['--connect', this.uri, '--quiet', ...args])).stdout;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      if (error.failure.notFound) throw errors.commandMissing('virsh', 'libvirt-clients');
      const mayBeGone = /failed to get domain|Domain not found/i.test(error.failure.stderr);
      if (mayBeGone && !(await this.isListed(domain))) throw errors.domainNotFound(domain, this.uri);
      throw errors.domainFailed(domain, reasonOf(error), this.seeDomains);
    }
  }

  /** Returns undefined where the driver of the connection does not have the function. */
  async runIfSupported(domain: string, args: readonly string[]): Promise<string | undefined> {
    try {
      return await this.run(domain, args);
    } catch (error) {
      if (error instanceof BlockstoreError && /not supported/.test(error.message)) return undefined;
      throw error;
    }
  }

  /** Throws what run() throws. */
  async attachDevice(domain: string, scope: string, xml: string): Promise<void> {
    // virsh opens a file by its name, which it cannot do with the socket that is the input of a child of Node.
    const directory = await mkdtemp(join(tmpdir(), 'blockstore-'));
    try {
      const file = join(directory, 'device.xml');
      await writeFile(file, xml);
      await this.run(domain, ['attach-device', scope, '--', domain, file]);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  async list(reference: string): Promise<Domain[]> {
    const text = await this.run(reference, ['list', '--all', '--uuid', '--name']);
    return text.split('\n').flatMap((line) => {
      const [, uuid, name] = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) +(.*\S)\s*$/.exec(line) ?? [];
      return uuid === undefined || name === undefined ? [] : [{ uuid, name }];
    });
  }

  /** virsh reports a connection that ends during a look-up as it reports a domain that does not exist. Throws DomainFailed. */
  async isListed(uuid: string): Promise<boolean> {
    const args = ['--connect', this.uri, '--quiet', 'list', '--all', '--uuid'];
    try {
      return (await this.processes.run('virsh', args)).stdout.includes(uuid);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      throw errors.domainFailed(uuid, reasonOf(error), this.seeDomains);
    }
  }

  /** A hint. */
  get seeDomains(): string {
    return `see "virsh --connect ${this.uri} list --all" on this host`;
  }
}

/** virsh prints what was tried first and the cause last, each after "error:". */
function reasonOf(error: CommandError): string {
  const lines = error.failure.stderr.split('\n').map((line) => line.replace(/^error:\s*/, '').trim());
  return lines.findLast((line) => line !== '') ?? error.message;
}
