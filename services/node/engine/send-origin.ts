import { type OpenData, closing, openData } from '../../../lib/drivers/open-data.ts';
import { errors } from '../../../lib/errors.ts';
import { sizeInBytes } from '../../../lib/volume-size.ts';
import { snapshotSpec, volumeSpec } from '../specs.ts';
import { readyDestination } from './migration-destination.ts';
import type { Step, StepContext } from './operation.ts';

/**
 * A new volume with the data of a snapshot, or of a volume that no host has, of another backend than it is to have: they go to the
 * destination of a migration, with zeros behind them where the new volume is larger.
 */
export const sendOrigin: Step = {
  name: 'copy',
  run: async (context) => {
    const { snapshot, origin } = context;
    const migration = await readyDestination(context);
    context.migration = migration;
    if (migration.hasArrived) return;
    if (!origin) throw errors.volumeNotFound(snapshot?.volume ?? context.volume.fromVolume);
    if (snapshot) return send(context, await openOrigin(context), sizeInBytes(snapshot.size));
    return context.whileDetached(origin.id, async () =>
      send(context, await openOrigin(context), sizeInBytes(origin.size)),
    );
  },
};

async function openOrigin({ volume, snapshot, origin, backend: { driver }, signal }: StepContext): Promise<OpenData> {
  if (!origin) throw errors.volumeNotFound(volume.fromVolume);
  if (!snapshot) {
    const spec = volumeSpec(origin);
    await driver.ensureVolume(spec);
    return openData(driver, spec, { access: 'read', signal });
  }
  if (!driver.snapshots?.openSnapshot) throw errors.notCapable(origin.id, driver.name, 'images');
  return driver.snapshots.openSnapshot(snapshotSpec(origin, snapshot), { signal });
}

async function send(context: StepContext, data: OpenData, dataBytes: number): Promise<void> {
  const { volume, snapshot, migration, migrations, signal, progress } = context;
  if (!migration) throw errors.migrationLost(volume.migration);
  const { id, key, endpoint } = migration;
  const [storage, to] = [
    { volume: volume.id, sizeBytes: sizeInBytes(volume.size), dataBytes },
    { migration: id, key, endpoint },
  ];
  await closing(data, (path) => migrations.transport.send(to, { ...storage, path }, { signal, progress }));
  if (snapshot) await (await openOrigin(context)).close(); // it has not become unusable meanwhile
}
