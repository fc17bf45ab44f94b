import { type Finding, ok, warn } from '../../check.ts';
import { CommandError } from '../../command-error.ts';
import { errors } from '../../errors.ts';
import { portalText } from '../../iscsi/address.ts';
import { listenerOn } from '../../iscsi/listeners.ts';
import { checkIsHere, checkKernelIsElsewhere, portalIn } from '../../iscsi/portal.ts';
import type { Processes } from '../../process.ts';

const helpMs = 10_000;

/** Checks that tgtd and tgtadm are installed. Throws CommandNotFound. */
export async function checkTgt(processes: Processes): Promise<Finding> {
  for (const command of ['tgtd', 'tgtadm']) {
    try {
      await processes.run(command, ['--help'], { timeoutMs: helpMs });
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      if (error.failure.notFound) throw errors.commandMissing(command, 'tgt');
    }
  }
  return ok('tgtd and tgtadm are installed');
}

/** Checks that tgtd can listen on the portal, or does already. Throws PortalUnusable. */
export async function checkPortal(flags: { iscsi_ip_address: string; iscsi_port: number }): Promise<Finding> {
  const portal = portalIn(flags);
  const text = portalText(portal);
  checkIsHere(portal);
  await checkKernelIsElsewhere(portal);
  const holder = await listenerOn(portal);
  const isOurs = holder?.includes(`--iscsi portal=${text} `) === true;
  if (holder !== undefined && !isOurs) throw errors.portalTaken(text, holder);
  if (flags.iscsi_ip_address === '') {
    return warn(
      `iSCSI exports listen on ${text}, the first address of this host`,
      'another one may be the first after a change of interfaces: set iscsi_ip_address',
    );
  }
  return ok(`iSCSI portal ${text} is ${isOurs ? 'served by the tgtd of this node' : 'free'}`);
}
