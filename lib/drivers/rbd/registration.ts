import path from 'node:path';
import { defineDriver } from '../driver.ts';
import { rbdFlags } from '../../rbd/flags.ts';

export const rbd = defineDriver({
  name: 'rbd',
  flags: rbdFlags,
  targets: ['rbd', 'none'],
  storage: ({ rbd_pool: pool, rbd_ceph_conf: conf }) => `Ceph pool ${pool} of ${conf}`,
  make: async (flags, context) => {
    const { RbdDriver } = await import('./driver.ts');
    return new RbdDriver(
      {
        pool: flags.rbd_pool,
        user: flags.rbd_user,
        conf: flags.rbd_ceph_conf,
        directory: path.join(flags.state_dir, 'open-images', context.backend ?? flags.rbd_pool),
        maxCloneDepth: flags.rbd_max_clone_depth,
        imagePools: flags.rbd_image_pools,
        ...(flags.rbd_capacity_gib > 0 ? { capacityBytes: flags.rbd_capacity_gib * 2 ** 30 } : {}),
      },
      context,
    );
  },
  check: (flags, processes) => [async () => (await import('./check.ts')).checkRbd(flags, processes)],
});
