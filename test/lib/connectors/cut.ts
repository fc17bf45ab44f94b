import type { ExecutionContext } from 'ava';
import type { ConnectOptions, Connector } from '../../../lib/connectors/connector.ts';

/** Ends the program that runs a fake host's commands, as SIGKILL does. */
export class Cut {
  private commandsLeft = Infinity;

  /** When so many more commands have run. */
  after(commands: number): void {
    this.commandsLeft = commands;
  }

  /** Another program begins. Returns whether the one before was killed. */
  restart(): boolean {
    const wasKilled = this.commandsLeft < 0;
    this.commandsLeft = Infinity;
    return wasKilled;
  }

  async run<T>(command: () => Promise<T>): Promise<T> {
    this.commandsLeft -= 1;
    if (this.commandsLeft < 0) throw new Error('killed');
    return command();
  }
}

interface CutPlace {
  cut: Cut;
  connector: Connector;
  address: string;
  options: ConnectOptions;
  /** Devices, sessions and records of the volume on the host. */
  count: () => Promise<number>;
}

/**
 * Kills connections and disconnections after none, one and all others of their commands. The next connection has one device all the
 * same, and the next disconnection leaves nothing.
 */
export async function survivesKills(t: ExecutionContext, place: CutPlace): Promise<void> {
  const { cut, connector, address, options, count } = place;
  const connect = () => connector.connect(address, options);
  const disconnect = () => connector.disconnect(address);
  const killed = async (work: () => Promise<unknown>, commands: number) => {
    cut.after(commands);
    await work().catch(() => {});
    return cut.restart();
  };
  const isClean = async (point: string) => {
    t.is(await count(), 0, point);
    t.false(await connector.isOnHost(address), point);
  };
  await connect();
  const whole = await count();
  await disconnect();
  await isClean('without a kill');

  let points = 0;
  for (; await killed(connect, points); points += 1) {
    const point = `connection killed after command ${points}`;
    await disconnect();
    await isClean(point);
    await killed(connect, points);
    await connect();
    t.is(await count(), whole, point);
    await disconnect();
    await isClean(point);
  }
  t.true(points > 1, `${points} commands`);
  for (points = 0; await killed(disconnect, points); points += 1) {
    const point = `disconnection killed after command ${points}`;
    await disconnect();
    await isClean(point);
    await connect();
    await killed(disconnect, points);
    await connect();
    t.is(await count(), whole, point);
  }
  t.true(points > 0, `${points} commands`);
  await isClean('at the end');
}
