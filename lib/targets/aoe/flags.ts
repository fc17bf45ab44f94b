import { flag, oneOf, optionalWhole, text, whole, yesNo } from '../../flags/flag.ts';

export const aoeFlags = {
  aoe_eth_dev: flag(
    text.regex(/^[^/\s]{1,15}$/, 'must be the name of a network interface'),
    'eth0',
    'network interface of the AoE exports',
  ),
  aoe_durability: flag(
    oneOf('sync', 'direct', 'cached'),
    'sync',
    'writes that a power loss can lose: none that was acknowledged (sync), those in the disk cache (direct), those in the page cache (cached)',
  ),
  aoe_unfiltered: flag(
    yesNo,
    false,
    'export although this node cannot restrict access to exports (without tc, module cls_bpf or CAP_NET_ADMIN)',
  ),
  first_shelf_id: flag(
    optionalWhole(65_534),
    -1,
    'first AoE shelf that this node can claim; -1: the next free shelf of the cluster',
    { nodeWide: true },
  ),
  last_shelf_id: flag(optionalWhole(65_534), -1, 'last AoE shelf that this node can claim; -1: no bound', {
    nodeWide: true,
  }),
  slots_per_shelf: flag(whole(1, 255), 16, 'AoE slots, that is volumes, per shelf', { nodeWide: true }),
  address_quarantine: flag(
    whole(0, 86_400),
    600,
    'how long a freed address is given to no other volume: hosts may still have a device of the earlier one',
    { unit: 's', nodeWide: true },
  ),
};
