import { randomUUID } from 'node:crypto';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tryParseIscsiAddress } from '../../../../lib/iscsi/address.ts';
import { type Log, silentLog } from '../../../../lib/log.ts';
import { ChildProcesses } from '../../../../lib/process.ts';
import { readTarget } from '../../../../lib/targets/iscsi-lio/found-target.ts';
import { IscsiLioTarget } from '../../../../lib/targets/iscsi-lio/target.ts';
import type { PortalTargetOptions } from '../../../../lib/iscsi/portal-target.ts';
import type { Chap, ExportSpec } from '../../../../lib/targets/target.ts';
import { freePort } from '../../../support/free-port.ts';
import type { HostSession, Subject } from '../conformance.ts';
import type { ExportPlace } from '../pair.ts';
import { ConfigfsStandIn, type StandInLogin } from './configfs-stand-in.ts';

export const prefix = 'iqn.2010-10.org.openstack:';

/** Volumes in files, exported by a stand-in of configfs. */
export class Place implements Subject, ExportPlace {
  readonly hosts = ['iqn.1993-08.org.debian:01:aaa', 'iqn.1993-08.org.debian:01:bbb'] as const;
  readonly configfs = new ConfigfsStandIn();
  readonly directory: string;
  readonly port: number;
  private readonly targets: IscsiLioTarget[] = [];

  static async create(): Promise<Place> {
    return new Place(await mkdtemp(join(tmpdir(), 'blockstore-lio-')), await freePort());
  }

  private constructor(directory: string, port: number) {
    this.directory = directory;
    this.port = port;
  }

  made(
    options: Partial<PortalTargetOptions> = {},
    { log = silentLog, isRoot = true }: { log?: Log; isRoot?: boolean } = {},
  ) {
    const portal = { ip: '127.0.0.1', port: this.port };
    const kernel = { isRoot, directory: this.directory };
    const target = new IscsiLioTarget(
      { portal, targetPrefix: prefix, chap: true, durability: 'sync', ...options },
      { processes: new ChildProcesses(), log, configfs: this.configfs, kernel },
    );
    this.targets.push(target);
    return target;
  }

  async target(options: Partial<PortalTargetOptions> = {}, context: { log?: Log } = {}): Promise<IscsiLioTarget> {
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

  /** As the kernel decides about a login. */
  async login(spec: ExportSpec, host: string, chap?: Chap): Promise<HostSession> {
    const { ip, port, targetName = '' } = tryParseIscsiAddress(spec.address) ?? {};
    const target = await readTarget(this.configfs, targetName);
    const acl = target.acls.find(({ initiator }) => initiator === host);
    const { user, secret } = acl?.chap ?? target.chap;
    const isKnown = !target.asksSecret || (user !== '' && user === chap?.user && secret === chap.secret);
    const isAdmitted =
      target.isEnabled && target.portals.includes(`${ip}:${port}`) && (acl ? acl.hasVolume : target.isOpen);
    if (!isAdmitted || !isKnown) throw new Error('login failed');
    const login = { group: `iscsi/${targetName}/tpgt_1`, initiator: host, isOpen: true };
    this.configfs.logins.push(login);
    return new StandInSession(this.configfs, login, spec.path);
  }

  async users({ id }: ExportSpec): Promise<string[]> {
    const logins = this.configfs.logins.filter(({ group, isOpen }) => isOpen && group.includes(id));
    return logins.map(({ initiator }) => initiator);
  }

  async remove(): Promise<void> {
    for (const target of this.targets) await target.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}

class StandInSession implements HostSession {
  private readonly configfs: ConfigfsStandIn;
  private readonly state: StandInLogin;
  private readonly file: string;

  constructor(configfs: ConfigfsStandIn, state: StandInLogin, file: string) {
    this.configfs = configfs;
    this.state = state;
    this.file = file;
  }

  async write(offset: number, data: Buffer): Promise<void> {
    const { group, initiator } = this.state;
    const own = await this.configfs.read(`${group}/acls/${initiator}/lun_1/write_protect`);
    if ((own ?? (await this.configfs.read(`${group}/attrib/demo_mode_write_protect`))) === '1')
      throw new Error('read-only');
    await using file = await this.open();
    await file.write(data, 0, data.length, offset);
  }

  async read(offset: number, length: number): Promise<Buffer> {
    if (offset + length > (await this.size())) throw new Error('beyond the end');
    await using file = await this.open();
    return (await file.read(Buffer.alloc(length), 0, length, offset)).buffer;
  }

  async close(): Promise<void> {
    this.state.isOpen = false;
  }

  /** As the backstore was last told. */
  private async size(): Promise<number> {
    const unit = `${this.state.group}/lun/lun_1`;
    const [link] = await this.configfs.links(unit);
    const backstore = await this.configfs.follow(`${unit}/${link}`);
    return Number(/Size: (\d+)/.exec((await this.configfs.read(`${backstore}/info`)) ?? '')?.[1] ?? 0);
  }

  private open() {
    if (!this.state.isOpen) throw new Error('the session has ended');
    return open(this.file, 'r+');
  }
}
