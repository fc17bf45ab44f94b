import path from 'node:path';
import { errors } from '../errors.ts';
import type { ValuesOf } from '../flags/flag.ts';
import type { Processes } from '../process.ts';
import type { sanFlags } from './flags.ts';
import { KnownHosts } from './known-hosts.ts';
import { LocalShell } from './local-shell.ts';
import type { SanShell } from './shell.ts';
import { SshConnection } from './ssh-connection.ts';
import { type Dialect, SshShell } from './ssh-shell.ts';

export type SanFlags = ValuesOf<typeof sanFlags> & { state_dir: string };

/** Connections of this process: driver and target of a backend have one in common. */
const connections = new Map<string, SshConnection>();

/** Returns what runs commands on the storage that the flags describe; for a check, nothing is written. Throws InvalidFlags. */
export function openShell(flags: SanFlags, dialect: Dialect, processes: Processes, isCheck = false): SanShell {
  if (flags.san_ip === '') throw errors.invalidFlags(['san_ip must be set: the address of the storage']);
  if (flags.san_is_local) return new LocalShell(processes, dialect);
  return new SshShell(connectionFor(flags, !isCheck), dialect);
}

function connectionFor(flags: SanFlags, keepNew: boolean): SshConnection {
  const {
    san_ip: ip,
    san_ssh_port: port,
    san_login: login,
    san_password: password,
    san_private_key: privateKey,
  } = flags;
  if (password === '' && privateKey === '') {
    throw errors.invalidFlags(['san_password or san_private_key must be set, or san_is_local']);
  }
  const file = path.join(flags.state_dir, 'san', 'known_hosts');
  const acceptNew = flags.san_accept_new_host_key;
  const key = JSON.stringify([ip, port, login, password, privateKey, file, acceptNew, keepNew]);
  const connection =
    connections.get(key) ??
    new SshConnection({
      ip,
      port,
      login,
      password,
      privateKey,
      knownHosts: new KnownHosts({ file, ip, port, acceptNew, keepNew }),
    });
  connections.set(key, connection);
  return connection;
}
