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

/** Daemons that receive migrations, by their endpoints. */
export type Network = Map<string, Listener>;

interface Listener {
  machine: FakeMachine;
  owner: VirtualProcess | undefined;
  find: (migration: string) => Receiver | undefined;
}

/** Data of migrations go from machine to machine at one moment, unless something goes wrong. */
export class FakeTransport implements MigrationTransport {
  private readonly machine: FakeMachine;
  private readonly network: Network;
  private endpoint: string | undefined;

  constructor(machine: FakeMachine, network: Network) {
    this.machine = machine;
    this.network = network;
  }

  /** What hosts write until they are stopped arrives then. */
  async send(to: Destination, storage: MigratedStorage, options: SendOptions): Promise<void> {
    await this.pass(to, storage, options);
    if (!options.writers) return;
    await options.writers.stop();
    await this.pass(to, storage, options);
  }

  private pass(to: Destination, { volume, path }: MigratedStorage, { progress }: SendOptions): Promise<void> {
    const owner = VirtualProcess.current;
    const begin = () => owner?.run(() => progress(50));
    const deliver = () => {
      const listener = this.network.get(to.endpoint);
      const receiver = listener?.find(to.migration);
      if (!listener || listener.owner?.dead !== false || listener.owner.isPaused || receiver?.key !== to.key)
        throw errors.migrationFailed(volume, to.endpoint, 'nobody receives it');
      this.machine.world.onReceive(this.machine, listener.machine, { volume, path });
    };
    return this.machine.effect('send', [begin, deliver], () => {});
  }

  async listen(find: (migration: string) => Receiver | undefined): Promise<string> {
    this.endpoint ??= `${this.machine.name}:${this.network.size + 1}`;
    this.network.set(this.endpoint, { machine: this.machine, owner: VirtualProcess.current, find });
    return this.endpoint;
  }

  async disconnect(): Promise<void> {}

  async close(): Promise<void> {
    this.network.delete(this.endpoint ?? '');
    this.endpoint = undefined;
  }
}
