import { fileURLToPath } from 'node:url';
import { compareAddresses, formatAddress, parseAddress, shelfOf } from '../../aoe/address.ts';
import { type BlockstoreError, errors } from '../../errors.ts';
import type { Processes } from '../../process.ts';
import { Helper } from './helper.ts';

const script = fileURLToPath(new URL('discover.pl', import.meta.url));

/** A machine that answers on an address. */
export interface Answer {
  address: string;
  /** Its Ethernet address. */
  host: string;
}

export interface DiscoveryOptions {
  interface: string;
  /** Listening ends after so long without an answer. Default 500. */
  quietMs?: number;
  /** Default 8 MiB: some 3,500 answers at once, each of which the kernel counts with its whole buffer. */
  receiveBufferBytes?: number;
  /** How long the helper may take for a whole answer. Default 10,000. */
  answerMs?: number;
}

const defaultQuietMs = 500;
const defaultBufferBytes = 8 * 2 ** 20;
/** Answers that arrive for longer than this are not those of targets. */
const maxListenMs = 5000;
const defaultAnswerMs = 10_000;
/** Pause of the helper between two queries of one request, with a margin. */
const queryGapMs = 40;
/** Slot of the protocol's broadcast address of a shelf. */
const allSlots = 255;

/**
 * Asks on an Ethernet segment which addresses answer. Not heard are the vblades of this machine on that same interface
 * (loopback excepted) and those whose list of Ethernet addresses does not have ours.
 */
export class Discovery {
  private readonly options: DiscoveryOptions;
  private readonly helper: Helper;

  constructor(processes: Processes, options: DiscoveryOptions) {
    this.options = options;
    this.helper = new Helper(processes, {
      command: 'perl',
      args: [script],
      debianPackage: 'perl-base',
      asRoot: process.getuid?.() !== 0,
      failure: (reason) => errors.discoveryFailed(options.interface, reason),
      missing: errors.commandMissing,
    });
  }

  /**
   * Returns every answer about the shelves, sorted by address. Where frames were lost, each shelf is asked by itself: its 255
   * answers fit every buffer. Throws InterfaceDown, NoRawSocket, CommandNotFound, DiscoveryFailed, and DiscoveryIncomplete
   * when answers are lost again: an address that is left out would be taken for free.
   */
  async shelves(shelves: readonly number[]): Promise<Answer[]> {
    const asked = [...new Set(shelves)].map((shelf) => `${shelfOf(formatAddress({ shelf, slot: 0 }))}.${allSlots}`);
    if (asked.length === 0) return [];
    const together = await this.ask(asked, defaultQuietMs);
    if (together.lost === 0) return together.answers;
    const answers: Answer[] = [];
    for (const shelf of asked) {
      const alone = await this.ask([shelf], defaultQuietMs);
      if (alone.lost > 0) throw errors.discoveryIncomplete(this.options.interface, `${alone.lost} frames were lost`);
      answers.push(...alone.answers);
    }
    return answers.toSorted((one, other) => compareAddresses(one.address, other.address));
  }

  /** Returns who answers on one address within `quietMs`. Throws like `shelves`, except DiscoveryIncomplete. */
  async address(address: string, quietMs: number): Promise<Answer[]> {
    const { shelf, slot } = parseAddress(address);
    return (await this.ask([`${shelf}.${slot}`], quietMs)).answers;
  }

  close(): Promise<void> {
    return this.helper.close(this.answerMs);
  }

  private get answerMs(): number {
    return this.options.answerMs ?? defaultAnswerMs;
  }

  private async ask(asked: readonly string[], quietMs: number): Promise<{ answers: Answer[]; lost: number }> {
    const { interface: name, receiveBufferBytes = defaultBufferBytes } = this.options;
    const listen = [this.options.quietMs ?? quietMs, maxListenMs];
    const limitMs = this.answerMs + asked.length * queryGapMs;
    const lines = await this.helper.request([name, ...listen, receiveBufferBytes, ...asked], limitMs);
    const end = lines.pop() ?? '';
    const [, lost] = /^done (\d+)$/.exec(end) ?? [];
    if (lost === undefined) throw failure(name, end);
    return { answers: parseAnswers(lines), lost: Number(lost) };
  }
}

/** Lines of `seen shelf slot mac`, sorted by address. Throws AnswerUnreadable on any other line. */
export function parseAnswers(lines: readonly string[]): Answer[] {
  const answers = lines.map((line) => {
    const [, shelf, slot, host] = /^seen (\d{1,5}) (\d{1,3}) ((?:[0-9a-f]{2}:){5}[0-9a-f]{2})$/.exec(line) ?? [];
    if (shelf === undefined || slot === undefined || host === undefined) {
      throw errors.answerUnreadable('discover.pl', line);
    }
    return { address: formatAddress({ shelf: Number(shelf), slot: Number(slot) }), host };
  });
  return answers.toSorted((one, other) => compareAddresses(one.address, other.address));
}

function failure(name: string, end: string): BlockstoreError {
  const [, reason = '', text = end] = /^failed (\w+) (.*)$/.exec(end) ?? [];
  if (reason === 'interface') return errors.interfaceDown(name, /not exist/.test(text) ? 'does not exist' : 'is down');
  if (reason === 'rights') return errors.noRawSocket(name);
  if (reason === 'busy') return errors.discoveryIncomplete(name, text);
  return errors.discoveryFailed(name, text);
}
