import { z } from 'zod';
import { absolutePath, flag, listOf, text, whole } from '../flags/flag.ts';

const uuid = z.uuid();
const poolName = /^[A-Za-z0-9_.][A-Za-z0-9_.-]*$/;
const poolRule = 'letters, digits and _ . -, and not begin with -';

export const rbdFlags = {
  rbd_pool: flag(text.regex(poolName, `must be ${poolRule}`), 'rbd', 'Ceph pool of the volumes'),
  rbd_user: flag(
    text.regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/, 'must be the name without "client."'),
    'admin',
    'Ceph user of this node, without "client."; its keyring is found by the file rbd_ceph_conf',
  ),
  rbd_ceph_conf: flag(absolutePath, '/etc/ceph/ceph.conf', 'configuration file of the Ceph cluster'),
  rbd_secret_uuid: flag(
    text.refine((value) => value === '' || uuid.safeParse(value).success, 'must be a UUID, or empty'),
    '',
    'UUID of the libvirt secret with the key of rbd_user on attaching hosts',
  ),
  rbd_max_clone_depth: flag(
    whole(1, 15),
    5,
    'maximum number of images below a volume that its data depends on; a copy that would have more is flattened at once',
  ),
  rbd_image_pools: flag(
    listOf((name) => poolName.test(name), poolRule),
    ['images'],
    'pools of image services on the same cluster: volumes are copies on write of their images, which takes no time and no space',
  ),
  rbd_capacity_gib: flag(
    whole(0, 1_000_000_000),
    0,
    'space for volumes in the pool; 0: what a manager (ceph-mgr) of the cluster reports; without one no volumes are created',
    { unit: 'GiB' },
  ),
};
