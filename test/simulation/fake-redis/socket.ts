import { Duplex } from 'node:stream';
import { VirtualProcess } from '../virtual-process.ts';

/** The client's end of a connection, as net.Socket looks to a Redis client. What goes through it is its maker's matter. */
export class FakeSocket extends Duplex {
  connecting = true;
  private readonly sent: (chunk: Buffer) => void;
  private readonly left: () => void;
  private readonly owner = VirtualProcess.current;
  private idle: NodeJS.Timeout | undefined;

  constructor(on: { sent: (chunk: Buffer) => void; left: () => void }) {
    super();
    this.sent = on.sent;
    this.left = on.left;
  }

  connected(): void {
    if (this.destroyed) return;
    this.connecting = false;
    this.emit('connect');
  }

  setTimeout(ms: number, tell?: () => void): this {
    clearTimeout(this.idle);
    if (ms > 0 && tell) this.idle = setTimeout(() => (this.owner ? this.owner.run(tell) : tell()), ms);
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.sent(chunk);
    done();
  }

  override _final(done: () => void): void {
    done();
    this.destroy();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.idle);
    this.left();
    done(error);
  }
}
