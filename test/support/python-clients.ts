import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const python = '/usr/bin/python3';
const runner = fileURLToPath(new URL('python-clients.py', import.meta.url));

/** Whether Debian's packages python3-cinderclient and python3-openstackclient are there. */
export const arePythonClientsThere = existsSync('/usr/bin/cinder') && existsSync('/usr/bin/openstack');

const endSchema = z.object({ code: z.unknown(), output: z.string(), errors: z.string() });

/** How a command of a client ended. */
export interface ClientEnd {
  succeeded: boolean;
  output: string;
  errors: string;
}

/** The command lines of the Block Storage API from Debian, in one process of Python. The caller disposes of it. */
export class PythonClients implements AsyncDisposable {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly lines: AsyncIterator<string>;
  readonly url: string;
  private readonly project: string;
  private errors = '';

  /** `url`: of the API, without a path; `env`: variables of the environment beside those of the test. */
  constructor(url: string, project: string, env: Readonly<Record<string, string>> = {}) {
    this.url = url;
    this.project = project;
    this.child = spawn(python, ['-W', 'ignore', runner], { env: { ...process.env, ...env } });
    this.child.stderr.on('data', (data: Buffer) => (this.errors += data.toString()));
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  cinder(...words: readonly string[]): Promise<ClientEnd> {
    const { url, project } = this;
    const common = ['--os-auth-type', 'noauth', '--os-endpoint', `${url}/v3`, '--os-project-id', project];
    return this.run('cinder', [...common, '--os-user-id', 'admin', ...words]);
  }

  openstack(...words: readonly string[]): Promise<ClientEnd> {
    const { url, project } = this;
    const token = ['--os-auth-type', 'admin_token', '--os-token', `admin:${project}`];
    return this.run('openstack', [...token, '--os-endpoint', `${url}/v3/${project}`, ...words]);
  }

  /** Calls a method of the volumes of cinder's library, for what no command line does; the output is JSON. */
  library(method: string, ...given: readonly unknown[]): Promise<ClientEnd> {
    const { url, project } = this;
    return this.run('library', [url, project, method, ...given.map((value) => JSON.stringify(value))]);
  }

  /** `program` with its arguments as they are. One command at a time. */
  async run(program: 'cinder' | 'openstack' | 'library', given: readonly string[]): Promise<ClientEnd> {
    this.child.stdin.write(`${JSON.stringify({ program, arguments: given })}\n`);
    const line = await this.lines.next();
    if (line.done) throw new Error(`the clients ended: ${this.errors}`);
    const { code, output, errors } = endSchema.parse(JSON.parse(line.value));
    return { succeeded: code === 0, output, errors };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null) return;
    this.child.stdin.end();
    await new Promise((resolve) => this.child.once('exit', resolve));
  }
}

/** Returns the rows of a table that a client printed, by the name in their first column, or of a list by their first column. */
export function rowsOf(output: string): Map<string, string[]> {
  const rows = output
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  return new Map(rows.map(([name = '', ...cells]) => [name, cells]));
}

/** Returns one field of an object that a client printed. */
export function fieldOf(output: string, name: string): string {
  return rowsOf(output).get(name)?.[0] ?? '';
}
