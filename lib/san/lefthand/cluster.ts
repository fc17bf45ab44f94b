import { errors } from '../../errors.ts';
import { SanCommandError } from '../shell.ts';
import type { Cliq } from './cliq.ts';
import type { Element } from '../../xml.ts';

/** Returns what CLIQ says about a cluster. Throws StorageUnusable where it does not exist. */
export async function readCluster(cliq: Cliq, cluster: string): Promise<Element | undefined> {
  try {
    const [found] = await cliq.run('getClusterInfo', { clusterName: cluster, searchDepth: '1', verbose: '0' });
    return found;
  } catch (error) {
    if (!(error instanceof SanCommandError)) throw error;
    const hint = 'set san_clustername to a cluster of the management group';
    throw errors.sanStorageAbsent(`LeftHand cluster ${cluster}`, cliq.shell.where, error.words, hint);
  }
}
