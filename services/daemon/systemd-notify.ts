import { asError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Processes } from '../../lib/process.ts';
import type { Service } from '../../lib/service.ts';

/**
 * Reports readiness and watchdog signals to systemd (sd_notify(3)); does nothing without systemd. It runs systemd-notify,
 * because Node.js has no unix datagram sockets.
 */
export class SystemdNotify implements Service {
  readonly name = 'systemd-notify';
  private readonly processes: Processes;
  private readonly log: Log;
  private readonly env: NodeJS.ProcessEnv;
  private timer: NodeJS.Timeout | undefined;

  constructor(processes: Processes, log: Log, env: NodeJS.ProcessEnv = process.env) {
    this.processes = processes;
    this.log = log;
    this.env = env;
  }

  async start(): Promise<void> {
    if (this.env['NOTIFY_SOCKET'] === undefined) return;
    await this.notify('--ready');
    const watchdogMs = Number(this.env['WATCHDOG_USEC'] ?? 0) / 1000;
    if (watchdogMs > 0) this.timer = setInterval(() => void this.notify('WATCHDOG=1'), watchdogMs / 3);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    if (this.env['NOTIFY_SOCKET'] !== undefined) await this.notify('STOPPING=1');
  }

  private async notify(state: string): Promise<void> {
    const env = { NOTIFY_SOCKET: this.env['NOTIFY_SOCKET'] ?? '' };
    try {
      await this.processes.run('systemd-notify', [state], { timeoutMs: 5000, env });
    } catch (error) {
      this.log.warn(`could not notify systemd of ${state}: ${asError(error).message}`);
    }
  }
}
