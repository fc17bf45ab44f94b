import { errors } from '../../errors.ts';
import { SanCommandError } from '../../san/shell.ts';
import type { SolarisCommands } from '../../san/solaris/commands.ts';
import { type InitiatorSecrets, type SecretExport, hasUser } from './initiators.ts';
import { devices, type Inventory, type LogicalUnit, type View } from './inventory.ts';

/** An export as it is to be. */
export interface ExportPlan {
  id: string;
  path: string;
  targetName: string;
  readOnly: boolean;
  /** Initiator names in canonical form; empty: all. */
  hosts: readonly string[];
  /** With the user and secret that hosts need, as it is kept. */
  secret?: SecretExport;
}

/** What exists of an export. */
interface Present {
  unit: LogicalUnit | undefined;
  views: readonly View[];
  isGrouped: boolean;
  /** Undefined for no target. */
  isOnline: boolean | undefined;
}

export const volumeLun = 0;
const everyHost = 'All';

export function targetGroupOf(id: string): string {
  return `tg-volume-${id}`;
}

/** A host group for each initiator: COMSTAR allows an initiator in one group only. */
function hostGroupOf(initiator: string): string {
  return `hg-${initiator}`;
}

function presentIn(
  inventory: Inventory,
  { id, path, targetName }: Pick<ExportPlan, 'id' | 'path' | 'targetName'>,
): Present {
  const unit = inventory.units.get(path);
  return {
    unit,
    views: (unit && inventory.views.get(unit.guid)) ?? [],
    isGrouped: inventory.targetGroups.get(targetGroupOf(id))?.includes(targetName) === true,
    isOnline: inventory.targets.get(targetName),
  };
}

/** Whether the export is as planned, in every respect that a host notices. */
export function isComplete(inventory: Inventory, plan: ExportPlan): boolean {
  const { unit, views, isGrouped, isOnline } = presentIn(inventory, plan);
  const size = inventory.volumes.get(plan.path);
  return (
    unit !== undefined &&
    unit.isReadOnly === plan.readOnly &&
    unit.sizeBytes === size &&
    isGrouped &&
    isOnline === true &&
    inventory.chapTargets.has(plan.targetName) === (plan.secret !== undefined) &&
    (plan.secret?.hosts ?? []).every(
      (host) => plan.secret && hasUser(inventory.initiators.get(host), plan.secret.chap),
    ) &&
    views.length === Math.max(1, plan.hosts.length) &&
    groupsFor(plan).every((group) => views.some((view) => isFor(view, plan.id, group))) &&
    plan.hosts.every((host) => inventory.hostGroups.get(hostGroupOf(host))?.join(' ') === host)
  );
}

/** Returns the hosts that a serving export admits; undefined for one that is not there, or half made. */
export function hostsOf(inventory: Inventory, path: string, id: string, targetName: string): string[] | undefined {
  const { views, isGrouped, isOnline } = presentIn(inventory, { id, path, targetName });
  const own = views.filter(({ targetGroup }) => targetGroup === targetGroupOf(id));
  if (!isGrouped || isOnline !== true || own.length === 0) return undefined;
  if (own.some(({ hostGroup }) => hostGroup === everyHost)) return [];
  return own.flatMap(({ hostGroup }) => inventory.hostGroups.get(hostGroup) ?? []).toSorted();
}

/** Makes and removes exports, in an order in which nobody sees more than it may, and what is half made can be recognised. */
export class Exports {
  private readonly commands: SolarisCommands;
  private readonly secrets: InitiatorSecrets;

  constructor(commands: SolarisCommands, secrets: InitiatorSecrets) {
    this.commands = commands;
    this.secrets = secrets;
  }

  /** Throws ExportFailed. */
  async make(inventory: Inventory, plan: ExportPlan): Promise<void> {
    const { id, path, targetName, readOnly, hosts } = plan;
    const size = inventory.volumes.get(path);
    if (size === undefined) throw errors.exportFailed(id, `${path} does not exist on the storage`);
    const present = await this.authenticate(inventory, plan, presentIn(inventory, plan));
    const { unit } = present;
    const groups = groupsFor(plan);
    for (const view of present.views.filter((one) => !groups.some((group) => isFor(one, id, group)))) {
      await this.run(['stmfadm', 'remove-view', '-l', unit?.guid ?? '', view.entry]);
    }
    const guid = unit?.guid ?? (await this.newUnit(plan));
    if (unit && unit.isReadOnly !== readOnly) {
      await this.run(['stmfadm', 'modify-lu', '-p', `wp=${readOnly}`, guid]);
    }
    if (unit && unit.sizeBytes !== size) await this.run(['sbdadm', 'modify-lu', '-s', String(size), guid]);
    await this.group(inventory, plan, present);
    for (const host of hosts) await this.ensureHostGroup(inventory, id, host);
    for (const group of groups.filter((one) => !present.views.some((view) => isFor(view, id, one)))) {
      const hostGroup = group === everyHost ? [] : ['-h', group];
      await this.run(['stmfadm', 'add-view', ...hostGroup, '-t', targetGroupOf(id), '-n', String(volumeLun), guid]);
    }
    // Last: hosts find nothing until it is complete.
    if (present.isOnline === undefined) await this.newTarget(plan);
    else if (!present.isOnline || !present.isGrouped) await this.run(['stmfadm', 'online-target', targetName]);
  }

