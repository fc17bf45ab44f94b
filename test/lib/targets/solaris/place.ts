import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InitiatorSecrets } from '../../../../lib/targets/solaris/initiators.ts';
import { SolarisTarget } from '../../../../lib/targets/solaris/target.ts';
import type { Chap, ExportSpec, Target } from '../../../../lib/targets/target.ts';
import { tryParseIscsiAddress } from '../../../../lib/iscsi/address.ts';
import { DirectShell } from '../../../support/fake-san/direct-shell.ts';
import { SolarisDevice } from '../../../support/fake-san/solaris-device.ts';
import type { HostSession, Subject } from '../conformance.ts';

interface Session {
  host: string;
  address: string;
  /** Which of the target. */
  number: number;
  isClosed: boolean;
}

/** Exports on a stand-in of COMSTAR. What hosts see follows from its groups and views; data is kept here. */
export class SolarisPlace implements Subject {
  readonly device = new SolarisDevice('tank');
  readonly shell = new DirectShell(this.device);
  readonly hosts = ['iqn.1993-08.org.debian:01:one', 'iqn.1993-08.org.debian:01:two'] as const;
  /** Made with the first secret. */
  readonly directory = join(tmpdir(), `blockstore-solaris-${randomUUID()}`);
  private readonly data = new Map<string, Buffer>();
  private readonly sessions: Session[] = [];

  async target(): Promise<Target> {
    const target = this.made();
    await target.setup();
    return target;
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }

  made(): SolarisTarget {
    return new SolarisTarget(this.shell, {
      ip: '192.0.2.9',
      base: 'tank/',
      targetPrefix: 'iqn.2010-10.org.openstack:',
      chap: true,
      secrets: new InitiatorSecrets(this.directory),
    });
  }

  async volume(): Promise<ExportSpec> {
    const id = randomUUID();
    this.device.zfs.run(['create', '-s', '-V', '1M', `tank/volume-${id}`]);
    const path = `/dev/zvol/rdsk/tank/volume-${id}`;
    this.data.set(path, Buffer.alloc(2 ** 20));
    return { id, path, address: this.made().addressOf(id), readOnly: false, hosts: [] };
  }

  async grow({ path }: ExportSpec): Promise<number> {
    const size = 2 * 2 ** 20;
    this.device.zfs.run(['set', 'volsize=2M', path.slice('/dev/zvol/rdsk/'.length)]);
    this.data.set(path, Buffer.concat([this.data.get(path) ?? Buffer.alloc(0), Buffer.alloc(size / 2)]));
    return size;
  }

  async removeStorage({ path }: ExportSpec): Promise<void> {
    this.device.zfs.run(['destroy', path.slice('/dev/zvol/rdsk/'.length)]);
  }

  async login({ address }: ExportSpec, host: string, chap?: Chap): Promise<HostSession> {
    const number = this.device.comstar.login(tryParseIscsiAddress(address)?.targetName ?? '', host, chap);
    if (number === undefined) throw new Error(`${host} is not admitted to ${address}`);
    const session: Session = { host, address, number, isClosed: false };
    this.unitOf(session);
    this.sessions.push(session);
    return {
      write: async (offset, data) => {
        const unit = this.unitOf(session);
        if (unit.isProtected) throw new Error('write protected');
        data.copy(this.data.get(unit.path) ?? Buffer.alloc(0), offset);
      },
      read: async (offset, length) => {
        const { path, size } = this.unitOf(session);
        if (offset + length > size) throw new Error('beyond the end');
        return Buffer.from(this.data.get(path)?.subarray(offset, offset + length) ?? []);
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

  private unitOf(session: Session) {
    const unit = this.seen(session);
    if (!unit) throw new Error(`${session.host} sees no unit at ${session.address}`);
    return unit;
  }

  private seen({ address, host, number }: Session) {
    const at = tryParseIscsiAddress(address);
    if (at && this.device.comstar.session(at.targetName) !== number) return undefined;
    return at && this.device.comstar.seen(at.targetName, at.lun, host);
  }
}
