import { randomUUID } from 'node:crypto';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Log, silentLog } from '../../../../lib/log.ts';
import { tryParseNvmeAddress } from '../../../../lib/nvme/address.ts';
import { ChildProcesses } from '../../../../lib/process.ts';
import { NvmetTarget } from '../../../../lib/targets/nvmet/target.ts';
import type { ExportSpec } from '../../../../lib/targets/target.ts';
import { freePort } from '../../../support/free-port.ts';
import type { HostSession, Subject } from '../conformance.ts';
import { ConfigfsStandIn, type StandInController } from './configfs-stand-in.ts';

export const prefix = 'nqn.2010-10.org.openstack:';

interface Options {
  portal?: { ip: string; port: number };
  targetPrefix?: string;
}

/** Volumes in files, exported by a stand-in of configfs. */
export class Place implements Subject {
  readonly hosts = [
    'nqn.2014-08.org.nvmexpress:uuid:0a1b2c3d-0000-4000-8000-00000000000a',
    'nqn.2014-08.org.nvmexpress:uuid:0a1b2c3d-0000-4000-8000-00000000000b',
  ] as const;
  readonly refusesReadOnly = true;
  readonly configfs = new ConfigfsStandIn();
  readonly directory: string;
  readonly port: number;
  private readonly targets: NvmetTarget[] = [];

  static async create(): Promise<Place> {
    return new Place(await mkdtemp(join(tmpdir(), 'blockstore-nvmet-')), await freePort());
  }

  private constructor(directory: string, port: number) {
    this.directory = directory;
    this.port = port;
  }

  made(options: Options = {}, { log = silentLog, isRoot = true }: { log?: Log; isRoot?: boolean } = {}): NvmetTarget {
    const portal = { ip: '127.0.0.1', port: this.port };
    const target = new NvmetTarget(
      { portal, targetPrefix: prefix, ...options },
      {
        processes: new ChildProcesses(),
        log,
        configfs: this.configfs,
        kernel: { isRoot, directory: this.directory },
      },
    );
    this.targets.push(target);
    return target;
  }

  async target(options: Options = {}, context: { log?: Log } = {}): Promise<NvmetTarget> {
    const target = this.made(options, context);
    await target.setup();
    return target;
  }

  async volume(): Promise<ExportSpec> {
    const id = randomUUID();
    const path = join(this.directory, `volume-${id}`);
    await writeFile(path, Buffer.alloc(2 ** 20));
    return { id, path, address: this.made().addressOf(id), readOnly: false, hosts: [] };
  }

  /** As the kernel decides about a connection. */
  async login(spec: ExportSpec, host: string): Promise<HostSession> {
    const { ip, port, nqn = '' } = tryParseNvmeAddress(spec.address) ?? {};
    const { configfs } = this;
    const subsystem = `subsystems/${nqn}`;
    const numbers = await configfs.directories('ports');
    const at = await Promise.all(
      numbers.map(async (number) => {
        const [address, service] = await Promise.all(
          ['addr_traddr', 'addr_trsvcid'].map((name) => configfs.read(`ports/${number}/${name}`)),
        );
        const isThere = configfs.presented(`ports/${number}`).includes(subsystem);
        return address === ip && service === String(port) && isThere ? [`ports/${number}`] : [];
      }),
    );
    const [found] = at.flat();
    const isOpen = (await configfs.read(`${subsystem}/attr_allow_any_host`)) === '1';
    const isAdmitted = isOpen || (await configfs.links(`${subsystem}/allowed_hosts`)).includes(host);
    if (found === undefined || !isAdmitted) throw new Error('the connection is refused');
    const controller = { subsystem, port: found, host, isOpen: true };
    configfs.controllers.push(controller);
    return new StandInSession(configfs, controller);
  }

  async users({ id }: ExportSpec): Promise<string[]> {
    return this.configfs.controllers
      .filter(({ subsystem, isOpen }) => isOpen && subsystem.includes(id))
      .map(({ host }) => host);
  }

  async remove(): Promise<void> {
    for (const target of this.targets) await target.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}

class StandInSession implements HostSession {
  private readonly configfs: ConfigfsStandIn;
  private readonly state: StandInController;

  constructor(configfs: ConfigfsStandIn, state: StandInController) {
    this.configfs = configfs;
    this.state = state;
  }

  async write(offset: number, data: Buffer): Promise<void> {
    await using file = await this.open();
    await file.write(data, 0, data.length, offset);
  }

  async read(offset: number, length: number): Promise<Buffer> {
    if (offset + length > (this.configfs.sizes.get(this.namespace) ?? 0)) throw new Error('beyond the end');
    await using file = await this.open();
    return (await file.read(Buffer.alloc(length), 0, length, offset)).buffer;
  }

  async close(): Promise<void> {
    this.state.isOpen = false;
  }

  private get namespace(): string {
    return `${this.state.subsystem}/namespaces/1`;
  }

  private async open() {
    const isEnabled = (await this.configfs.read(`${this.namespace}/enable`)) === '1';
    if (!this.state.isOpen || !isEnabled) throw new Error('the controller has ended');
    return open((await this.configfs.read(`${this.namespace}/device_path`)) ?? '', 'r+');
  }
}
