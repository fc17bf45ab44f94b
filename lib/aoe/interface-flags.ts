const up = 0x1;
const broadcast = 0x2;
const noArp = 0x80;
const master = 0x400;

/** Whether a network interface is set up. `flags` is its file in /sys/class/net: "0x1003". */
export function isUp(flags: string | undefined): boolean {
  return (Number(flags ?? 0) & up) !== 0;
}

/** Whether an interface is a VRF, which leaves the frames of its members to them. No other file of /sys tells it from a team. */
export function isVrf(flags: string | undefined): boolean {
  return (Number(flags ?? 0) & (broadcast | noArp | master)) === (noArp | master);
}
