import { flag, whole } from '../flags/flag.ts';
import { reachableAddress } from '../flags/reachable-address.ts';

export const sheepdogFlags = {
  sheepdog_address: flag(reachableAddress(), '127.0.0.1', 'address of a daemon (sheep) of the Sheepdog cluster'),
  sheepdog_port: flag(whole(1, 65_535), 7000, 'TCP port of that daemon'),
  sheepdog_copies: flag(
    whole(1, 31),
    3,
    'number of copies with which the Sheepdog cluster was formatted: its capacity is divided by it',
  ),
};
