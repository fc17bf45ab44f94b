import { connectorProperties } from '../../lib/connectors/properties.ts';
import type { Context } from '../context.ts';
import { writeFacts } from '../table.ts';

/** Prints what identifies this host when it attaches volumes. Needs neither Redis nor a configuration. */
export async function showConnector({ output }: Context): Promise<void> {
  const properties = await connectorProperties();
  if (output.json) {
    await output.document(properties);
    return;
  }
  const { ip, initiator, nqn, ethernet_addresses: addresses, machine_id: machineId } = properties;
  await writeFacts(output, [
    ['host', properties.host],
    ['machine id', machineId ?? ''],
    ['ip', ip ?? ''],
    ['initiator', initiator ?? ''],
    ['host NQN', nqn ?? ''],
    ['Ethernet', addresses?.join(', ') ?? ''],
    ['multipath', properties.multipath ? 'yes' : 'no'],
    ['platform', `${properties.os_type} ${properties.platform}`],
  ]);
}
