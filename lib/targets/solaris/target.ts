import { KeyedMutex } from '../../concurrency.ts';
import { errors } from '../../errors.ts';
import {
  formatIscsiAddress,
  initiatorNames,
  portalText,
  targetNameOf,
  volumeOfTargetName,
} from '../../iscsi/address.ts';
import { SanCommandError, type SanShell } from '../../san/shell.ts';
import { SharedRead } from '../../san/shared-read.ts';
import { SolarisCommands } from '../../san/solaris/commands.ts';
import type { Chap, ExportSpec, FoundExport, Target, TargetProblem } from '../target.ts';
import { Exports, type ExportPlan, hostsOf, isComplete, targetGroupOf, volumeLun, volumeOfPath } from './exports.ts';
import { type InitiatorSecrets, type SecretExport, hasUser } from './initiators.ts';
import { type Inventory, devices, readInventory } from './inventory.ts';

export interface SolarisTargetOptions {
  /** `san_ip`: exports are reached there too. */
  ip: string;
  /** `san_zfs_volume_base` */
  base: string;
  targetPrefix: string;
  /** Whether new attachments get a secret (iscsi_chap). */
  chap: boolean;
  secrets: InitiatorSecrets;
}

/** The default portal group of COMSTAR listens there, on every address. */
const iscsiPort = 3260;
const portalGroup = 1;
/** For how long an inventory is used that nothing here has changed since: a start asks for each of many exports. */
const inventoryKeptMs = 2000;

/** Exports ZFS volumes by COMSTAR, where they are. COMSTAR keeps its configuration: exports outlive the daemon and restarts there. */
export class SolarisTarget implements Target {
  readonly name = 'solaris';
  readonly addressing = 'own';
  readonly authentication: 'chap' | 'none';
  private readonly options: SolarisTargetOptions;
  private readonly shell: SanShell;
  private readonly commands: SolarisCommands;
  private readonly exports: Exports;
  private readonly inventory: SharedRead<Inventory>;
  private readonly mutex = new KeyedMutex();

  constructor(shell: SanShell, options: SolarisTargetOptions) {
    this.options = options;
    this.authentication = options.chap ? 'chap' : 'none';
    this.shell = shell;
    const commands = new SolarisCommands(shell);
    this.commands = commands;
    this.exports = new Exports(commands, options.secrets);
    this.inventory = new SharedRead(() => readInventory(commands, options.base), shell.changes);
  }

  get endpoint(): string {
    return portalText({ ip: this.options.ip, port: iscsiPort });
  }

  addressOf(id: string): string {
    return this.address(targetNameOf(this.options.targetPrefix, id));
  }

  /** Throws SanUnreachable and the like, SanCommandFailed where COMSTAR is not enabled. */
  async setup(): Promise<void> {
    await this.inventory.fresh();
  }

  async ensureExport(spec: ExportSpec): Promise<void> {
    const { id, path, address, readOnly, chap } = spec;
    const { targetPrefix, secrets } = this.options;
    const targetName = targetNameOf(targetPrefix, id);
    const kept = { id, path, address, readOnly, hosts: initiatorNames(spec.hosts), ...(chap ? { chap } : {}) };
    if (chap && kept.hosts.length === 0) {
      const reason = 'COMSTAR has CHAP secrets of initiators by name, not of all';
      throw errors.exportFailed(id, reason, 'name the host: volume attach --initiator; or set iscsi_chap = false');
    }
    const secret: SecretExport | undefined = chap && { ...kept, chap };
    const plan: ExportPlan = { id, path, targetName, readOnly, hosts: kept.hosts, ...(secret ? { secret } : {}) };
    await this.mutex.run(id, async () => {
      const isKept = await secrets.isKept(kept);
      if (isKept && isComplete(await this.inventory.inSeries(inventoryKeptMs), plan)) return;
      const before = await this.inventory.fresh();
      if (isKept && isComplete(before, plan)) return;
      await this.inventory
        .changing(() => this.exports.make(before, plan))
        .catch((error: unknown) => {
          throw error instanceof SanCommandError ? errors.exportFailed(id, error.message) : error;
        });
      if (isComplete(await this.inventory.fresh(), plan)) return;
      throw errors.exportFailed(id, 'the storage has made it otherwise', 'see "stmfadm list-lu -v" on the storage');
    });
  }

