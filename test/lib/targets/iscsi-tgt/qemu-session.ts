import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { portalText, tryParseIscsiAddress } from '../../../../lib/iscsi/address.ts';
import type { Chap, ExportSpec } from '../../../../lib/targets/target.ts';
import type { HostSession } from '../conformance.ts';

/** A command that takes longer waits for an export that is gone: qemu logs in again for ever. */
const answerMs = 20_000;
const loginMs = 60_000;
const prompt = 'qemu-io> ';

/** A host that logs in with libiscsi, in a qemu-io that keeps its session. Throws where it is denied. */
export async function qemuLogin(spec: ExportSpec, host: string, chap?: Chap): Promise<HostSession> {
  try {
    return await QemuSession.open(spec, host, chap, false);
  } catch (error) {
    if (!String(error).includes('write protected')) throw error;
    return QemuSession.open(spec, host, chap, true);
  }
}

class QemuSession implements HostSession {
  private readonly child: ChildProcessWithoutNullStreams;
  private output = '';
  /** Comes before or after the prompt: they are two pipes. */
  private complaints = '';
  /** It has ended, and all its output is there. */
  private isClosed = false;

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.child = child;
    child.stdout.on('data', (chunk: Buffer) => {
      this.output += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.complaints += chunk.toString();
    });
    child.stdin.on('error', () => {}); // it has ended
    child.once('close', () => {
      this.isClosed = true;
    });
  }

  static async open(spec: ExportSpec, host: string, chap: Chap | undefined, readOnly: boolean): Promise<QemuSession> {
    const { ip, port, targetName, lun } = tryParseIscsiAddress(spec.address) ?? {
      ip: '',
      port: 0,
      targetName: '',
      lun: 0,
    };
    const image = [
      'driver=iscsi,transport=tcp',
      `portal=${portalText({ ip, port })},target=${targetName},lun=${lun},initiator-name=${host}`,
      ...(chap ? [`user=${chap.user},password-secret=chap`] : []),
    ].join(',');
    const secret = chap ? ['--object', `secret,id=chap,data=${chap.secret}`] : [];
    const args = [...secret, ...(readOnly ? ['-r'] : []), '--image-opts', image];
    const session = new QemuSession(spawn('qemu-io', args));
    await session.answer(loginMs);
    return session;
  }

  async write(offset: number, data: Buffer): Promise<void> {
    const [pattern = 0] = data;
    if (!data.every((byte) => byte === pattern)) throw new Error('qemu-io writes only bytes that are all the same');
    const answer = await this.request(`write -P ${pattern} ${offset} ${data.length}`);
    if (!answer.includes(`wrote ${data.length}/${data.length} bytes`)) throw new Error(answer);
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const answer = await this.request(`read -v ${offset} ${length}`);
    if (!answer.includes(`read ${length}/${length} bytes`)) throw new Error(answer);
    const rows = [...answer.matchAll(/^[0-9a-f]{8,}: +((?:[0-9a-f]{2} ){1,16})/gm)];
    return Buffer.from(
      rows
        .map(([, bytes]) => bytes)
        .join('')
        .replaceAll(' ', ''),
      'hex',
    );
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.stdin.end('quit\n');
    const ended = once(this.child, 'exit');
    await Promise.race([ended, pause(1000)]);
    this.child.kill('SIGKILL');
    await ended;
  }

  private async request(command: string): Promise<string> {
    this.output = '';
    this.complaints = '';
    this.child.stdin.write(`${command}\n`);
    return this.answer(answerMs);
  }

  /** Up to the next prompt; throws where it ends, or takes too long. */
  private async answer(ms: number): Promise<string> {
    const end = performance.now() + ms;
    while (performance.now() < end) {
      if (this.output.endsWith(prompt)) return this.output;
      if (this.isClosed) throw new Error(this.output + this.complaints);
      await pause(10);
    }
    this.child.kill('SIGKILL');
    throw new Error(`qemu-io does not answer: ${this.output}${this.complaints}`);
  }
}
