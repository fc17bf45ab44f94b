import { isIPv6 } from 'node:net';
import { errors } from '../../lib/errors.ts';

/** Callers that are remembered; one that sends nothing for a while is as a new one. */
const maxCallers = 10_000;
/** Seconds after which a caller can try again that has too many requests under way. */
const retryBusyAfter = 1;

export interface LimitOptions {
  /** Requests a second of one caller; 0 = no limit. */
  rate: number;
  /** Requests that a caller can send at once after a pause. */
  burst: number;
  /** Requests under way of one caller, and altogether. */
  perCaller: number;
  total: number;
  /** In milliseconds, of a clock that only advances. */
  now?: () => number;
}

interface Usage {
  /** Requests that the caller could send at once at that time. */
  tokens: number;
  at: number;
  underWay: number;
}

/** Bounds the requests of each caller in time and at a time, and those of all callers at a time. In the memory of this process. */
export class RequestLimits {
  private readonly options: Required<LimitOptions>;
  /** Who sent something last is last. */
  private readonly usages = new Map<string, Usage>();
  private underWay = 0;

  constructor(options: LimitOptions) {
    this.options = { now: () => performance.now(), ...options };
  }

  /**
   * Runs the work of a request, which calls `admit` with its caller once that is known. Returns what the work returns. Throws ApiBusy,
   * `admit` TooManyRequests and CallerBusy.
   */
  async run<T>(work: (admit: (caller: string) => void) => Promise<T>): Promise<T> {
    if (this.underWay >= this.options.total) throw errors.apiBusy(this.options.total, retryBusyAfter);
    let own: Usage | undefined;
    const admit = (caller: string) => {
      const usage = this.take(caller);
      if (usage.underWay >= this.options.perCaller) throw errors.callerBusy(this.options.perCaller, retryBusyAfter);
      usage.underWay += 1;
      own = usage;
    };
    this.underWay += 1;
    try {
      return await work(admit);
    } finally {
      this.underWay -= 1;
      if (own) own.underWay -= 1;
    }
  }

  /** Counts a request of a caller. Throws TooManyRequests. */
  take(caller: string): Usage {
    const usage = this.usageOf(caller);
    const { rate } = this.options;
    if (rate === 0) return usage;
    if (usage.tokens < 1) throw errors.tooManyRequests(Math.ceil((1 - usage.tokens) / rate));
    usage.tokens -= 1;
    return usage;
  }

  /** The number of callers that are remembered. */
  get size(): number {
    return this.usages.size;
  }

  private usageOf(caller: string): Usage {
    const { rate, burst, now } = this.options;
    const at = now();
    const usage = this.usages.get(caller) ?? { tokens: burst, at, underWay: 0 };
    usage.tokens = Math.min(burst, usage.tokens + ((at - usage.at) / 1000) * rate);
    usage.at = at;
    this.usages.delete(caller);
    this.usages.set(caller, usage);
    if (this.usages.size > maxCallers) this.forgetOne();
    return usage;
  }

  /** The one that sent nothing for longest, and has nothing under way. */
  private forgetOne(): void {
    for (const [caller, { underWay }] of this.usages) {
      if (underWay > 0) continue;
      this.usages.delete(caller);
      return;
    }
  }
}

/** Returns the name under which limits count somebody who has proved nothing. One customer has a network of IPv6. */
export function addressKey(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
  if (!isIPv6(plain)) return `address ${plain}`;
  return `network ${networkOf(plain)}`;
}

/** The first 64 bits. */
function networkOf(address: string): string {
  const [front = '', back] = (address.split('%', 1)[0] ?? '').split('::');
  const first = front === '' ? [] : front.split(':');
  const last = back === undefined || back === '' ? [] : back.split(':');
  const zeros = back === undefined ? 0 : 8 - first.length - last.length;
  const groups = [...first, ...Array.from({ length: Math.max(zeros, 0) }, () => '0'), ...last];
  return groups.slice(0, 4).join(':');
}
