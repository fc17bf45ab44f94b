import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { parseAddress } from '../../../../lib/aoe/address.ts';
import type { ExportSpec } from '../../../../lib/targets/target.ts';
import type { HostSession } from '../conformance.ts';

const program = new URL('../../../support/aoe-host.pl', import.meta.url).pathname;
const sectorBytes = 512;
/** A host that is not admitted hears nothing: an export that takes longer to answer is taken for one. */
const patienceMs = 8000;

/** A host on the interface, by its Ethernet address. AoE has no login: a session is a host that has had answers. */
export class AoeSession implements HostSession {
  readonly host: string;
  readonly address: string;
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly answers: AsyncIterator<string>;

  /** Throws where nothing answers the host. */
  static async open({ address }: ExportSpec, host: string, networkInterface: string): Promise<AoeSession> {
    const session = new AoeSession(address, host, networkInterface);
    try {
      await session.request('identify');
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  private constructor(address: string, host: string, networkInterface: string) {
    const { shelf, slot } = parseAddress(address);
    this.host = host;
    this.address = address;
    const args = [program, networkInterface, host, String(shelf), String(slot), String(patienceMs)];
    this.child = spawn('perl', args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  get isClosed(): boolean {
    return this.child.stdin.writableEnded;
  }

  async write(offset: number, data: Buffer): Promise<void> {
    await this.request(`write ${offset / sectorBytes} ${data.toString('hex')}`);
  }

  async read(offset: number, length: number): Promise<Buffer> {
    return Buffer.from(await this.request(`read ${offset / sectorBytes} ${length / sectorBytes}`), 'hex');
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    const ended = once(this.child, 'exit');
    this.child.stdin.end();
    await ended;
  }

  /** Returns the bytes of the answer, in hexadecimal. */
  private async request(line: string): Promise<string> {
    this.child.stdin.write(`${line}\n`);
    const { value } = await this.answers.next();
    if (typeof value !== 'string' || !value.startsWith('ok ')) throw new Error(`${this.address}: ${value}`);
    return value.slice('ok '.length);
  }
}
