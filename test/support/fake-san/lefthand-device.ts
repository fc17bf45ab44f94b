import type { Answer, Device } from './device.ts';

interface Volume {
  size: number;
  isThin: boolean;
  description: string;
  /** The snapshot that it was made from. */
  origin: string;
  /** Access by server. */
  servers: Map<string, string>;
  /** Users with their secrets, by the names that the storage has given them. */
  logins: Map<string, Login>;
  snapshots: Map<string, { size: number; description: string }>;
}

interface Login {
  access: string;
  user: string;
  secret: string;
}

const units: Readonly<Record<string, number>> = { MB: 2 ** 20, GB: 2 ** 30 };
const blockSize = 1024;

/** A stand-in of a LeftHand management group with one cluster, with the answers of CLIQ. */
export class LefthandDevice implements Device {
  /** The name of the cluster, which can be changed. */
  cluster = 'c1';
  readonly volumes = new Map<string, Volume>();
  readonly servers = new Map<string, string>();
  virtualAddresses = ['192.0.2.6'];
  /** Whether it shows secrets that it has. */
  showsSecrets = true;
  /** At this length descriptions are cut. */
  longestDescription = 1000;
  private readonly totalBytes: number;

  constructor({ totalBytes = 10_000 * 2 ** 30 } = {}) {
    this.totalBytes = totalBytes;
  }

  run(line: string): Answer {
    return this.words(line.split(' '));
  }

  words([verb = '', ...words]: readonly string[]): Answer {
    const values: Record<string, string> = Object.fromEntries(
      words.map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
    );
    const verbs: Readonly<Record<string, (given: Record<string, string>) => Answer>> = {
      getClusterInfo: (given) => this.getClusterInfo(given),
      getVolumeInfo: (given) => this.getVolumeInfo(given),
      createVolume: (given) => this.createVolume(given),
      modifyVolume: (given) => this.modifyVolume(given),
      deleteVolume: (given) => this.deleteVolume(given),
      createSnapshot: (given) => this.createSnapshot(given),
      modifySnapshot: (given) => this.modifySnapshot(given),
      deleteSnapshot: (given) => this.deleteSnapshot(given),
      cloneSnapshot: (given) => this.cloneSnapshot(given),
      createServer: (given) => this.createServer(given),
      getServerInfo: (given) =>
        this.servers.has(given['serverName'] ?? '') ? success() : failure('Server not found.'),
      assignVolumeToServer: (given) => this.assign(given),
      assignVolumeChap: (given) => this.assignLogin(given),
      unassignVolumeToServer: (given) => this.unassign(given),
    };
    return verbs[verb]?.(values) ?? failure(`Unknown command '${verb}'.`);
  }

  /** The volume that a host may use, and how: one assignment is enough. */
  seen(targetName: string, host: string, chap?: { user: string; secret: string }) {
    const [name, volume] = [...this.volumes].find(([one]) => targetName.endsWith(`:${one}`)) ?? [];
    if (name === undefined || !volume) return undefined;
    const { servers, logins, size } = volume;
    const own = [...servers].filter(([server]) => this.servers.get(server) === host).map(([, access]) => access);
    const known = [...logins.values()].filter(({ user, secret }) => user === chap?.user && secret === chap.secret);
    const rights = [...own, ...known.map(({ access }) => access)];
    return rights.length === 0 ? undefined : { name, size, isProtected: !rights.includes('rw') };
  }

  private getClusterInfo({ clusterName }: Record<string, string>): Answer {
    if (clusterName !== this.cluster) return failure(`Cluster '${clusterName}' not found.`);
    const used = [...this.volumes.values()].reduce((sum, { size, isThin }) => sum + (isThin ? 0 : size), 0);
    const attributes = { blockSize, name: this.cluster, spaceTotal: this.totalBytes / blockSize };
    const vips = this.virtualAddresses.map((ipAddress) => element('vip', { ipAddress, subnetMask: '255.255.255.0' }));
    return success(
      element('cluster', { ...attributes, unprovisionedSpace: (this.totalBytes - used) / blockSize }, vips.join('')),
    );
  }

  private getVolumeInfo({ volumeName }: Record<string, string>): Answer {
    const found = [...this.volumes].filter(([name]) => volumeName === undefined || name === volumeName);
    if (volumeName !== undefined && found.length === 0) return failure(`Volume '${volumeName}' not found.`);
    return success(found.map(([name, volume]) => shown(this.cluster, name, volume, this.showsSecrets)).join('\n'));
  }

  private createVolume({
    clusterName,
    volumeName = '',
    size = '',
    thinProvision,
    description = '',
  }: Record<string, string>): Answer {
    if (clusterName !== this.cluster) return failure('Cluster not found.');
    if (this.volumes.has(volumeName)) return failure(`Volume '${volumeName}' already exists.`);
    this.volumes.set(volumeName, this.made(bytesOf(size), thinProvision === '1', description, ''));
    return success();
  }

  private made(size: number, isThin: boolean, description: string, origin: string): Volume {
    const kept = description.slice(0, this.longestDescription);
    return { size, isThin, description: kept, origin, servers: new Map(), logins: new Map(), snapshots: new Map() };
  }

  private modifyVolume({ volumeName = '', size, description }: Record<string, string>): Answer {
    const volume = this.volumes.get(volumeName);
    if (!volume) return failure(`Volume '${volumeName}' not found.`);
    if (size !== undefined) volume.size = bytesOf(size);
    if (description !== undefined) volume.description = description.slice(0, this.longestDescription);
    return success();
  }

