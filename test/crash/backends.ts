import { missingForLab } from '../lab/requirements.ts';
import { cannotExport } from '../lib/targets/aoe/place.ts';
import { CephCluster, withoutCeph } from '../support/ceph.ts';
import { FakeSheepdog } from '../support/fake-sheepdog.ts';
import { useStandIns } from '../lib/targets/iscsi-tgt/stand-in.ts';
import { freePort } from '../support/free-port.ts';
import { HostPlace } from './host-place.ts';
import { MachineKernelTargets } from './machine-exports.ts';
import { MachinePlace } from './machine-place.ts';
import { copyScenes } from './copy-scenes.ts';
import type { Place } from './place.ts';
import { type Scene, scenes } from './scenes.ts';
import { lefthandPlace, solarisPlace } from './san-places.ts';

/** A driver and a target for crash tests. */
export interface CrashBackend {
  /** Returns why it cannot run here; undefined if it can. */
  missing: () => Promise<string | undefined>;
  place(): Promise<Place>;
  /** Where daemons run. On a lab machine each run takes about ten times as long, so it counts as slow. */
  on: 'host' | 'machine';
  /** Whether its commands take so long that `npm run test:all` has one run for each state in place of each point, as for pairs. */
  isSlow?: boolean;
  /** Its scenes are those of copies: it has two backends, and stores of images and backups. */
  isPair?: boolean;
  /** Exports of such a pair can move with their volumes. */
  movesExports?: true;
  /** Names of the scenes in which its own driver or target acts, where another backend has the rest of it in all scenes. */
  only?: ReadonlySet<string>;
  /** Whether its driver takes snapshots of several volumes at one moment. */
  takesGroups?: boolean;
}

/** Scenes in which a target acts. */
const ofExports: ReadonlySet<string> = new Set([
  'delete',
  'attach',
  'detach',
  'release',
  'extend',
  'start',
  'dismiss-fault',
  'upkeep',
]);
/** Scenes in which the kind of an LVM volume matters. */
const ofVolumes: ReadonlySet<string> = new Set([
  'create',
  'delete',
  'extend',
  'snapshot',
  'delete-snapshot',
  'group-snapshot',
  'delete-group-snapshot',
  'cascade',
  'relabel',
  'first-start',
  'upkeep',
]);

/** Scenes in which an export moves with its volume. */
const ofMovedExports: ReadonlySet<string> = new Set(['migrate-attached']);
/** Scenes in which a migration is cancelled while it sends: that takes long enough where it is slow. */
const ofCancelled: ReadonlySet<string> = new Set(['cancel-migrate', 'cancel-migrate-attached']);

const ofGroups: ReadonlySet<string> = new Set(['group-snapshot', 'delete-group-snapshot']);

/** Returns the scenes of a backend, by their names. */
export function scenesOn({
  isPair = false,
  movesExports,
  only,
  takesGroups,
}: CrashBackend): Readonly<Record<string, Scene>> {
  const without = (all: Readonly<Record<string, Scene>>, names: ReadonlySet<string>) =>
    Object.fromEntries(Object.entries(all).filter(([name]) => !names.has(name)));
  if (only) return Object.fromEntries(Object.entries(isPair ? copyScenes : scenes).filter(([name]) => only.has(name)));
  if (isPair) return without(copyScenes, new Set([...ofCancelled, ...(movesExports ? [] : ofMovedExports)]));
  return takesGroups ? scenes : without(scenes, ofGroups);
}

/** Add a new driver or target here. */
export const backends: Readonly<Record<string, CrashBackend>> = {
  file: {
    on: 'host',
    takesGroups: true,
    missing: async () => undefined,
    place: () => HostPlace.create({ volume_driver: 'file', volume_target: 'none' }),
  },
  'file-pair': {
    on: 'host',
    isPair: true,
    missing: async () => undefined,
    place: () => HostPlace.create({ volume_driver: 'file', volume_target: 'none' }, { isPair: true }),
  },
  'file-aoe-pair': {
    on: 'host',
    isPair: true,
    only: ofMovedExports,
    missing: async () => cannotExport,
    place: () => {
      const flags = { volume_driver: 'file', volume_target: 'aoe', aoe_eth_dev: 'lo' };
      return HostPlace.create(flags, { isPair: true });
    },
  },
  'file-aoe-slow-pair': {
    on: 'host',
    isPair: true,
    only: ofCancelled,
    missing: async () => cannotExport,
    place: () => {
      const flags = { volume_driver: 'file', volume_target: 'aoe', aoe_eth_dev: 'lo', migration_rate: '1' };
      return HostPlace.create(flags, { isPair: true });
    },
  },
  'file-aoe': {
    on: 'host',
    only: ofExports,
    missing: async () => cannotExport,
    place: () => HostPlace.create({ volume_driver: 'file', volume_target: 'aoe', aoe_eth_dev: 'lo' }),
  },
  'file-iscsi': {
    on: 'host',
    only: ofExports,
    missing: async () => undefined,
    place: async () => {
      useStandIns();
      const iscsi_port = String(await freePort());
      return HostPlace.create({
        volume_driver: 'file',
        volume_target: 'iscsi-tgt',
        iscsi_ip_address: '127.0.0.1',
        iscsi_port,
      });
    },
  },
  sheepdog: {
    on: 'host',
    missing: async () => undefined,
    place: async () => {
      const cluster = await FakeSheepdog.start(2 ** 40);
      const sheepdog_port = String(cluster.port);
      return HostPlace.create(
        { volume_driver: 'sheepdog', volume_target: 'sheepdog', sheepdog_port, sheepdog_copies: '1' },
        { elsewhere: { clear: async () => cluster.clear(), close: async () => {} } },
      );
    },
  },
  rbd: {
    on: 'host',
    isSlow: true,
    missing: async () => withoutCeph,
    place: async () => {
      const cluster = await CephCluster.create();
      const [rbd_pool, rbd_ceph_conf] = ['volumes', cluster.conf];
      await cluster.createPool(rbd_pool);
      return HostPlace.create(
        { volume_driver: 'rbd', volume_target: 'rbd', rbd_pool, rbd_ceph_conf, rbd_capacity_gib: '100' },
        { elsewhere: { clear: () => cluster.emptyPool(rbd_pool), close: () => cluster.remove() } },
      );
    },
  },
  solaris: {
    on: 'host',
    missing: async () => undefined,
    place: solarisPlace,
  },
  lefthand: {
    on: 'host',
    missing: async () => undefined,
    place: lefthandPlace,
  },
  lvm: {
    on: 'machine',
    takesGroups: true,
    missing: missingForLab,
    place: () => MachinePlace.create(),
  },
  'lvm-pair': {
    on: 'machine',
    isPair: true,
    movesExports: true,
    missing: missingForLab,
    place: () => MachinePlace.create({ isPair: true }),
  },
  'lvm-thin': {
    on: 'machine',
    only: ofVolumes,
    missing: missingForLab,
    place: () => MachinePlace.create({ flags: { lvm_type: 'thin' } }),
  },
  'lvm-lio': {
    on: 'machine',
    only: ofExports,
    missing: missingForLab,
    place: () => MachinePlace.create({ exports: new MachineKernelTargets() }),
  },
  'lvm-systemd': {
    on: 'machine',
    only: ofExports,
    missing: missingForLab,
    place: () => MachinePlace.create({ systemd: true }),
  },
};
