import type { VolumeDriver, VolumeSpec } from './driver.ts';

/** The data of a volume or snapshot, as a block device or file of this node. */
export interface OpenData {
  path: string;
  /** Ends the access; called once. */
  close(): Promise<void>;
}

export type Access = 'read' | 'write';

export interface OpenOptions {
  access: Access;
  /** Ends the wait for clients that still have the data open. */
  signal: AbortSignal | undefined;
}

/** Data that are on this node anyway. */
export function localData(path: string): OpenData {
  return { path, close: () => Promise.resolve() };
}

/** The data of a volume that exists. Throws what VolumeDriver.openVolume() throws. */
export async function openData(driver: VolumeDriver, volume: VolumeSpec, options: OpenOptions): Promise<OpenData> {
  return (await driver.openVolume?.(volume, options)) ?? localData(driver.localPath(volume));
}

/** Calls `use` with the path of a volume's data. Throws what VolumeDriver.openVolume() and `use` throw. */
export async function withVolumeData<T>(
  driver: VolumeDriver,
  volume: VolumeSpec,
  options: OpenOptions,
  use: (path: string) => Promise<T>,
): Promise<T> {
  return closing(await openData(driver, volume, options), use);
}

/** Calls `use` with the path of the data, and closes them after that. */
export async function closing<T>(data: OpenData, use: (path: string) => Promise<T>): Promise<T> {
  try {
    return await use(data.path);
  } finally {
    await data.close();
  }
}
