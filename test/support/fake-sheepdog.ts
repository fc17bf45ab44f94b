import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { SheepdogDriver, type SheepdogOptions } from '../../lib/drivers/sheepdog/driver.ts';
import { absentAs } from '../../lib/files.ts';
import { ChildProcesses } from '../../lib/process.ts';

const program = fileURLToPath(new URL('fake-dog/dog', import.meta.url));
const firstPort = 7001;

/** What a test has the stand-in do; see there. */
type Control = 'down' | 'unformatted' | 'waiting' | 'refuse-delete' | 'refuse-create' | 'refuse-setattr' | 'half';

let standIns: Promise<string> | undefined;
let clusters = 0;

/** Puts the stand-in of dog on PATH, for this process and its children. Returns its directory, which ends with this process. */
async function useStandIn(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'fake-dog-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  await symlink(program, path.join(directory, 'dog'));
  process.env['PATH'] = `${directory}:${process.env['PATH'] ?? ''}`;
  return directory;
}

/** A Sheepdog cluster of the stand-in of dog (`fake-dog/dog`), empty, running, and reached at a port of its own. */
export class FakeSheepdog {
  readonly port: number;
  /** With the stand-in, and with the directory of the cluster named after the port. */
  readonly directory: string;
  private readonly format: { size: number; copies: number };

  /** `sizeBytes` are for data with all its copies. */
  static async start(sizeBytes: number, copies = 1): Promise<FakeSheepdog> {
    standIns ??= useStandIn();
    const cluster = new FakeSheepdog(await standIns, { size: sizeBytes, copies });
    await cluster.clear();
    return cluster;
  }

  private constructor(directory: string, format: { size: number; copies: number }) {
    this.directory = directory;
    this.format = format;
    this.port = firstPort + clusters;
    clusters += 1;
  }

  /** The cluster is as after its start. */
  async clear(): Promise<void> {
    await rm(this.file(), { recursive: true, force: true });
    await mkdir(this.file());
    for (const [name, value] of Object.entries(this.format)) await writeFile(this.file(name), String(value));
  }

  options(copies = 1): SheepdogOptions {
    return { address: '127.0.0.1', port: this.port, copies };
  }

  driver(copies = 1): SheepdogDriver {
    return new SheepdogDriver(this.options(copies), { processes: new ChildProcesses() });
  }

  async set(control: Control): Promise<void> {
    await writeFile(this.file(control), '');
  }

  async unset(control: Control): Promise<void> {
    await rm(this.file(control));
  }

  /** Runs dog as an administrator does, or another program that uses the cluster. */
  async dog(noun: string, verb: string, ...args: string[]): Promise<string> {
    return (await new ChildProcesses().run('dog', [noun, verb, '-p', String(this.port), ...args])).stdout;
  }

  async write(image: string, offset: number, data: string): Promise<void> {
    const args = ['vdi', 'write', '-p', String(this.port), image, String(offset)];
    await new ChildProcesses().run('dog', args, { input: data });
  }

  /** `from` is an image, or a snapshot as `image:tag`. */
  async read(from: string, offset: number, length: number): Promise<string> {
    const [image = '', tag] = from.split(':');
    return this.dog('vdi', 'read', ...(tag === undefined ? [] : ['-s', tag]), image, String(offset), String(length));
  }

  /** Commands that ran while another one ran for the same image. */
  async violations(): Promise<string> {
    return (await absentAs(undefined, readFile(this.file('violations'), 'utf8'))) ?? '';
  }

  private file(name = ''): string {
    return path.join(this.directory, String(this.port), name);
  }
}