  private deleteVolume({ volumeName = '' }: Record<string, string>): Answer {
    const volume = this.volumes.get(volumeName);
    if (!volume) return failure(`Volume '${volumeName}' not found.`);
    if (volume.snapshots.size > 0) return failure('The volume has snapshots.');
    this.volumes.delete(volumeName);
    return success();
  }

  private createSnapshot({ volumeName = '', snapshotName = '', description = '' }: Record<string, string>): Answer {
    const volume = this.volumes.get(volumeName);
    if (!volume) return failure(`Volume '${volumeName}' not found.`);
    if (this.snapshot(snapshotName)) return failure(`Snapshot '${snapshotName}' already exists.`);
    volume.snapshots.set(snapshotName, { size: volume.size, description });
    return success();
  }

  private modifySnapshot({ snapshotName = '', description = '' }: Record<string, string>): Answer {
    const snapshot = this.snapshot(snapshotName)?.snapshots.get(snapshotName);
    if (!snapshot) return failure(`Snapshot '${snapshotName}' not found.`);
    snapshot.description = description;
    return success();
  }

  private deleteSnapshot({ snapshotName = '' }: Record<string, string>): Answer {
    const volume = this.snapshot(snapshotName);
    if (!volume) return failure(`Snapshot '${snapshotName}' not found.`);
    const isUsed = [...this.volumes.values()].some(({ origin }) => origin === snapshotName);
    if (isUsed) return failure('The snapshot is a clone point.');
    volume.snapshots.delete(snapshotName);
    return success();
  }

  private cloneSnapshot({ snapshotName = '', volumeName = '', description = '' }: Record<string, string>): Answer {
    const snapshot = this.snapshot(snapshotName)?.snapshots.get(snapshotName);
    if (!snapshot) return failure(`Snapshot '${snapshotName}' not found.`);
    if (this.volumes.has(volumeName)) return failure(`Volume '${volumeName}' already exists.`);
    this.volumes.set(volumeName, this.made(snapshot.size, true, description, snapshotName));
    return success();
  }

  private createServer({ serverName = '', initiator = '' }: Record<string, string>): Answer {
    if (this.servers.has(serverName)) return failure(`Server '${serverName}' already exists.`);
    this.servers.set(serverName, initiator);
    return success();
  }

  private assign({ volumeName = '', serverName = '', accessRights = 'rw' }: Record<string, string>): Answer {
    const volume = this.volumes.get(volumeName);
    if (!volume || !this.servers.has(serverName)) return failure('Volume or server not found.');
    volume.servers.set(serverName, accessRights);
    return success();
  }

  private assignLogin(given: Record<string, string>): Answer {
    const { volumeName = '', chapName: user = '', targetSecret: secret = '', accessRights: access = 'rw' } = given;
    const volume = this.volumes.get(volumeName);
    if (!volume) return failure(`Volume '${volumeName}' not found.`);
    if (secret.length < 12 || secret.length > 16) return failure('The target secret must have 12 to 16 characters.');
    volume.logins.set(`${volumeName}-chap-${volume.logins.size + 1}`, { access, user, secret });
    return success();
  }

  private unassign({ volumeName = '', serverName = '' }: Record<string, string>): Answer {
    const volume = this.volumes.get(volumeName);
    const isGone = volume?.servers.delete(serverName) === true || volume?.logins.delete(serverName) === true;
    return isGone ? success() : failure('The volume is not assigned.');
  }

  /** The volume that has the snapshot. */
  private snapshot(name: string): Volume | undefined {
    return [...this.volumes.values()].find(({ snapshots }) => snapshots.has(name));
  }
}

function shown(
  clusterName: string,
  name: string,
  { size, isThin, description, servers, logins, snapshots }: Volume,
  showsSecrets: boolean,
): string {
  const inside = [
    element('status', { description: 'OK', value: 2 }),
    ...[...servers].map(([authGroup, access]) => element('permission', { access, authGroup, chapName: '', iqn: '' })),
    ...[...logins].map(([authGroup, { access, user: chapName, secret }]) =>
      element('permission', { access, authGroup, chapName, iqn: '', targetSecret: showsSecrets ? secret : '' }),
    ),
    ...[...snapshots].map(([one, snapshot]) => element('snapshot', { name: one, deleting: 'false', ...snapshot })),
  ];
  const iscsiIqn = `iqn.2003-10.com.lefthandnetworks:group01:25366:${name}`;
  return element('volume', { clusterName, description, iscsiIqn, name, size, thinProvision: isThin }, inside.join(''));
}

function element(name: string, attributes: Readonly<Record<string, string | number | boolean>>, inside = ''): string {
  const text = Object.entries(attributes)
    .map(([one, value]) => ` ${one}="${String(value).replaceAll('&', '&amp;').replaceAll('"', '&quot;')}"`)
    .join('');
  return inside === '' ? `<${name}${text}/>` : `<${name}${text}>${inside}</${name}>`;
}

function response(result: string, description: string, inside: string): Answer {
  const attributes = { description, name: 'Cliq', processingTime: 87, result };
  const stdout = `<gauche version="1.0">\n${element('response', attributes, inside)}\n</gauche>\n`;
  return { stdout, stderr: '', exitCode: result === '0' ? 0 : 1 };
}

const success = (inside = '') => response('0', 'Operation succeeded.', inside);
const failure = (description: string) => response('8000100c', description, '');

function bytesOf(text: string): number {
  const [, digits, unit = ''] = /^(\d+)(MB|GB)$/.exec(text) ?? [];
  return Number(digits) * (units[unit] ?? Number.NaN);
}
