import type { ExportSpec } from '../../lib/targets/target.ts';

interface Device {
  /** The volume that the host attached. */
  id: string;
  /** A forced detach of the volume was acknowledged to somebody. */
  isRevoked: boolean;
}

/** A machine that attaches volumes, and keeps the devices of those that others detach by force. */
export class SimulatedHost {
  /** Its Ethernet address. */
  readonly address: string;
  /** By the address of the export. */
  private readonly devices = new Map<string, Device>();
  /** Volumes of which it has requests to attach under way, or some whose end it does not know. */
  private readonly attaching = new Map<string, number>();
  private losses = 0;

  constructor(number: number) {
    this.address = `02:00:00:00:00:${String(number).padStart(2, '0')}`;
  }

  /** Connects the volume, once `attach` resolves. An older device at that address goes first, as from a real host. */
  async connect(id: string, exportAddress: string, attach: () => Promise<{ address: string }>): Promise<void> {
    const device = { id, isRevoked: false };
    if (exportAddress !== '') this.devices.set(exportAddress, device);
    this.attaching.set(id, (this.attaching.get(id) ?? 0) + 1);
    const { address } = await attach();
    if (address !== exportAddress) throw new Error(`volume ${id} is attached at ${address}, not ${exportAddress}`);
    this.attachFailed(id);
  }

  /** A request to attach the volume has no effect, now or later. */
  attachFailed(id: string): void {
    this.attaching.set(id, (this.attaching.get(id) ?? 1) - 1);
  }

  disconnect(id: string): void {
    for (const [address, device] of this.devices) if (device.id === id) this.devices.delete(address);
  }

  /** A detach of the volume begins. Returns what is called when it was acknowledged. */
  detaching(id: string): () => void {
    const devices = [...this.devices.values()].filter((device) => device.id === id);
    const { losses } = this;
    return () => {
      if ((this.attaching.get(id) ?? 0) > 0 || losses !== this.losses) return;
      for (const device of devices) device.isRevoked = true;
    };
  }

  /** Redis may have lost that volumes were detached. */
  detachesLost(): void {
    this.losses += 1;
    for (const device of this.devices.values()) device.isRevoked = false;
  }

  /**
   * Returns what it must not, but can write to through its devices while that export runs. `isLost`: the node of the export is, so
   * that a detach could not reach it.
   */
  trespass({ id, address, hosts }: ExportSpec, isLost: boolean): string | undefined {
    const device = this.devices.get(address);
    if (!device || !hosts.includes(this.address)) return undefined;
    if (device.id !== id) return `host ${this.address} writes into volume ${id} through its device of ${device.id}`;
    return device.isRevoked && !isLost ? `host ${this.address} writes into volume ${id} after its detach` : undefined;
  }
}
