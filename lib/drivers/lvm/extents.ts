import { type Finding, bad } from '../../check.ts';
import { byteSize } from '../../format-bytes.ts';
import { maxRoundingBytes } from '../../volume-size.ts';

/** Returns why a group with extents of that size takes no creates, as LVM rounds volumes up to whole extents; otherwise undefined. */
export function extentProblem(group: string, extentBytes: number): Finding | undefined {
  if (extentBytes <= maxRoundingBytes) return undefined;
  return bad(
    `volume group ${group} has extents of ${byteSize(extentBytes)}, by which a volume can be larger than hosts accept: ` +
      `at most ${byteSize(maxRoundingBytes)}`,
    `make the extents smaller: vgchange --physicalextentsize 4m ${group}`,
  );
}
