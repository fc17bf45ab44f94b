import type { ExecutionContext } from 'ava';
import { until } from '../support/until.ts';
import type { StorageCluster } from './storage-cluster.ts';

const kills = 6;
const patienceMs = 300_000;

interface KilledPlace {
  cluster: StorageCluster;
  /** The machine that attaches and detaches. */
  host: number;
  volume: string;
  /** What the host has of any volume: '' where nothing. */
  remains: () => Promise<string>;
}

/**
 * Kills `volume attach --host-device`, then `volume detach`, at moments from its begin to its end. Each time the same command, repeated,
 * does what was asked for, or the opposite one ends it, and nothing is left on the host.
 */
export async function survivesKilledCommands(t: ExecutionContext, place: KilledPlace): Promise<void> {
  const { cluster, host, volume, remains } = place;
  const line = cluster.on(host);
  const attach = `volume attach ${volume} --host-device`;
  const detach = `volume detach ${volume}`;
  const { id } = await line.volume(`show ${volume}`);

  /** While the node still does what the killed command asked for, others are refused. */
  const repeated = (command: string, codes: readonly string[]) =>
    until(
      async () => {
        const end = await line.run(command);
        return end.exitCode === 0 || end.codes.some((code) => codes.includes(code));
      },
      `${command}, repeated`,
      patienceMs,
    );
  const isAttached = async (point: string) => {
    await repeated(attach, []);
    t.like(await cluster.record(id), { status: 'in-use', attachStatus: 'attached' }, point);
    t.not(await remains(), '', point);
  };
  const isDetached = async (point: string) => {
    await repeated(detach, ['VolumeNotAttached']);
    t.like(await cluster.record(id), { status: 'available', attachStatus: 'detached' }, point);
    t.is(await remains(), '', point);
  };
  const secondsOf = async (command: string) => {
    const start = performance.now();
    await line.output(command);
    return (performance.now() - start) / 1000;
  };

  const [attachSeconds, detachSeconds] = [await secondsOf(attach), await secondsOf(detach)];
  let killed = 0;
  for (let moment = 1; moment <= kills; moment += 1) {
    const point = `attach killed, moment ${moment} of ${kills}`;
    if (await line.killedAfter((attachSeconds * moment) / kills, attach)) killed += 1;
    if (moment % 2 === 0) await isAttached(point);
    await isDetached(point);
  }
  for (let moment = 1; moment <= kills; moment += 1) {
    const point = `detach killed, moment ${moment} of ${kills}`;
    await isAttached(point);
    if (await line.killedAfter((detachSeconds * moment) / kills, detach)) killed += 1;
    if (moment % 2 === 0) await isAttached(point);
    await isDetached(point);
  }
  t.true(killed >= kills, `${killed} of ${2 * kills} commands were killed`);
}
