import { execa } from 'execa';
import { CephCluster, withoutCeph } from '../support/ceph.ts';
import { becomeInitiator } from './initiator.ts';
import { LabNetwork } from './network.ts';
import type { LabNode } from './node.ts';
import { missingForIscsi } from './requirements.ts';
import { StorageCluster, group } from './storage-cluster.ts';

export const backendNames = ['thick', 'thin', 'ceph'] as const;
export type BackendName = (typeof backendNames)[number];

export const thinGroup = 'thin-volumes';
/** Of the disk below the thick volumes. LVM is to find it on the map alone, not on the disk of the machine: it begins further on. */
const offset = 2048;
const diskSectors = 4 * 2 ** 21 - offset;
const wholeDisk = `0 ${diskSectors} linear /dev/ubda ${offset}`;

export async function missingForBackends(): Promise<string | undefined> {
  return withoutCeph ?? (await missingForIscsi('iscsi-lio'));
}

/**
 * A storage node with three backends: thick LVM over AoE, thin LVM over the kernel's iSCSI target, and a real Ceph on the host's side of the
 * bridge; and a host that can attach volumes of each.
 */
export class ThreeBackends {
  readonly machines: StorageCluster;
  readonly ceph: CephCluster;
  private readonly flags: Readonly<Record<string, string>>;

  /** `secretUuid`: of the libvirt secret with the key of Ceph's user. */
  static async create({ memory = '512M', secretUuid = '' } = {}): Promise<ThreeBackends> {
    const machines = await StorageCluster.create({ nodes: 2, storageNodes: 0, diskGiB: 4, memory });
    let ceph: CephCluster | undefined;
    try {
      const address = LabNetwork.hostAddress;
      ceph = await CephCluster.create({ address, namespace: machines.lab.network.namespace });
      const [storage, host] = [machines.node(1), machines.node(2)];
      await ceph.createPool('volumes');
      const conf = await ceph.createUser('hosts', ['mon', 'profile rbd', 'osd', 'profile rbd pool=volumes']);
      const keyring = await ceph.run('ceph', ['auth', 'get', 'client.hosts']);
      await host.sh(`mkdir -p /etc/ceph; cat >/etc/ceph/ceph.client.hosts.keyring <<'END'\n${keyring}\nEND`);
      await becomeInitiator(host, 'iqn.2010-10.org.openstack:host2');
      await storage.sh(`DM_DISABLE_UDEV=1 dmsetup create disk1 --table "${wholeDisk}"`);
      const flags = {
        report_interval: '2',
        iscsi_ip_address: storage.ip,
        enabled_backends: backendNames.join(', '),
        'thick.storage_dev': '/dev/mapper/disk1',
        'thin.storage_dev': await storage.addDisk(),
        'thin.volume_group': thinGroup,
        'thin.lvm_type': 'thin',
        'thin.volume_target': 'iscsi-lio',
        'ceph.volume_driver': 'rbd',
        'ceph.volume_target': 'rbd',
        'ceph.rbd_pool': 'volumes',
        'ceph.rbd_user': 'hosts',
        'ceph.rbd_ceph_conf': conf,
        'ceph.rbd_capacity_gib': '10',
        'ceph.rbd_secret_uuid': secretUuid,
      };
      const made = new ThreeBackends(machines, ceph, flags);
      await made.startDaemon();
      return made;
    } catch (error) {
      await machines.close();
      await ceph?.remove();
      throw error;
    }
  }

  private constructor(machines: StorageCluster, ceph: CephCluster, flags: Readonly<Record<string, string>>) {
    this.machines = machines;
    this.ceph = ceph;
    this.flags = flags;
  }

  async close(): Promise<void> {
    await this.machines.close();
    await this.ceph.remove();
  }

  get storage(): LabNode {
    return this.machines.node(1);
  }

  get host(): LabNode {
    return this.machines.node(2);
  }

  /** `blockstore volume …` on the host. */
  onHost(command: string) {
    return this.machines.on(2).volume(command);
  }

  async startDaemon(): Promise<void> {
    await this.machines.startDaemon(1, this.flags);
  }

  /** Every I/O of the disk below the thick volumes fails, or no longer. */
  async failThickDisk(fails: boolean): Promise<void> {
    const table = fails ? `0 ${diskSectors} error` : wholeDisk;
    await this.storage.sh(`dmsetup load disk1 --table "${table}"; DM_DISABLE_UDEV=1 dmsetup resume disk1`);
  }

  /** Where storage of a volume is: a line for each, with its volume group or "ceph". */
  async places(id: string): Promise<string[]> {
    const volumes = await this.storage.sh('lvs --noheadings -o vg_name,lv_name,pool_lv');
    const images = (await this.ceph.run('rbd', ['--pool', 'volumes', 'ls']))
      .split('\n')
      .map((image) => `ceph ${image}`);
    const lines = [...volumes.split('\n'), ...images].map((line) => line.trim().replaceAll(/\s+/g, ' '));
    return lines.filter((line) => line.includes(id));
  }

  /** Checksum of the first MiB as the storage has it, past the host and the export. */
  async stored(name: BackendName, id: string): Promise<string> {
    if (name !== 'ceph') {
      const device = `/dev/${name === 'thin' ? thinGroup : group}/volume-${id}`;
      return this.storage.sh(`dd if=${device} bs=1M count=1 iflag=direct status=none | sha256sum`);
    }
    const script = `rbd --conf ${this.ceph.conf} export --no-progress volumes/volume-${id} - | head -c 1M | sha256sum`;
    return (await execa(...this.machines.lab.network.inside('sh', ['-c', script]))).stdout;
  }
}