  /** Every request compares the sizes, of an inventory that can be older than the change. */
  resizeExport(spec: ExportSpec): Promise<void> {
    this.inventory.invalidate();
    return this.ensureExport(spec);
  }

  async removeExport(id: string): Promise<void> {
    await this.mutex.run(id, async () => {
      const found = await this.inventory.fresh();
      if (this.remains(found, id).length > 0) {
        for (const targetName of this.targetNames(found, id)) {
          await this.inventory.changing(() => this.exports.remove(found, { id, path: this.pathOf(id), targetName }));
        }
        const [what] = this.remains(await this.inventory.fresh(), id);
        if (what !== undefined) throw errors.exportRemains(id, what);
      }
      // Last: until then hosts need the secret.
      await this.inventory.changing(() => this.options.secrets.release(this.commands, id));
    });
  }

  async listExports(): Promise<FoundExport[]> {
    const [found, kept] = await Promise.all([this.inventory.recent(inventoryKeptMs), this.options.secrets.list()]);
    return [...found.targets.keys()].map((targetName) => {
      const id = volumeOfTargetName(targetName);
      const address = this.address(targetName);
      const unit = id === undefined ? undefined : found.units.get(this.pathOf(id));
      const hosts = id === undefined || !unit ? undefined : hostsOf(found, unit.path, id, targetName);
      if (id === undefined || !unit || !hosts) return { address, path: '', readOnly: false, hosts: [] };
      const { chap } = (found.chapTargets.has(targetName) && kept.get(id)) || {};
      const isKnown = chap && hosts.every((host) => hasUser(found.initiators.get(host), chap));
      const exported: FoundExport = { id, address, path: unit.path, readOnly: unit.isReadOnly, hosts };
      if (isKnown) exported.chap = chap;
      return exported;
    });
  }

  /** Those with a logical unit, as of an export that is half made or half removed, or with a secret. */
  async listTraces(): Promise<string[]> {
    const [{ units }, kept] = await Promise.all([this.inventory.recent(inventoryKeptMs), this.options.secrets.list()]);
    const paths = [...units.keys(), ...[...kept.values()].map(({ path }) => path)];
    return [...new Set(paths.flatMap((path) => volumeOfPath(path, this.options.base) ?? []))];
  }

  shareChap(id: string, hosts: readonly string[], fresh: Chap): Promise<Chap> {
    return this.options.secrets.share(id, initiatorNames(hosts), fresh);
  }

  problems(): readonly TargetProblem[] {
    return this.shell.failure ? [{ error: this.shell.failure }] : [];
  }

  async close(): Promise<void> {
    await this.shell.close();
  }

  private pathOf(id: string): string {
    return `${devices}${this.options.base}volume-${id}`;
  }

  private address(targetName: string): string {
    const { ip } = this.options;
    return formatIscsiAddress({ ip, port: iscsiPort, portalGroup, targetName, lun: volumeLun });
  }

  /** Also under a prefix of an earlier time. */
  private targetNames({ targets }: Inventory, id: string): string[] {
    const present = [...targets.keys()].filter((name) => volumeOfTargetName(name) === id);
    return present.length > 0 ? present : [targetNameOf(this.options.targetPrefix, id)];
  }

  /** Returns what is left of an export. */
  private remains({ units, targets, targetGroups }: Inventory, id: string): string[] {
    return [
      ...[...targets.keys()].filter((name) => volumeOfTargetName(name) === id).map((name) => `the target ${name}`),
      ...(targetGroups.has(targetGroupOf(id)) ? [`the target group ${targetGroupOf(id)}`] : []),
      ...(units.has(this.pathOf(id)) ? [`the logical unit of ${this.pathOf(id)}`] : []),
    ];
  }
}
