import { errors } from '../../lib/errors.ts';
import type {
  Destination,
  MigratedStorage,
  MigrationTransport,
  Receiver,
  SendOptions,
} from '../../lib/migration/transport.ts';
import type { FakeMachine } from './machine.ts';
import { VirtualProcess } from './virtual-process.ts';

type Machines = readonly [FakeMachine, ...FakeMachine[]];

/** Daemons that receive migrations, by their endpoints. */
export type Network = Map<string, Listener>;

interface Listener {
  machines: Machines;
  owner: VirtualProcess | undefined;
  find: (migration: string) => Receiver | undefined;
}

/** Data of migrations go from machine to machine at one moment, unless something goes wrong. */
export class FakeTransport implements MigrationTransport {
  private readonly machines: Machines;
  private readonly network: Network;
  private endpoint: string | undefined;

  constructor(machines: Machines, network: Network) {
    this.machines = machines;
    this.network = network;
  }

  /** What hosts write until they are stopped arrives then. */
  async send(to: Destination, storage: MigratedStorage, options: SendOptions): Promise<void> {
    await this.pass(to, storage, options);
    if (!options.writers) return;
    await options.writers.stop();
    await this.pass(to, storage, options);
  }

  private async pass(
    to: Destination,
    { volume, path }: MigratedStorage,
    { progress, signal }: SendOptions,
  ): Promise<void> {
    const owner = VirtualProcess.current;
    const opened = await this.receiverOf(to)?.receiver.open(signal);
    const begin = () => owner?.run(() => progress(50));
    const deliver = () => {
      const found = this.receiverOf(to);
      if (!found || !opened) throw errors.migrationFailed(volume, to.endpoint, 'nobody receives it');
      const from = on(this.machines, path);
      from.world.onReceive(from, on(found.machines, opened.path), { volume, path });
    };
    try {
      await this.machines[0].effect('send', [begin, deliver], () => {});
    } finally {
      await opened?.close();
    }
  }

  private receiverOf({ endpoint, migration, key }: Destination) {
    const { machines, owner, find } = this.network.get(endpoint) ?? {};
    const receiver = find?.(migration);
    if (!machines || owner?.dead !== false || owner.isPaused || receiver?.key !== key) return undefined;
    return { machines, receiver };
  }

  async listen(find: (migration: string) => Receiver | undefined): Promise<string> {
    this.endpoint ??= `${this.machines[0].name}:${this.network.size + 1}`;
    this.network.set(this.endpoint, { machines: this.machines, owner: VirtualProcess.current, find });
    return this.endpoint;
  }

  async disconnect(): Promise<void> {}

  async close(): Promise<void> {
    this.network.delete(this.endpoint ?? '');
    this.endpoint = undefined;
  }
}

/** Returns the one on whose storage the path is. */
function on(machines: Machines, path: string): FakeMachine {
  return machines.find(({ backend }) => path.startsWith(`${backend}:`)) ?? machines[0];
}
