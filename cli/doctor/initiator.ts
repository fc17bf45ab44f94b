import { existsSync } from 'node:fs';
import { type Finding, bad, ok, warn } from '../../lib/check.ts';
import { CommandError } from '../../lib/command-error.ts';
import { nqnOfHost } from '../../lib/connectors/host-nqn.ts';
import { initiatorOfHost } from '../../lib/connectors/initiator-name.ts';
import { isRunning } from '../../lib/connectors/properties.ts';
import type { LoadedFlags } from '../../lib/flags/load.ts';
import { silentLog } from '../../lib/log.ts';
import { readMachineId } from '../../lib/machine.ts';
import { everyNode } from '../../lib/models/node.ts';
import { attachmentsOf } from '../../lib/models/attachment.ts';
import type { Processes } from '../../lib/process.ts';
import { connect } from '../../lib/redis/connection.ts';
import { Store } from '../../lib/redis/store.ts';
import { protocolOf } from '../../lib/targets/registry.ts';

/** Volumes whose attachments are compared: reading all of a large cluster takes too long. */
const maxVolumes = 10_000;
const cannot = 'this host cannot connect iSCSI volumes';

/** Hosts with another machine id that were admitted by a name of this one. */
interface Twins {
  initiator?: string;
  nqn?: string;
}

/** What the cluster tells about its hosts. */
export interface ClusterUse {
  /** What its backends export by; none: no node has reported. */
  targets: ReadonlySet<string>;
  twins: Twins;
}

/** Returns undefined where Redis does not answer, which another check reports. */
export async function readClusterUse({ flags }: LoadedFlags): Promise<ClusterUse | undefined> {
  try {
    const connection = await connect(flags, silentLog);
    try {
      const store = new Store(connection, flags.redis_prefix);
      const { nodes } = await everyNode(store);
      const targets = new Set(nodes.flatMap(({ backends }) => backends.map(({ target }) => target)));
      return { targets, twins: await twinsIn(store, targets) };
    } finally {
      await connection.close();
    }
  } catch {
    return undefined;
  }
}

function usesIscsi(targets: ReadonlySet<string>): boolean {
  return [...targets].some((target) => protocolOf(target) === 'iscsi');
}

async function twinsIn(store: Store, targets: ReadonlySet<string>): Promise<Twins> {
  const protocols = new Set([...targets].map(protocolOf));
  if (!protocols.has('iscsi') && !protocols.has('nvme')) return {};
  const [initiator, nqn, { machine }] = await Promise.all([initiatorOfHost(), nqnOfHost(), readMachineId()]);
  const twins: Twins = {};
  if (machine === '') return twins;
  let count = 0;
  for await (const { hostId, hostName, hosts } of attachmentsOf(store).iterate(store.keys.attachments())) {
    const isOther = hostId !== '' && hostId !== machine;
    if (isOther && 'name' in initiator && hosts.includes(initiator.name)) twins.initiator = hostName || hostId;
    if (isOther && 'name' in nqn && hosts.includes(nqn.name)) twins.nqn = hostName || hostId;
    count += 1;
    if (count === maxVolumes) break;
  }
  return twins;
}

export interface InitiatorOptions {
  use: ClusterUse | undefined;
  /** Default: a problem is only a warning. */
  isRequired?: boolean;
  /** Default: that of the host. */
  nameFile?: string;
}

/** Checks what a host needs to connect iSCSI volumes, where the cluster has such volumes. */
export async function checkInitiator(
  processes: Processes,
  { use, isRequired = false, nameFile }: InitiatorOptions,
): Promise<readonly Finding[]> {
  if (use === undefined || !usesIscsi(use.targets)) return [];
  const level = isRequired ? bad : warn;
  if (!(await isInstalled(processes))) {
    return [level(`${cannot}: open-iscsi is not installed`, 'apt-get install open-iscsi')];
  }
  const found = await initiatorOfHost(nameFile);
  const problems = await Promise.all([checkTransport(processes), checkDaemon(processes)]);
  const findings = problems.flatMap((problem) => (problem ? [level(`${cannot}: ${problem[0]}`, problem[1])] : []));
  if (!('name' in found)) return [level(`${cannot}: ${found.reason}`, found.hint), ...findings];
  if (use.twins.initiator !== undefined) {
    const hint =
      'one is a clone of the other; give one of them another name, without attached volumes: ' +
      'echo "InitiatorName=$(iscsi-iname)" >/etc/iscsi/initiatorname.iscsi; systemctl restart iscsid';
    return [
      bad(`host ${use.twins.initiator} has the iSCSI initiator name of this host, ${found.name}`, hint),
      ...findings,
    ];
  }
  return findings.length > 0 ? findings : [ok(`this host is the iSCSI initiator ${found.name}`)];
}

async function isInstalled(processes: Processes): Promise<boolean> {
  try {
    await processes.run('iscsiadm', ['--version']);
    return true;
  } catch (error) {
    if (error instanceof CommandError) return !error.failure.notFound;
    throw error;
  }
}

type Problem = [reason: string, hint: string];

async function checkTransport(processes: Processes): Promise<Problem | undefined> {
  if (existsSync('/sys/module/iscsi_tcp')) return undefined;
  try {
    await processes.run('modinfo', ['iscsi_tcp']);
    return undefined;
  } catch (error) {
    if (!(error instanceof CommandError) || error.failure.exitCode !== 1) throw error;
    return ['the kernel module iscsi_tcp is missing', 'run a kernel with CONFIG_ISCSI_TCP'];
  }
}

/** iscsiadm starts iscsid by its socket, unless that is masked. */
async function checkDaemon(processes: Processes): Promise<Problem | undefined> {
  if (await isRunning('iscsid')) return undefined;
  try {
    const { stdout } = await processes.run('systemctl', ['show', '--property=LoadState', '--value', 'iscsid.socket']);
    if (stdout.trim() === 'loaded') return undefined;
    return [
      `iscsid does not run, and its socket is ${stdout.trim()}`,
      'systemctl unmask iscsid.socket iscsid.service; systemctl start iscsid.socket',
    ];
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return ['iscsid does not run, and there is no systemd to start it', 'start it: iscsid'];
  }
}
