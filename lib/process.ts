import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { type Options, execa } from 'execa';
import { childEnvironment } from './child-environment.ts';
import { CommandError, noSudo } from './command-error.ts';

/** Starts every child process of the product; the I/O boundary where tests substitute fakes and inject faults. */
export interface Processes {
  /** Runs a command and returns its output. Throws CommandError. */
  run(command: string, args: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Starts a command that outlives this process and appends its output to a file. Returns its process id. */
  detach(command: string, args: readonly string[], options: { logFile: string; asRoot?: boolean }): Promise<number>;
  /** Runs a short command whose standard input is that open file of this process. Throws CommandError. */
  runOnFile(command: string, args: readonly string[], descriptor: number): Promise<void>;
  /** Starts a command whose data are piped: written to its standard input, or read from its standard output. */
  pipe(command: string, args: readonly string[], options: PipeOptions): PipedProcess;
  /** Starts a resident child with pipes on standard input, output, error and descriptor 3. */
  resident(command: string, args: readonly string[], env: Record<string, string>): ResidentProcess;
}

export interface RunOptions {
  /** Default 60,000. The call ends at most a few seconds later, even if the command cannot be killed. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Runs through sudo when this process is not root. */
  asRoot?: boolean;
  input?: string;
  env?: Record<string, string>;
  /** Called with each part of the standard output. */
  onOutput?: (text: string) => void;
}

export type PipeOptions = Pick<RunOptions, 'signal' | 'asRoot'> & { timeoutMs: number };

export interface PipedProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when the command has ended with success. Throws CommandError. */
  readonly ended: Promise<void>;
}

export interface RunResult {
  stdout: string;
  stderr: string;
}

export interface ResidentProcess {
  readonly pid: number | undefined;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Descriptor 3. */
  readonly reports: Readable;
  /** Resolves when the child has ended, failed to start, or survived SIGKILL. */
  readonly ended: Promise<void>;
  kill(signal?: NodeJS.Signals): void;
}

const defaultTimeoutMs = 60_000;
/** Time between SIGTERM and SIGKILL. */
const politeMs = 2000;
/** Maximum wait for a killed child: one that hangs in the kernel does not die. */
const abandonMs = politeMs + 2000;
/** Maximum wait for the output of an ended child: its children can hold the pipes open. */
const outputMs = 500;

export class ChildProcesses implements Processes {
  async run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const [file, list] = withRoot(command, args, options.asRoot ?? false);
    const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    const settings = {
      env: childEnvironment(options.env),
      extendEnv: false,
      timeout: timeoutMs,
      forceKillAfterDelay: politeMs,
      stdin: options.input === undefined ? 'ignore' : 'pipe',
      reject: false,
      maxBuffer: 64 * 2 ** 20,
      ...(options.input === undefined ? {} : { input: options.input }),
      ...(options.signal ? { cancelSignal: options.signal } : {}),
    } satisfies Options;
    const child = execa(file, list, settings);
    if (options.onOutput) child.stdout.setEncoding('utf8').on('data', options.onOutput);
    const result = await within(timeoutMs, child, options.signal);
    if (!result) {
      closePipes(child);
      const isCanceled = options.signal?.aborted ?? false;
      throw commandError(command, args, { timedOut: !isCanceled, isCanceled });
    }
    if (result.failed) throw commandError(command, args, file === command ? result : withoutSudo(result));
    return { stdout: result.stdout, stderr: result.stderr };
  }

  async detach(
    command: string,
    args: readonly string[],
    options: { logFile: string; asRoot?: boolean },
  ): Promise<number> {
    const [file, list] = withRoot(command, args, options.asRoot ?? false);
    const env = childEnvironment();
    const log = await open(options.logFile, 'a');
    try {
      // Not with execa: it cannot pass a file descriptor to the child, and a pipe would bind the child to this process.
      const child = spawn(file, list, {
        env,
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
      });
      await once(child, 'spawn').catch((error: NodeJS.ErrnoException) => {
        const result = { timedOut: false, isCanceled: false, code: error.code, stderr: error.message };
        throw commandError(command, args, file === command ? result : withoutSudo(result));
      });
      child.unref();
      return child.pid ?? 0;
    } finally {
      await log.close();
    }
  }

  async runOnFile(command: string, args: readonly string[], descriptor: number): Promise<void> {
    // Not by execa either, for the same reason.
    const child = spawn(command, args, {
      env: childEnvironment(),
      stdio: [descriptor, 'ignore', 'pipe'],
      timeout: defaultTimeoutMs,
    });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
    });
    const failure = { timedOut: false, isCanceled: false };
    const [exitCode, signal] = await once(child, 'close').catch((error: NodeJS.ErrnoException) => {
      throw commandError(command, args, { ...failure, code: error.code, stderr: error.message });
    });
    if (exitCode === 0) return;
    throw commandError(command, args, {
      ...failure,
      exitCode: exitCode ?? undefined,
      signal: signal ?? undefined,
      stderr,
    });
  }

  pipe(command: string, args: readonly string[], { signal, asRoot = false, timeoutMs }: PipeOptions): PipedProcess {
    const [file, list] = withRoot(command, args, asRoot);
    const child = execa(file, list, {
      env: childEnvironment(),
      extendEnv: false,
      timeout: timeoutMs,
      forceKillAfterDelay: politeMs,
      stdin: 'pipe',
      reject: false,
      buffer: { stdout: false, stderr: true },
      ...(signal ? { cancelSignal: signal } : {}),
    } satisfies Options);
    child.stdin.on('error', () => {}); // EPIPE of an ended child; see `ended`
    const end = async () => {
      const result = await within(timeoutMs, child, signal);
      if (!result) {
        closePipes(child);
        const isCanceled = signal?.aborted ?? false;
        throw commandError(command, args, { timedOut: !isCanceled, isCanceled });
      }
      if (result.failed) throw commandError(command, args, file === command ? result : withoutSudo(result));
    };
    const ended = end();
    ended.catch(() => undefined); // whoever reads or writes learns it from the pipe
    return { stdin: child.stdin, stdout: child.stdout, ended };
  }

  resident(command: string, args: readonly string[], env: Record<string, string>): ResidentProcess {
    const child = execa(command, args, {
      env: childEnvironment(env),
      extendEnv: false,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      buffer: false,
      reject: false,
    });
    const reports = child.stdio[3];
    child.stdin.on('error', () => {}); // EPIPE of an ended child; see `ended`
    const { promise: abandoned, resolve: abandon } = Promise.withResolvers<void>();
    const exited = new Promise<void>((resolve) =>
      child.nodeChildProcess.once('exit', () => setTimeout(resolve, outputMs).unref()),
    );
    return {
      pid: child.pid,
      stdin: child.stdin,
      stdout: child.stdout,
      stderr: child.stderr,
      reports,
      // Its children can outlive it with its pipes, and would keep this process from ending.
      ended: Promise.race([child.then(() => {}), exited, abandoned]).finally(() => closePipes(child)),
      kill: (signal = 'SIGTERM') => {
        child.kill(signal);
        if (signal === 'SIGKILL') setTimeout(abandon, abandonMs).unref();
      },
    };
  }
}

