import { createHash } from 'node:crypto';
import { type AoeAddress, parseAddress } from '../../../aoe/address.ts';
import { type Admitted, broadcastProgram, emptyProgram, exportsProgram, groupOf, vlanProgram } from './program.ts';
import type { Filter, FilterGroup } from './tc.ts';

/** Handle of the program for broadcast addresses, above those of all groups of exports. */
const broadcastHandle = 0x20_0000;
const protocols = ['0x88a2', '802.1Q', '802.1ad'] as const;
/** As tc shows the protocols of filters that receive AoE frames, with a tag or without. */
const filteredProtocols = new Set<string>(['all', 'aoe', ...protocols]);

interface Rule extends Filter {
  protocol: (typeof protocols)[number];
}

/** The expected filters of an access filter, from the exports and their admitted hosts. */
export class Rules {
  /** The kernel's priorities of the filters: of AoE frames, then of frames with either kind of VLAN tag. */
  readonly prefs: readonly [number, number, number];
  private readonly exports = new Map<string, Admitted>();
  private readonly groups = new Map<number, Map<string, AoeAddress>>();

  /** Access filters of different owners on one interface have different filters. */
  constructor(owner: string) {
    const hash = createHash('sha256').update(owner).digest().readUInt32BE();
    const first = 4096 + 4 * (hash % 12_000);
    this.prefs = [first, first + 1, first + 2];
  }

  get isEmpty(): boolean {
    return this.exports.size === 0;
  }

  admitted(address: string): Admitted | undefined {
    return this.exports.get(address);
  }

  /** Returns the group whose filter changes. */
  set(address: string, admitted: Admitted): number {
    const parsed = parseAddress(address);
    const group = groupOf(parsed);
    this.exports.set(address, admitted);
    this.groups.set(group, (this.groups.get(group) ?? new Map<string, AoeAddress>()).set(address, parsed));
    return group;
  }

  /** Returns the group whose filter changes. */
  delete(address: string): number {
    const group = groupOf(parseAddress(address));
    this.exports.delete(address);
    const members = this.groups.get(group);
    members?.delete(address);
    if (members?.size === 0) this.groups.delete(group);
    return group;
  }

  /** Returns the lines for `tc` that set the filter of one group, which replaces the former one atomically. */
  groupLine(group: number, networkInterface: string): string {
    const rule = this.groupRule(group);
    return rule ? replaceLine(rule, networkInterface) : this.deleteLine(this.prefs[0], group + 1, networkInterface);
  }

  /** Returns the filters that every access filter has. */
  baseLines(networkInterface: string, vlans: readonly number[]): string[] {
    return [
      `qdisc add dev ${networkInterface} clsact`,
      ...this.base(vlans).map((rule) => replaceLine(rule, networkInterface)),
    ];
  }

  /** Returns the differences from the filters found, and the lines for `tc` that correct them. */
  compare(
    found: readonly Filter[],
    networkInterface: string,
    vlans: readonly number[],
  ): { differences: string[]; lines: string[] } {
    const right = this.isEmpty ? [] : this.all(vlans);
    const known = new Map(found.map((filter) => [keyOf(filter), filter.bytecode]));
    const wrong = right.filter((rule) => known.get(keyOf(rule)) !== rule.bytecode);
    const keys = new Set(right.map(keyOf));
    const strange = found.filter((filter) => !keys.has(keyOf(filter)));
    return {
      differences: [
        ...wrong.map((rule) => `${nameOf(rule)} was ${known.has(keyOf(rule)) ? 'changed' : 'missing'}`),
        ...strange.map((filter) => `${nameOf(filter)} belongs to no export`),
      ],
      lines: [
        ...(wrong.length > 0 ? [`qdisc add dev ${networkInterface} clsact`] : []),
        ...wrong.map((rule) => replaceLine(rule, networkInterface)),
        ...strange.map(({ pref, handle }) => this.deleteLine(pref, handle, networkInterface)),
      ],
    };
  }

  /** Returns filters of other programs that run before these: one that admits a frame keeps it from these. */
  before({ filters, groups }: { filters: readonly Filter[]; groups: readonly FilterGroup[] }): FilterGroup[] {
    if (this.isEmpty) return [];
    const isOfOwner = ({ handle, bytecode }: Filter) => handle === broadcastHandle && bytecode === broadcastProgram;
    const ofOwners = filters.filter(isOfOwner).flatMap(({ pref }) => [pref, pref + 1, pref + 2]);
    const isEmpty = ({ bytecode }: Filter) => bytecode === emptyProgram;
    const harmless = new Set([...ofOwners, ...filters.filter(isEmpty).map(({ pref }) => pref)]);
    const [first] = this.prefs;
    return groups.filter(
      ({ pref, protocol }) => pref < first && filteredProtocols.has(protocol) && !harmless.has(pref),
    );
  }

  private all(vlans: readonly number[]): Rule[] {
    const groups = [...this.groups.keys()].map((group) => this.groupRule(group));
    return [...this.base(vlans), ...groups.filter((rule) => rule !== undefined)];
  }

  private base(vlans: readonly number[]): Rule[] {
    const [plain, tagged, serviceTagged] = this.prefs;
    const bytecode = vlanProgram(vlans);
    return [
      { protocol: '0x88a2', pref: plain, handle: broadcastHandle, bytecode: broadcastProgram },
      { protocol: '802.1Q', pref: tagged, handle: 1, bytecode },
      { protocol: '802.1ad', pref: serviceTagged, handle: 1, bytecode },
    ];
  }

  private groupRule(group: number): Rule | undefined {
    const members = this.groups.get(group);
    if (!members) return undefined;
    const [first] = members.values();
    const slots = [...members].map(([address, { slot }]) => [slot, this.exports.get(address) ?? 'none'] as const);
    const bytecode = exportsProgram(first?.shelf ?? 0, new Map(slots));
    return { protocol: '0x88a2', pref: this.prefs[0], handle: group + 1, bytecode };
  }

  private deleteLine(pref: number, handle: number, networkInterface: string): string {
    const protocol = protocols[this.prefs.indexOf(pref)] ?? protocols[0];
    return `filter del dev ${networkInterface} ingress protocol ${protocol} pref ${pref} handle ${handle} bpf`;
  }
}

function replaceLine({ protocol, pref, handle, bytecode }: Rule, networkInterface: string): string {
  const place = `dev ${networkInterface} ingress protocol ${protocol} pref ${pref} handle ${handle}`;
  return `filter replace ${place} bpf direct-action bytecode '${bytecode},'`;
}

function keyOf({ pref, handle }: Filter): string {
  return `${pref} ${handle}`;
}

function nameOf({ pref, handle }: Filter): string {
  return `filter pref ${pref} handle 0x${handle.toString(16)}`;
}
