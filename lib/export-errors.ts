import { BlockstoreError } from './blockstore-error.ts';

const seeDoctor = 'run "blockstore doctor" on the node';
const needsFilters =
  'run as root (CAP_NET_ADMIN) with iproute2 and the modules sch_ingress and cls_bpf, or set aoe_unfiltered=true';

/** Errors of exports by AoE: what answers at an address, filters, and the processes. */
export const exportErrors = {
  discoveryIncomplete: (name: string, reason: string) =>
    new BlockstoreError(
      'DiscoveryIncomplete',
      'failed',
      `not every AoE answer on network interface ${name} was received: ${reason}`,
      `reduce the load on ${name}, or enlarge net.core.netdev_max_backlog; discovery is repeated`,
    ),
  discoveryFailed: (name: string, reason: string) =>
    new BlockstoreError(
      'DiscoveryFailed',
      'failed',
      `AoE discovery on network interface ${name} failed: ${reason}`,
      seeDoctor,
    ),
  noAccessFilter: (name: string, reason: string, hint = needsFilters) =>
    new BlockstoreError(
      'NoAccessFilter',
      'failed',
      `cannot restrict the access to exports on network interface ${name}: ${reason}`,
      hint,
    ),
  addressInUse: (volume: string, address: string, host: string) =>
    new BlockstoreError(
      'AddressInUse',
      'conflict',
      `could not export volume ${volume}: another machine, ${host}, answers at its address ${address}`,
      `end that export, or remove ${host} from the storage network`,
    ),
  addressServedHere: (volume: string, address: string, { pid, path }: { pid: number; path: string }) =>
    new BlockstoreError(
      'AddressInUse',
      'conflict',
      `could not export volume ${volume}: process ${pid} on this node, which exports ${path}, answers at its address ${address}`,
      `end that process on the node (kill ${pid}), or start it at an address of a shelf that no node owns`,
    ),
  servedBeside: (volume: string, other: { pid: number; address: string; interface: string }) =>
    new BlockstoreError(
      'AddressInUse',
      'conflict',
      `process ${other.pid} on this node exports volume ${volume} as well, as ${other.address} on ${other.interface}`,
      `its hosts would write beside those of the volume: detach them, then end that process on the node (kill ${other.pid})`,
    ),
  exportFailed: (volume: string, reason: string, hint = seeDoctor) =>
    new BlockstoreError('ExportFailed', 'failed', `could not export volume ${volume}: ${reason}`, hint),
  exportStopped: (volume: string, pid: number) =>
    new BlockstoreError(
      'ExportFailed',
      'failed',
      `could not export volume ${volume}: its vblade, process ${pid}, is stopped by a signal`,
      `continue it on the node: kill -CONT ${pid}`,
    ),
  launcherEnded: (reason: string) =>
    new BlockstoreError(
      'LauncherEnded',
      'failed',
      `the launcher of vblade exited: ${reason}`,
      'retry: the daemon starts a new launcher',
    ),
  exportStays: (volume: string, pid: number) =>
    new BlockstoreError(
      'ExportStays',
      'failed',
      `could not stop the export of volume ${volume}: vblade (process ${pid}) does not exit`,
      `check for hanging storage (dmesg) on the node, then retry: blockstore volume delete ${volume}`,
    ),
};
