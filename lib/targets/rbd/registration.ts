import { ok, warn } from '../../check.ts';
import { rbdFlags } from '../../rbd/flags.ts';
import { defineTarget } from '../target.ts';

export const rbd = defineTarget({
  name: 'rbd',
  protocol: 'rbd',
  flags: rbdFlags,
  drivers: ['rbd'],
  make: async (flags, { processes, log }) => {
    const [{ RbdTarget }, { RbdCommands }] = await Promise.all([
      import('./target.ts'),
      import('../../rbd/commands.ts'),
    ]);
    const { rbd_pool: pool, rbd_user: user, rbd_ceph_conf: conf, rbd_secret_uuid: secretUuid } = flags;
    return new RbdTarget(new RbdCommands({ pool, user, conf }, processes), { user, secretUuid }, { log });
  },
  check: ({ rbd_secret_uuid: secret }) => [
    async () =>
      secret === ''
        ? warn(
            'rbd_secret_uuid is not set: "blockstore volume attach --domain" is refused',
            'define a libvirt secret with the key of rbd_user on the hosts of guests, and set rbd_secret_uuid to its UUID',
          )
        : ok(`guests connect with the libvirt secret ${secret}`),
  ],
});
