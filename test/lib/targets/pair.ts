import assert from 'node:assert/strict';
import type { VolumeDriver, VolumeSpec } from '../../../lib/drivers/driver.ts';
import type { Chap, ExportSpec, Target } from '../../../lib/targets/target.ts';
import { spec } from '../drivers/subject.ts';
import type { HostSession, Subject } from './conformance.ts';

/** Where a target exports whatever storage it is given. */
export interface ExportPlace extends Omit<Subject, 'volume' | 'grow' | 'removeStorage'> {
  /** How it exports a volume to every host. */
  specOf(storage: Pick<ExportSpec, 'id' | 'path'>): ExportSpec;
}

/** A target that exports the volumes of a driver. */
export class Pair implements Subject {
  readonly hosts: readonly [string, string];
  readonly isSecretEnough: boolean;
  readonly refusesReadOnly: boolean;
  private readonly place: ExportPlace;
  private readonly driver: VolumeDriver;
  private readonly volumes = new Map<string, VolumeSpec>();

  /** The driver is set up. */
  constructor(driver: VolumeDriver, place: ExportPlace) {
    this.driver = driver;
    this.place = place;
    this.hosts = place.hosts;
    this.isSecretEnough = place.isSecretEnough ?? false;
    this.refusesReadOnly = place.refusesReadOnly ?? false;
  }

  target(): Promise<Target> {
    return this.place.target();
  }

  async volume(): Promise<ExportSpec> {
    const volume = spec();
    this.volumes.set(volume.id, volume);
    await this.driver.createVolume(volume);
    return this.place.specOf({ id: volume.id, path: this.driver.localPath(volume) });
  }

  async grow({ id }: ExportSpec): Promise<number> {
    const volume = this.volumeOf(id);
    const larger = { ...volume, sizeBytes: 2 * volume.sizeBytes };
    await this.driver.extendVolume?.(larger);
    this.volumes.set(id, larger);
    return larger.sizeBytes;
  }

  async removeStorage({ id }: ExportSpec): Promise<void> {
    await this.driver.deleteVolume(this.volumeOf(id));
  }

  login(exported: ExportSpec, host: string, chap?: Chap): Promise<HostSession> {
    return this.place.login(exported, host, chap);
  }

  users(exported: ExportSpec): Promise<string[]> {
    return this.place.users(exported);
  }

  /** Deletes the volume of an export. Throws VolumeBusy while it is exported. */
  async delete({ id }: ExportSpec): Promise<void> {
    await this.driver.deleteVolume(this.volumeOf(id));
    this.volumes.delete(id);
    assert.equal(
      (await this.driver.listVolumes()).some((volume) => volume.id === id),
      false,
    );
  }

  private volumeOf(id: string): VolumeSpec {
    const volume = this.volumes.get(id);
    if (!volume) throw new Error(`volume ${id} is of another pair`);
    return volume;
  }
}

const data = Buffer.alloc(4096, 0x5a);

/**
 * A volume is exported, written to and read, grows, is exported anew with what was written, and is deleted; twice. Until its export is
 * removed it is VolumeBusy where `isHeld`: a driver sees the processes that have a file open, and not that the kernel has.
 */
export async function roundTrip(pair: Pair, { isHeld }: { isHeld: boolean }): Promise<void> {
  const [host] = pair.hosts;
  for (const round of ['first', 'second']) {
    const target = await pair.target();
    const exported = { ...(await pair.volume()), hosts: [host] };
    await target.ensureExport(exported);
    const before = await pair.login(exported, host);
    assert.deepEqual(await before.read(0, data.length), Buffer.alloc(data.length), `zeros in the ${round} round`);
    await before.write(0, data);
    await before.close();
    const end = (await pair.grow(exported)) - data.length;
    await target.resizeExport(exported);
    const grown = await pair.login(exported, host);
    await grown.write(end, data);
    await grown.close();
    if (isHeld) await assert.rejects(pair.delete(exported), { code: 'VolumeBusy' });
    await target.removeExport(exported.id);
    await target.ensureExport(exported);
    const after = await pair.login(exported, host);
    for (const offset of [0, end]) assert.deepEqual(await after.read(offset, data.length), data, `at ${offset}`);
    await after.close();
    await target.removeExport(exported.id);
    await pair.delete(exported);
    await target.close();
  }
}
