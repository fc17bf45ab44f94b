import { absolutePath, flag } from '../../flags/flag.ts';

export const fileFlags = {
  volume_pool_dir: flag(absolutePath, '/var/lib/blockstore/volumes', 'directory of the volumes'),
};