  /** The logical unit goes last: by its path what is left is known as ours. */
  async remove(inventory: Inventory, of: Pick<ExportPlan, 'id' | 'path' | 'targetName'>): Promise<void> {
    const { unit, views, isOnline } = presentIn(inventory, of);
    if (unit && views.length > 0) await this.run(['stmfadm', 'remove-view', '-l', unit.guid, '-a']);
    if (isOnline === true) await this.run(['stmfadm', 'offline-target', of.targetName]);
    if (isOnline !== undefined) await this.run(['itadm', 'delete-target', of.targetName]);
    if (inventory.targetGroups.has(targetGroupOf(of.id)))
      await this.run(['stmfadm', 'delete-tg', targetGroupOf(of.id)]);
    if (unit) await this.run(['sbdadm', 'delete-lu', unit.guid]);
  }

  /**
   * A target asks for the secret of the initiator, or leaves that to the default of the storage. Who is logged in by other rules is not
   * any more then: the target is offline.
   */
  private async authenticate(inventory: Inventory, { id, targetName, secret }: ExportPlan, present: Present) {
    let { isOnline } = present;
    const end = async () => {
      if (isOnline !== true) return;
      await this.run(['stmfadm', 'offline-target', targetName]);
      isOnline = false;
    };
    if (secret) await this.secrets.ensure(this.commands, secret, end);
    if (isOnline !== undefined && inventory.chapTargets.has(targetName) !== (secret !== undefined)) {
      await end();
      await this.commands.run(['itadm', 'modify-target', '-a', secret ? 'chap' : 'default', targetName], {
        expected: /^(Target \S+ successfully modified\n)?$/,
      });
    }
    if (!secret) await this.secrets.release(this.commands, id);
    return { ...present, isOnline };
  }

  /** sbdadm cannot set the serial number, by which hosts recognise the volume. */
  private async newUnit({ id, path, readOnly }: ExportPlan): Promise<string> {
    const properties = [`serial=${id}`, `wp=${readOnly}`].flatMap((property) => ['-p', property]);
    const expected = /^Logical unit created: ([0-9A-F]{32})\n$/i;
    const answer = await this.commands.run(['stmfadm', 'create-lu', ...properties, path], { expected });
    return expected.exec(answer)?.[1] ?? '';
  }

  /** COMSTAR takes no online target into a group. */
  private async group(
    inventory: Inventory,
    { id, targetName }: ExportPlan,
    { isGrouped, isOnline }: Present,
  ): Promise<void> {
    const name = targetGroupOf(id);
    if (isGrouped) return;
    if (!inventory.targetGroups.has(name)) await this.run(['stmfadm', 'create-tg', name]);
    if (isOnline === true) await this.run(['stmfadm', 'offline-target', targetName]);
    await this.run(['stmfadm', 'add-tg-member', '-g', name, targetName]);
  }

  /** Groups stay: they admit nobody to anything without a view. Throws ExportFailed. */
  private async ensureHostGroup({ hostGroups }: Inventory, id: string, host: string): Promise<void> {
    const name = hostGroupOf(host);
    const others = [...hostGroups].filter(([group, members]) => group !== name && members.includes(host));
    const [other] = others.map(([group]) => group);
    if (other !== undefined) {
      throw errors.exportFailed(
        id,
        `the initiator ${host} is in the host group ${other} of the storage, and can be in one only`,
        `remove it there: stmfadm remove-hg-member -g ${other} ${host}`,
      );
    }
    const members = hostGroups.get(name);
    const strangers = members?.filter((member) => member !== host) ?? [];
    if (strangers.length > 0) {
      throw errors.exportFailed(
        id,
        `the host group ${name} of the storage has other members: ${strangers.join(', ')}`,
        `remove them: stmfadm remove-hg-member -g ${name} ${strangers.join(' ')}`,
      );
    }
    // Of two volumes for one host the other may have made it meanwhile.
    if (members === undefined) await this.unlessExists(['stmfadm', 'create-hg', name]);
    if (!members?.includes(host)) await this.unlessExists(['stmfadm', 'add-hg-member', '-g', name, host]);
  }

  private async newTarget({ targetName, secret }: ExportPlan): Promise<void> {
    const authentication = secret ? ['-a', 'chap'] : [];
    await this.commands.run(['itadm', 'create-target', ...authentication, '-n', targetName], {
      expected: /^(Target \S+ successfully created\n)?$/,
    });
  }

  private async unlessExists(words: readonly string[]): Promise<void> {
    try {
      await this.run(words);
    } catch (error) {
      if (!(error instanceof SanCommandError) || !/already exists/i.test(error.words)) throw error;
    }
  }

  private async run(words: readonly string[]): Promise<void> {
    await this.commands.run(words);
  }
}

function groupsFor({ hosts }: ExportPlan): string[] {
  return hosts.length === 0 ? [everyHost] : hosts.map(hostGroupOf);
}

function isFor({ hostGroup, targetGroup, lun }: View, id: string, group: string): boolean {
  return hostGroup === group && targetGroup === targetGroupOf(id) && lun === volumeLun;
}

/** Returns the volume of a path of ours. */
export function volumeOfPath(path: string, base: string): string | undefined {
  const prefix = `${devices}${base}volume-`;
  return path.startsWith(prefix) ? path.slice(prefix.length) : undefined;
}
