import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tryParseIscsiAddress } from '../../../../lib/iscsi/address.ts';
import { LefthandTarget } from '../../../../lib/targets/lefthand/target.ts';
import type { Chap, ExportSpec, Target } from '../../../../lib/targets/target.ts';
import { DirectShell } from '../../../support/fake-san/direct-shell.ts';
import { LefthandDevice } from '../../../support/fake-san/lefthand-device.ts';
import type { HostSession, Subject } from '../conformance.ts';

interface Session {
  host: string;
  address: string;
  chap: Chap | undefined;
  isClosed: boolean;
}

/** Exports on a stand-in of LeftHand. What hosts see follows from its assignments; the first MiB of data is kept here. */
export class LefthandPlace implements Subject {
  readonly device = new LefthandDevice();
  readonly shell = new DirectShell(this.device);
  readonly hosts = ['iqn.1993-08.org.debian:01:one', 'iqn.1993-08.org.debian:01:two'] as const;
  readonly isSecretEnough = true;
  readonly directory: string;
  private readonly data = new Map<string, Buffer>();
  private readonly sessions: Session[] = [];

  static async create(): Promise<LefthandPlace> {
    return new LefthandPlace(await mkdtemp(join(tmpdir(), 'blockstore-lefthand-')));
  }

  private constructor(directory: string) {
    this.directory = directory;
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true });
  }

  made(chap = true): LefthandTarget {
    return new LefthandTarget(this.shell, { cluster: 'c1', node: 'n1', chap, directory: this.directory });
  }

  async target(): Promise<Target> {
    const target = this.made();
    await target.setup();
    return target;
  }

  async volume(): Promise<ExportSpec> {
    const id = randomUUID();
    const path = `volume-${id}`;
    const values = ['clusterName=c1', `volumeName=${path}`, 'size=100MB', 'thinProvision=1'];
    this.device.words(['createVolume', ...values, `description=blockstore,id:${id},node:n1,l.user:u`]);
    this.data.set(path, Buffer.alloc(2 ** 20));
    const address = (await this.made().findAddress(id)) ?? '';
    return { id, path, address, readOnly: false, hosts: [this.hosts[0]] };
  }

  async grow({ path }: ExportSpec): Promise<number> {
    this.device.words(['modifyVolume', `volumeName=${path}`, 'size=200MB']);
    return 200 * 2 ** 20;
  }

  async removeStorage({ path }: ExportSpec): Promise<void> {
    this.device.words(['deleteVolume', `volumeName=${path}`]);
  }

  async login({ address }: ExportSpec, host: string, chap?: Chap): Promise<HostSession> {
    const session: Session = { host, address, chap, isClosed: false };
    this.volumeOf(session);
    this.sessions.push(session);
    return {
      write: async (offset, data) => {
        const { name, isProtected } = this.volumeOf(session);
        if (isProtected) throw new Error('write protected');
        data.copy(this.data.get(name) ?? Buffer.alloc(0), offset);
      },
      read: async (offset, length) => {
        const { name, size } = this.volumeOf(session);
        if (offset + length > size) throw new Error('beyond the end');
        const kept = this.data.get(name)?.subarray(offset, offset + length) ?? [];
        return Buffer.concat([Buffer.from(kept), Buffer.alloc(length - kept.length)]);
      },
      close: async () => {
        session.isClosed = true;
      },
    };
  }

  async users({ address }: ExportSpec): Promise<string[]> {
    const open = this.sessions.filter((session) => !session.isClosed && session.address === address);
    return open.filter((session) => this.seen(session) !== undefined).map(({ host }) => host);
  }

  private volumeOf(session: Session) {
    const volume = this.seen(session);
    if (!volume) throw new Error(`${session.host} is not admitted to ${session.address}`);
    return volume;
  }

  private seen({ address, host, chap }: Session) {
    return this.device.seen(tryParseIscsiAddress(address)?.targetName ?? '', host, chap);
  }
}
