import { randomUUID } from 'node:crypto';
import { type Socket, createSocket } from 'node:dgram';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Log, silentLog } from '../../../../lib/log.ts';
import { ChildProcesses, type Processes } from '../../../../lib/process.ts';
import { IscsiTgtTarget, type IscsiTgtOptions } from '../../../../lib/targets/iscsi-tgt/target.ts';
import { Tgtadm } from '../../../../lib/targets/iscsi-tgt/tgtadm.ts';
import { type Daemon, Tgtd } from '../../../../lib/targets/iscsi-tgt/tgtd.ts';
import type { Chap, ExportSpec } from '../../../../lib/targets/target.ts';
import { freePort } from '../../../support/free-port.ts';
import { until } from '../../../support/until.ts';
import type { HostSession, Subject } from '../conformance.ts';
import type { ExportPlace } from '../pair.ts';

export const initiators = ['iqn.1993-08.org.debian:01:aaa', 'iqn.1993-08.org.debian:01:bbb'] as const;

type Login = (spec: ExportSpec, host: string, chap?: Chap) => Promise<HostSession>;

/** A state directory with volumes of 1 MiB in files, exported by a tgtd on a port of the loopback interface. */
export class Place implements Subject, ExportPlace {
  readonly directory: string;
  readonly port: number;
  readonly hosts = initiators;
  readonly login: Login;
  private readonly reservation: Socket;
  private readonly targets: IscsiTgtTarget[] = [];

  static async create(login: Login): Promise<Place> {
    return new Place(await mkdtemp(join(tmpdir(), 'blockstore-tgt-')), await reservedPort(), login);
  }

  private constructor(directory: string, { port, reservation }: ReservedPort, login: Login) {
    this.directory = directory;
    this.port = port;
    this.reservation = reservation;
    this.login = login;
  }

  /** As a daemon that has just started has it; not yet set up. */
  made(
    options: Partial<IscsiTgtOptions> = {},
    { processes = new ChildProcesses(), log = silentLog }: { processes?: Processes; log?: Log } = {},
  ): IscsiTgtTarget {
    const target = new IscsiTgtTarget(
      {
        portal: { ip: '127.0.0.1', port: this.port },
        targetPrefix: 'iqn.2010-10.org.openstack:',
        chap: true,
        durability: 'sync',
        stateDir: this.directory,
        isUnit: false,
        ...options,
      },
      { processes, log },
    );
    this.targets.push(target);
    return target;
  }

  async target(options: Partial<IscsiTgtOptions> = {}, context: { log?: Log } = {}): Promise<IscsiTgtTarget> {
    const target = this.made(options, context);
    await target.setup();
    return target;
  }

  async volume(): Promise<ExportSpec> {
    const id = randomUUID();
    const path = join(this.directory, `volume-${id}`);
    await writeFile(path, Buffer.alloc(2 ** 20));
    return this.specOf({ id, path });
  }

  specOf({ id, path }: Pick<ExportSpec, 'id' | 'path'>): ExportSpec {
    return { id, path, address: this.made().addressOf(id), readOnly: false, hosts: [] };
  }

  async users(spec: ExportSpec): Promise<string[]> {
    const target = (await this.adm.targets()).find(({ name }) => name.endsWith(spec.id));
    return target ? (await this.adm.connections(target.tid)).map(({ initiator }) => initiator) : [];
  }

  get adm(): Tgtadm {
    return new Tgtadm(new ChildProcesses(), join(this.directory, 'iscsi', 'tgtd.sock'));
  }

  /** The tgtd of the place. */
  async daemon(): Promise<Daemon | undefined> {
    return this.tgtd.find();
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Daemon> {
    const daemon = await this.daemon();
    if (!daemon) throw new Error('no tgtd runs');
    process.kill(daemon.pid, signal);
    if (signal === 'SIGKILL') await until(() => !this.tgtd.isRunning(daemon), 'tgtd has ended');
    return daemon;
  }

  async remove(): Promise<void> {
    for (const target of this.targets) await target.close();
    if (await this.daemon()) await this.kill();
    this.reservation.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  private get tgtd(): Tgtd {
    const portal = { ip: '127.0.0.1', port: this.port };
    const options = { portal, directory: join(this.directory, 'iscsi'), isUnit: false };
    return new Tgtd(options, { processes: new ChildProcesses(), log: silentLog });
  }
}

interface ReservedPort {
  port: number;
  reservation: Socket;
}

/** A free TCP port that no other place has, also of another process, before its tgtd listens: it has the UDP port of that number. */
async function reservedPort(): Promise<ReservedPort> {
  for (;;) {
    const port = await freePort();
    const reservation = createSocket('udp4');
    const isOurs = await new Promise<boolean>((resolve) => {
      reservation.once('error', () => resolve(false));
      reservation.bind(port, '127.0.0.1', () => resolve(true));
    });
    if (isOurs) return { port, reservation };
    reservation.close();
  }
}
