import { isIP } from 'node:net';
import { flag, text, whole } from '../flags/flag.ts';

export const sheepdogFlags = {
  sheepdog_address: flag(
    text.refine((address) => isIP(address) !== 0, 'must be an IPv4 or IPv6 address, without brackets'),
    '127.0.0.1',
    'address of a daemon (sheep) of the Sheepdog cluster',
  ),
  sheepdog_port: flag(whole(1, 65_535), 7000, 'TCP port of that daemon'),
  sheepdog_copies: flag(
    whole(1, 31),
    3,
    'number of copies with which the Sheepdog cluster was formatted: its capacity is divided by it',
  ),
};
