import { FakeComstar } from './comstar.ts';
import { type Answer, type Device, done, posixWords, refused } from './device.ts';
import { FakeZfs } from './zfs.ts';

/** A stand-in of a Solaris host with ZFS volumes and COMSTAR. */
export class SolarisDevice implements Device {
  readonly zfs: FakeZfs;
  readonly comstar: FakeComstar;

  constructor(dataset = 'rpool', totalBytes = 100 * 2 ** 30) {
    this.zfs = new FakeZfs(dataset, totalBytes);
    this.comstar = new FakeComstar(this.zfs);
  }

  run(line: string, input?: string): Answer {
    const words = posixWords(line);
    const start = words[0] === 'env' ? words.findIndex((word, index) => index > 0 && !word.includes('=')) : 0;
    return this.words(words.slice(start), input);
  }

  words(words: readonly string[], input = ''): Answer {
    const [first = '', second = '', ...args] = words;
    if (first === 'sh' && second === '-c') return this.script(args[0] ?? '', args.slice(2), input);
    if (first !== 'pfexec') return refused(`${first}: not found`, 127);
    if (second === 'zfs') return this.zfs.run(args);
    if (second === 'stmfadm') return this.comstar.stmfadm(args);
    if (second === 'sbdadm') return this.comstar.sbdadm(args);
    if (second === 'itadm') return this.comstar.itadm(args);
    return refused(`pfexec: ${second}: not found`, 127);
  }

  /** Those that the product has: a command with a mark after its success, one with a secret, the views of each logical unit. */
  private script(text: string, args: readonly string[], input: string): Answer {
    const [, mark] = /^"\$@" && echo (\S+)$/.exec(text) ?? [];
    if (text.includes('mktemp')) return this.comstar.itadm(args.slice(1), input.replace(/\n$/, ''));
    if (mark === undefined) return this.listViews(args);
    const answer = this.words(args, input);
    return answer.exitCode === 0 ? { ...answer, stdout: `${answer.stdout}${mark}\n` } : answer;
  }

  private listViews(guids: readonly string[]): Answer {
    const views = guids.map((guid) => {
      const { stdout, stderr, exitCode } = this.comstar.stmfadm(['list-view', '-l', guid]);
      return `LU: ${guid}\n${stdout}${stderr}${exitCode === 0 ? '' : `exit code ${exitCode}\n`}`;
    });
    return done(views.join(''));
  }
}
