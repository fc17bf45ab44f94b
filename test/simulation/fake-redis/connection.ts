import { type VirtualProcess, outside } from '../virtual-process.ts';
import { type Reply, encode } from './reply.ts';
import { RequestReader } from './requests.ts';
import { FakeSocket } from './socket.ts';

/** How long something takes from one end to the other, in milliseconds. */
export type Delay = (owner: VirtualProcess) => number;

/** A client's connection: what is sent arrives in order, each after a while. */
export class FakeConnection {
  readonly socket: FakeSocket;
  readonly owner: VirtualProcess;
  /** Channels. */
  readonly subscribed = new Set<string>();
  open = true;
  /** The number of the database that its requests are for. */
  database = 0;
  private readonly reader = new RequestReader();
  private readonly delay: Delay;
  private lastThere = 0;
  private lastHere = 0;

  constructor(owner: VirtualProcess, delay: Delay, on: { request: (request: string[]) => void; left: () => void }) {
    this.owner = owner;
    this.delay = delay;
    this.socket = new FakeSocket({
      sent: (chunk) => {
        for (const request of this.reader.read(chunk)) this.there(() => this.open && on.request(request));
      },
      left: () => this.there(on.left),
    });
    // A kernel closes the connections of a process that was killed; one without power does not.
    owner.onDeath((unnoticedMs) => outside(on.left, unnoticedMs + delay(owner)));
  }

  answer(reply: Reply): void {
    const text = encode(reply);
    this.here(() => this.socket.push(text));
  }

  connected(): void {
    this.here(() => this.socket.connected());
  }

  /** The other end is gone. */
  close(code?: string): void {
    this.open = false;
    const error = code === undefined ? undefined : Object.assign(new Error(`connect ${code} fake redis`), { code });
    this.here(() => this.socket.destroy(error));
  }

  /** The network is nobody's process: what happens on it happens whatever becomes of either end. */
  private there(work: () => void): void {
    this.lastThere = Math.max(this.lastThere, performance.now() + this.delay(this.owner));
    outside(work, this.lastThere - performance.now());
  }

  private here(work: () => void): void {
    this.lastHere = Math.max(this.lastHere, performance.now() + this.delay(this.owner));
    outside(() => this.owner.run(work), this.lastHere - performance.now());
  }
}
