import { randomUUID } from 'node:crypto';
import type { AttachmentCommands } from '../../lib/client/attachment-commands.ts';
import type { VolumeCommands } from '../../lib/client/volume-commands.ts';
import { attachmentsOfVolume } from '../../lib/models/attachment.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { SimulatedHost } from './host.ts';

const deadline = { deadlineMs: 120_000 };

interface Clients {
  store: Store;
  commands: VolumeCommands;
  attachments: AttachmentCommands;
}

/** Whether several hosts can have a volume: by its id, so that every client knows. */
export function isShared(id: string): boolean {
  return id >= '9';
}

/**
 * Ends one of the attachments of a volume, the `which`-th; hosts know that theirs has ended once that was acknowledged, unless another one
 * admits them.
 */
export async function detachOne(
  { store, commands, attachments }: Clients,
  id: string,
  { which, hosts }: { which: number; hosts: readonly SimulatedHost[] },
): Promise<void> {
  const uses = await attachmentsOfVolume(store, await volumesOf(store).lookup(id));
  const use = uses[which % Math.max(uses.length, 1)];
  if (use?.status === 'reserved') return void (await attachments.delete(use.id, deadline));
  const acknowledged = hosts.map((host) => [host.address, host.detaching(id)] as const);
  const { attachStatus, attachHosts } = await commands.detach(
    id,
    use === undefined ? deadline : { ...deadline, attachment: use.id },
  );
  for (const [address, tell] of acknowledged) {
    if (attachStatus === 'detached' || (use?.hosts.includes(address) && !attachHosts.includes(address))) tell();
  }
}

/** Keeps a volume for an instance, which then, or at once, mostly gets it, at some time says so, and loses it. `fate`: 0 to 1. */
export async function attachInSteps(
  { store, attachments }: Clients,
  id: string,
  { instanceId, fate }: { instanceId: string; fate: number },
): Promise<void> {
  const reservation = { id: randomUUID(), instanceId, mode: fate < 0.2 ? 'ro' : 'rw' } as const;
  const { id: attachment } = reservation;
  if (fate > 0.1 && fate < 0.6) {
    await attachments.reserveFor(await volumesOf(store).lookup(id), { reservation, host: {} }, deadline);
  } else {
    await attachments.reserve(id, reservation);
    if (fate > 0.8) return void (await attachments.delete(attachment, deadline));
    if (fate > 0.7) return;
    await attachments.update(attachment, {}, deadline);
  }
  if (fate > 0.3) await attachments.complete(attachment);
  if (fate > 0.5) await attachments.delete(attachment, deadline);
}
