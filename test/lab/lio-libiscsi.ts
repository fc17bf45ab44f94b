import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, truncate } from 'node:fs/promises';
import { newChap } from '../../lib/models/chap.ts';
import { LioMachine, prefix } from './lio-machine.ts';

// Runs on a lab machine: node test/lab/lio-libiscsi.ts <disk>. Prints what the conformance test of libiscsi prints.

const machine = await LioMachine.create(process.argv[2] ?? '');
const [one, other] = machine.hosts;
const chap = newChap();
const spec = { ...(await machine.volume()), hosts: [one, other].toSorted(), chap };
await truncate(spec.path, 100 * 2 ** 20);
await (await machine.target()).ensureExport(spec);
// Where packages of LIO have made it, the kernel keeps reservations there: a node need not have it.
await rm('/var/target', { recursive: true, force: true });
const { ip, port } = machine.portal;
const url = `iscsi://${chap.user}%${chap.secret}@${ip}:${port}/${prefix}volume-${spec.id}/1`;
const args = ['--dataloss', '-n', '-t', 'ALL', '-i', one, '-I', other, url];
const test = spawn('iscsi-test-cu', args, { stdio: ['ignore', 'inherit', 'inherit'] });
await once(test, 'close');
await machine.reset();
