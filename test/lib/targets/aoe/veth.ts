import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';

const execute = promisify(execFile);

/** A cable between two interfaces of this machine: frames sent on one are received on the other. */
export class Veth {
  /** Where the code under test is. */
  readonly near: string;
  /** Where other machines are. */
  readonly far: string;

  private constructor(name: string) {
    this.near = `${name}a`;
    this.far = `${name}b`;
  }

  /** Up, unless told otherwise, and gone with the test. */
  static async create(t: ExecutionContext, { up = true } = {}): Promise<Veth> {
    const veth = new Veth(`bs${randomBytes(4).toString('hex')}`);
    await execute('ip', ['link', 'add', veth.near, 'type', 'veth', 'peer', 'name', veth.far]);
    t.teardown(() => veth.remove());
    if (up) for (const name of [veth.near, veth.far]) await execute('ip', ['link', 'set', name, 'up']);
    return veth;
  }

  async set(...words: string[]): Promise<void> {
    await execute('ip', ['link', 'set', this.near, ...words]);
  }

  /** Removed, and made again under the same names, as by a reload of its driver. */
  async remake(): Promise<void> {
    await this.remove();
    await execute('ip', ['link', 'add', this.near, 'type', 'veth', 'peer', 'name', this.far]);
    for (const name of [this.near, this.far]) await execute('ip', ['link', 'set', name, 'up']);
  }

  async remove(): Promise<void> {
    await execute('ip', ['link', 'del', this.near]).catch(() => {}); // a test may have removed it
  }

  /** Ethernet address of an end. */
  async address(name: string): Promise<string> {
    return (await readFile(`/sys/class/net/${name}/address`, 'utf8')).trim();
  }
}

/** Starts a script in Perl that says "ready", and ends it with the test. */
export async function startPerl(t: ExecutionContext, script: URL, ...args: string[]): Promise<ChildProcess> {
  const child = spawn('perl', [script.pathname, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  await once(child.stdout, 'data');
  return child;
}
