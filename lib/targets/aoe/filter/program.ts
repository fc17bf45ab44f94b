import type { AoeAddress } from '../../../aoe/address.ts';

/**
 * Programs for the kernel's packet filter (classic BPF), which runs them on every AoE frame that an interface receives, before
 * any program gets it. Offsets count from the Ethernet header: source at 6, type at 12; AoE flags at 14, shelf at 16, slot at
 * 18, command at 19; of a configuration command, which one at 29. A load beyond the frame's end ends a program with "admit":
 * such a frame is shorter than an AoE header, and vblade ignores it.
 */

/** One instruction: code, jump if true, jump if false, constant. Jumps are relative to the next instruction. */
type Instruction = readonly [code: number, jt: number, jf: number, k: number];

const load = (bytes: 1 | 2 | 4, offset: number): Instruction => [{ 1: 0x30, 2: 0x28, 4: 0x20 }[bytes], 0, 0, offset];
const loadLength: Instruction = [0x80, 0, 0, 0];
const and = (mask: number): Instruction => [0x54, 0, 0, mask];
const ifEqual = (value: number, jt: number, jf: number): Instruction => [0x15, jt, jf, value];
const ifAtLeast = (value: number, jt: number, jf: number): Instruction => [0x35, jt, jf, value];
const ifAnyBit = (mask: number, jt: number, jf: number): Instruction => [0x45, jt, jf, mask];
const jump = (distance: number): Instruction => [0x05, 0, 0, distance];
const end = (verdict: number): Instruction => [0x06, 0, 0, verdict];

/** Verdicts of a filter with direct action (TC_ACT_OK, TC_ACT_SHOT, TC_ACT_UNSPEC). */
const admit = end(0);
const drop = end(2);
const leaveToOthers = end(0xffff_ffff);

/** Changes nothing. */
export const emptyProgram = assemble([leaveToOthers]);

const aoeType = 0x88a2;
const vlanType = 0x8100;
const serviceVlanType = 0x88a8;
const response = 0x08;
const ataCommand = 0;
const configCommand = 1;
const shelfForAll = 0xffff;
const slotForAll = 0xff;
/** A configuration command has this length without its text; also the shortest ATA command that means anything. */
const minLength = 32;
/** What the kernel knows of a frame beside its bytes (SKF_AD_OFF + …): the type below VLAN tags, and the tag. */
const effectiveType = 0xffff_f000;
const vlanTag = 0xffff_f000 + 44;

/** Drops the frame unless it is a configuration query; 7 instructions, then the one after them. */
const configQueryOnly: readonly Instruction[] = [
  load(1, 19),
  ifEqual(configCommand, 1, 0),
  drop,
  load(1, 29),
  and(0x0f),
  ifEqual(0, 1, 0),
  drop,
];

/**
 * For every address: answers pass; a frame to the broadcast shelf or slot passes when it asks for configuration, and is
 * dropped when it reads, writes, configures, masks or reserves.
 */
export const broadcastProgram = assemble([
  load(1, 14),
  ifAnyBit(response, 0, 1),
  leaveToOthers,
  load(2, 16),
  ifEqual(shelfForAll, 3, 0),
  load(1, 18),
  ifEqual(slotForAll, 1, 0),
  leaveToOthers,
  loadLength,
  ifAtLeast(minLength, 1, 0),
  drop,
  ...configQueryOnly,
  leaveToOthers,
]);

/**
 * For frames with a VLAN tag. A packet socket receives AoE frames of every VLAN for which the interface has no interface of its
 * own, whatever their tags, past the programs for untagged frames. They are dropped; `served` are the VLANs that have one.
 */
export function vlanProgram(served: readonly number[]): string {
  return assemble([
    load(2, vlanTag),
    and(0xfff),
    ...served.flatMap((id) => [ifEqual(id, 0, 1), leaveToOthers]),
    load(2, effectiveType),
    ifEqual(aoeType, 0, 1),
    drop,
    ifEqual(vlanType, 2, 0),
    ifEqual(serviceVlanType, 1, 0),
    leaveToOthers,
    // A second tag below: the kernel removes tags of the VLAN 0 one by one.
    load(2, vlanTag),
    and(0xfff),
    ifEqual(0, 1, 0),
    leaveToOthers,
    load(2, 16),
    ifEqual(aoeType, 2, 0),
    ifEqual(vlanType, 1, 0),
    ifEqual(serviceVlanType, 0, 1),
    drop,
    leaveToOthers,
  ]);
}

/** Ethernet addresses that may use an export: these, all, or none. */
export type Admitted = readonly string[] | 'all' | 'none';

/** Slots of a shelf that one program decides about: 16 exports of 32 hosts stay below the kernel's 4096 instructions. */
const slotsPerGroup = 16;

export function groupOf({ shelf, slot }: AoeAddress): number {
  return shelf * slotsPerGroup + Math.floor(slot / slotsPerGroup);
}

/**
 * For the exports of one group, by slot: a frame to one of them passes when it is an ATA command or a configuration query of an
 * admitted host, and is dropped otherwise. Frames to other addresses are left to other programs.
 */
export function exportsProgram(shelf: number, exports: ReadonlyMap<number, Admitted>): string {
  const slots = [...exports].toSorted(([one], [other]) => one - other);
  const sections = slots.map(([, admitted]) => section(admitted));
  const beginning = [
    load(2, 16),
    ifEqual(shelf, 1, 0),
    leaveToOthers,
    load(1, 14),
    ifAnyBit(response, 0, 1),
    leaveToOthers,
    load(1, 18),
  ];
  // Two instructions for each slot, then one for all others, then the sections.
  let before = 0;
  const table = slots.flatMap(([slot], index) => {
    const distance = 2 * (slots.length - index - 1) + 1 + before;
    before += sections[index]?.length ?? 0;
    return [ifEqual(slot, 0, 1), jump(distance)];
  });
  return assemble([...beginning, ...table, leaveToOthers, ...sections.flat()]);
}

function section(admitted: Admitted): Instruction[] {
  const command = [
    loadLength,
    ifAtLeast(minLength, 1, 0),
    drop,
    load(1, 19),
    ifEqual(ataCommand, configQueryOnly.length, 0),
    ...configQueryOnly,
  ];
  if (admitted === 'all') return [...command, admit];
  const hosts = admitted === 'none' ? [] : admitted;
  return [...command, ...hosts.flatMap(host), drop];
}

/** Admits the frame when its source is this host. */
function host(address: string): Instruction[] {
  const digits = address.replaceAll(':', '');
  const high = Number.parseInt(digits.slice(0, 8), 16);
  const low = Number.parseInt(digits.slice(8), 16);
  return [load(4, 6), ifEqual(high, 0, 3), load(2, 10), ifEqual(low, 0, 1), admit];
}

/** As `tc` reads and shows it. */
function assemble(instructions: readonly Instruction[]): string {
  return [String(instructions.length), ...instructions.map((instruction) => instruction.join(' '))].join(',');
}
