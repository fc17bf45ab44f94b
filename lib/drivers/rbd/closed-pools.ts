import { BlockstoreError } from '../../errors.ts';

/** Returns undefined where the pool of the work does not exist, or is closed to the user: it is that of an image of others. */
export async function unlessClosed<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof BlockstoreError && ['NoCephPool', 'CephDenied'].includes(error.code)) return undefined;
    throw error;
  }
}
