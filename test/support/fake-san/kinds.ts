import { LefthandDriver } from '../../../lib/drivers/lefthand/driver.ts';
import { SolarisDriver } from '../../../lib/drivers/solaris/driver.ts';
import type { VolumeDriver } from '../../../lib/drivers/driver.ts';
import type { Kind } from '../../lib/drivers/conformance.ts';
import { type CrashPoint, CrashingShell } from '../../lib/drivers/crash-point.ts';
import { DirectShell } from './direct-shell.ts';
import type { LefthandDevice } from './lefthand-device.ts';
import type { SolarisDevice } from './solaris-device.ts';

type Options<Driver extends new (shell: never, options: never) => unknown> = ConstructorParameters<Driver>[1];

/** What the conformance cases can do with a driver on a stand-in of Solaris. */
export function solarisKind(driver: VolumeDriver, device: SolarisDevice, options: Options<typeof SolarisDriver>): Kind {
  const { datasets, busy } = device.zfs;
  const dataset = driver.pool;
  return {
    driver,
    again: (crash) => new SolarisDriver(shellOf(device, crash), options),
    names: async () => [...datasets.keys()].toSorted(),
    hold: async (volume) => {
      const name = `${options.base}volume-${volume.id}`;
      busy.add(name);
      return async () => void busy.delete(name);
    },
    breakSetup: async () => {
      const found = datasets.get(dataset);
      datasets.delete(dataset);
      const repair = async () => void (found && datasets.set(dataset, found));
      return { code: 'StorageUnusable', name: dataset, repair };
    },
    takenBytes: async () => [...datasets.values()].reduce((sum, { reserved }) => sum + reserved, 0),
  };
}

/** The same with one on a stand-in of LeftHand. */
export function lefthandKind(
  driver: VolumeDriver,
  device: LefthandDevice,
  options: Options<typeof LefthandDriver>,
): Kind {
  return {
    driver,
    again: (crash) => new LefthandDriver(shellOf(device, crash), options),
    names: async () => {
      const snapshots = [...device.volumes.values()].flatMap((volume) => Array.from(volume.snapshots.keys()));
      return Array.from(device.volumes.keys()).concat(snapshots).toSorted();
    },
    hold: async (volume) => {
      const [volumeName, server] = [`volumeName=volume-${volume.id}`, 'serverName=holder'];
      device.words(['createServer', server, 'initiator=iqn.1993-08.org.debian:01:holder']);
      device.words(['assignVolumeToServer', volumeName, server]);
      return async () => void device.words(['unassignVolumeToServer', volumeName, server]);
    },
    breakSetup: async () => {
      const { cluster } = device;
      device.cluster = `${cluster}-renamed`;
      const repair = async () => {
        device.cluster = cluster;
      };
      return { code: 'StorageUnusable', name: cluster, repair };
    },
    takenBytes: async () =>
      [...device.volumes.values()].reduce((sum, { size, isThin }) => sum + (isThin ? 0 : size), 0),
  };
}

function shellOf(device: SolarisDevice | LefthandDevice, crash: CrashPoint | undefined) {
  const shell = new DirectShell(device);
  return crash ? new CrashingShell(shell, crash) : shell;
}
