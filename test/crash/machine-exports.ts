import { volumeUnit } from '../../lib/iscsi/address.ts';
import { parseArguments } from '../../lib/targets/aoe/arguments.ts';
import { foundAddress } from '../../lib/iscsi/portal-target.ts';
import type { Chap, FoundExport } from '../../lib/targets/target.ts';

/** An export of a machine as a crash test sees it, without the daemon. */
export interface MachineExport {
  found: Pick<FoundExport, 'id' | 'address'>;
  /** Another one once the export was made anew. */
  identity: string;
}

/** What the target of a machine has made, and scripts that end it without the daemon. */
export interface MachineExports {
  /** Flags of the daemon. */
  readonly flags: Readonly<Record<string, string>>;
  /** A host that volumes are attached to. */
  readonly host: string;
  /** `rows` are the lines of read-machine.pl. */
  list(rows: readonly string[]): MachineExport[];
  /** Lines that must be the same with and without a crash. `secretOf` returns that of a volume's record. */
  lines(rows: readonly string[], secretOf: (id: string) => Chap | undefined): string[];
  /** Ends an export, which the daemon is to restore. */
  break(id: string): string;
  /** Removes all of an export: nothing has its storage open. */
  remove(id: string): string;
  removeAll(): string;
}

/** Returns the words of the rows that begin with `kind`. */
function wordsOf(kind: string, rows: readonly string[]): string[][] {
  return rows.filter((row) => row.startsWith(`${kind} `)).map((row) => row.slice(kind.length + 1).split(' '));
}

/** Exports over AoE: a process each. */
export class MachineVblades implements MachineExports {
  readonly flags = { aoe_eth_dev: 'vec0' };
  readonly host = '52:54:00:77:00:01';

  list(rows: readonly string[]): MachineExport[] {
    return wordsOf('vblade', rows).flatMap(([pid = '', , ...args]) => {
      const found = parseArguments(args);
      return found ? [{ found: { ...found, id: found.path.slice(-36) }, identity: pid }] : [];
    });
  }

  lines(rows: readonly string[]): string[] {
    return wordsOf('vblade', rows).map((words) => `export ${words.slice(2).join(' ')}`);
  }

  /** Kills the current ones; the daemon can have started another one by then. */
  break(id: string): string {
    return `for pid in $(pgrep -f '^([^ ]*/)?vblade .*${id}')
do kill -KILL $pid; while grep -q '${id}' /proc/$pid/cmdline 2>/dev/null; do sleep 0.02; done
done`;
  }

  remove(id: string): string {
    return this.break(id);
  }

  removeAll(): string {
    return `[ ! -d /run/systemd/system ] || systemctl stop 'blockstore-vblade*'
pkill -KILL -x vblade; while pgrep -x vblade >/dev/null; do sleep 0.1; done`;
  }
}

const configfs = '/sys/kernel/config/target';
const portal = '10.77.0.11:3260';

/** Exports by the kernel's iSCSI target: objects in configfs. */
export class MachineKernelTargets implements MachineExports {
  readonly flags = { volume_target: 'iscsi-lio', iscsi_ip_address: '10.77.0.11' };
  readonly host = 'iqn.1993-08.org.debian:01:crash';

  /** A target that is not enabled serves nobody. */
  list(rows: readonly string[]): MachineExport[] {
    return wordsOf('target', rows).flatMap(([identity = '', name = '', ...settings]) =>
      settings.includes('enable=1')
        ? [{ found: { id: name.slice(-36), address: foundAddress(portal, name, volumeUnit) }, identity }]
        : [],
    );
  }

  lines(rows: readonly string[], secretOf: (id: string) => Chap | undefined): string[] {
    const targets = wordsOf('target', rows).map(([, name = '', ...settings]) => {
      const { user, secret } = secretOf(name.slice(-36)) ?? {};
      const known = (setting: string) =>
        setting
          .replace(`/userid=${user}`, '/userid of the record')
          .replace(`/password=${secret}`, '/password of the record');
      return `export ${[name, ...settings.map(known)].join(' ')}`;
    });
    return [...targets, ...wordsOf('backstore', rows).map((words) => `backstore ${words.join(' ')}`)];
  }

  break(id: string): string {
    return `for group in ${configfs}/iscsi/*:volume-${id}/tpgt_1; do echo 0 >$group/enable; done`;
  }

  remove(id: string): string {
    return removeTargets(`volume-${id}`);
  }

  removeAll(): string {
    return `pkill -KILL -x 'rmdir|tee'\n${removeTargets('volume-*')}`;
  }
}

/** The daemon can be making one: until nothing is left. */
function removeTargets(names: string): string {
  return `if cd ${configfs} 2>/dev/null; then
for try in $(seq 50); do
  for target in iscsi/*:${names}; do
    [ ! -d $target/tpgt_1 ] || echo 0 >$target/tpgt_1/enable
    for part in acls lun; do find $target/tpgt_1/$part -type l -delete; done
    (cd $target/tpgt_1 && rmdir acls/*/lun_* acls/* np/* lun/lun_*; cd .. && rmdir tpgt_1)
    rmdir $target
  done
  rmdir core/*_2010/${names}
  [ -n "$(ls -d iscsi/*:${names} core/*_2010/${names})" ] || break
  sleep 0.1
done 2>/dev/null
cd - >/dev/null
fi`;
}
