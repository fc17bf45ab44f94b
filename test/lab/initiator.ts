import { until } from '../support/until.ts';
import type { LabNode } from './node.ts';

/** Makes a machine a host with open-iscsi and the kernel's initiator, as the package does with systemd; `setting`: a script before its start. */
export async function becomeInitiator(node: LabNode, name: string, setting = ':'): Promise<void> {
  await node.sh(`echo InitiatorName=${name} >/etc/iscsi/initiatorname.iscsi
${setting}
modprobe -a iscsi_tcp sd_mod`);
  await startIscsid(node);
}

export async function startIscsid(node: LabNode): Promise<void> {
  await node.start('iscsid', 'exec iscsid -f');
  await until(
    async () => (await node.run('grep -q ISCSIADM_ABSTRACT_NAMESPACE /proc/net/unix')).status === 0,
    'iscsid answers',
  );
}
