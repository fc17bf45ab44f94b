import { flag, oneOf, optionalWhole, text, whole } from '../../flags/flag.ts';

export const aoeFlags = {
  aoe_eth_dev: flag(
    text.regex(/^[^/\s]{1,15}$/, 'must be the name of a network interface'),
    'eth0',
    'network interface that AoE exports are served on',
  ),
  aoe_durability: flag(
    oneOf('sync', 'direct', 'cached'),
    'sync',
    'what a power loss may take: nothing acknowledged (sync), what the disk caches (direct), what the page cache holds (cached)',
  ),
  first_shelf_id: flag(
    optionalWhole(65_534),
    -1,
    'first AoE shelf that this node may take; -1: the next free one in the cluster',
    { nodeWide: true },
  ),
  last_shelf_id: flag(optionalWhole(65_534), -1, 'last AoE shelf that this node may take; -1: no bound', {
    nodeWide: true,
  }),
  slots_per_shelf: flag(whole(1, 255), 16, 'volumes per shelf', { nodeWide: true }),
};