interface ChildHandle {
  stdio: readonly ({ destroy(): unknown } | null | undefined)[];
  nodeChildProcess: { unref(): void };
}

/** Detaches the child and its pipes, so that this process can end. */
function closePipes({ stdio, nodeChildProcess }: ChildHandle): void {
  for (const stream of stdio) stream?.destroy();
  nodeChildProcess.unref();
}

/** Returns undefined when the child survives its kill, by time limit or signal, for too long. */
async function within<T>(timeoutMs: number, child: PromiseLike<T>, signal?: AbortSignal): Promise<T | undefined> {
  const { promise: abandoned, resolve } = Promise.withResolvers<undefined>();
  const timers = [setTimeout(resolve, timeoutMs + abandonMs, undefined)];
  const hasten = () => timers.push(setTimeout(resolve, abandonMs, undefined));
  signal?.addEventListener('abort', hasten, { once: true });
  try {
    return await Promise.race([child, abandoned]);
  } finally {
    signal?.removeEventListener('abort', hasten);
    for (const timer of timers) clearTimeout(timer);
  }
}

function withRoot(command: string, args: readonly string[], asRoot: boolean): [string, readonly string[]] {
  const needsSudo = asRoot && process.getuid?.() !== 0;
  return needsSudo ? ['sudo', ['-n', command, ...args]] : [command, args];
}

interface FailedResult {
  exitCode?: number | undefined;
  signal?: string | undefined;
  timedOut: boolean;
  isCanceled: boolean;
  code?: string | undefined;
  stdout?: unknown;
  stderr?: unknown;
  /** Returns the system's error when the command could not start. */
  originalMessage?: string | undefined;
}

/** Where sudo itself is missing, nothing is known of the command. */
function withoutSudo(result: FailedResult): FailedResult {
  return result.code === 'ENOENT' ? { ...result, code: undefined, stderr: noSudo } : result;
}

function commandError(command: string, args: readonly string[], result: FailedResult): CommandError {
  return new CommandError({
    command: [command, ...args].join(' '),
    exitCode: result.exitCode,
    signal: result.signal,
    timedOut: result.timedOut,
    cancelled: result.isCanceled,
    notFound: result.code === 'ENOENT',
    stdout: typeof result.stdout === 'string' ? result.stdout : '',
    stderr: (typeof result.stderr === 'string' ? result.stderr : '') || (result.originalMessage ?? ''),
  });
}
