import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { LefthandDriver } from '../../lib/drivers/lefthand/driver.ts';
import { SolarisDriver } from '../../lib/drivers/solaris/driver.ts';
import { LefthandTarget } from '../../lib/targets/lefthand/target.ts';
import { InitiatorSecrets } from '../../lib/targets/solaris/initiators.ts';
import { SolarisTarget } from '../../lib/targets/solaris/target.ts';
import type { Target } from '../../lib/targets/target.ts';
import type { Device } from '../support/fake-san/device.ts';
import { DirectShell } from '../support/fake-san/direct-shell.ts';
import { LefthandDevice } from '../support/fake-san/lefthand-device.ts';
import { SolarisDevice } from '../support/fake-san/solaris-device.ts';
import { SshStandIn } from '../support/fake-san/ssh-stand-in.ts';
import type { HostExport, HostExports } from './host-exports.ts';
import { HostPlace, type StorageView } from './host-place.ts';

/** Daemons of this machine with stand-ins of storage over SSH, which live in this process: they outlive every daemon. */

const node = 'crash';
/** A daemon uses a list for two seconds: later it sees what was changed behind its back. */
const listKeptMs = 2100;

export async function solarisPlace(): Promise<HostPlace> {
  const device = new SolarisDevice('tank');
  const { zfs, comstar } = device;
  // The secrets of the daemon are files of its own, which are looked at as such.
  const secrets = new InitiatorSecrets('/nonexistent/solaris');
  const [base, targetPrefix] = ['tank/', 'iqn.2010-10.org.openstack:'];
  const options = { ip: '127.0.0.1', base, targetPrefix, chap: true, secrets };
  const exports = new SanExports({
    target: () => new SolarisTarget(new DirectShell(device), options),
    // One that is made again is another one.
    number: (id) => {
      const [guid = '0'] = [...comstar.units].find(([, { path }]) => path.endsWith(id)) ?? [];
      return Number.parseInt(guid.slice(-10), 16);
    },
    end: (id) => void comstar.targets.set(`${options.targetPrefix}volume-${id}`, false),
  });
  const view = {
    volumes: () => new SolarisDriver(new DirectShell(device), { base: 'tank/', thin: true, node }).listVolumes(),
    exports,
    lines: () => [
      ...[...zfs.datasets.keys()].filter((name) => name !== 'tank').map((name) => `dataset ${name}`),
      ...[...comstar.units.values()].map(({ path, views }) => `unit ${path} with ${views.length} views`),
      ...[...comstar.targets].map(
        ([name, isOnline]) => `target ${name} ${isOnline ? 'online' : 'offline'} ${comstar.authentication.get(name)}`,
      ),
      // There is one host: its secret goes with its last export.
      ...(comstar.targets.size === 0 ? [...comstar.initiators.keys()].map((name) => `secret of ${name}`) : []),
      // Groups of hosts stay.
      ...[...comstar.targetGroups].map(([name, members]) => `target group ${name} of ${[...members].join(' ')}`),
    ],
  };
  const flags = { volume_driver: 'solaris', volume_target: 'solaris', san_zfs_volume_base: 'tank/' };
  return placeOf(device, flags, view, () => {
    comstar.clear();
    zfs.busy.clear();
    for (const name of zfs.datasets.keys()) if (name !== 'tank') zfs.datasets.delete(name);
    zfs.datasets.get('tank')?.properties.clear();
  });
}

export async function lefthandPlace(): Promise<HostPlace> {
  const device = new LefthandDevice();
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-crash-lefthand-'));
  const options = { cluster: 'c1', node, chap: true, directory };
  const exports = new SanExports({
    target: () => new LefthandTarget(new DirectShell(device), options),
    number: () => 1,
    end: (id) => device.volumes.get(`volume-${id}`)?.logins.clear(),
  });
  const view = {
    volumes: () => new LefthandDriver(new DirectShell(device), { cluster: 'c1', thin: true, node }).listVolumes(),
    exports,
    lines: () =>
      [...device.volumes].map(
        ([name, { logins, servers, snapshots }]) =>
          `volume ${name} with ${logins.size} logins, ${servers.size} servers, ${snapshots.size} snapshots`,
      ),
  };
  const flags = { volume_driver: 'lefthand', volume_target: 'lefthand', san_clustername: 'c1' };
  return placeOf(
    device,
    flags,
    view,
    () => {
      device.volumes.clear();
      device.servers.clear();
    },
    () => rm(directory, { recursive: true }),
  );
}

async function placeOf(
  device: Device,
  flags: Readonly<Record<string, string>>,
  view: StorageView,
  clear: () => void,
  close: () => Promise<void> = async () => {},
): Promise<HostPlace> {
  const server = await SshStandIn.start(device);
  const san = {
    san_ip: '127.0.0.1',
    san_ssh_port: String(server.port),
    san_password: 'secret',
    san_accept_new_host_key: 'true',
  };
  return HostPlace.create(
    { ...flags, ...san },
    {
      elsewhere: {
        view,
        clear: async () => clear(),
        close: async () => {
          await server.stop();
          await close();
        },
      },
    },
  );
}

interface SanExport {
  /** One that has read nothing yet. */
  target: () => Target;
  /** Stands for the process that serves the export. */
  number: (id: string) => number;
  end: (id: string) => void;
}

class SanExports implements HostExports {
  private readonly of: SanExport;

  constructor(of: SanExport) {
    this.of = of;
  }

  async list(): Promise<HostExport[]> {
    return (await this.of.target().listExports()).flatMap(({ id, chap, ...rest }) => {
      const line = `${JSON.stringify(rest)} ${chap === undefined ? 'open' : 'with a secret'}`;
      return id === undefined ? [] : [{ id, pid: this.of.number(id), line, found: { ...rest, id } }];
    });
  }

  async break(id: string): Promise<void> {
    this.of.end(id);
    await pause(listKeptMs);
  }

  async pids(): Promise<number[]> {
    return [];
  }
}
