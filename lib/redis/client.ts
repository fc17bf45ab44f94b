import { Redis } from 'ioredis';

/** Sends the commands of one turn of the event loop in one write: a write of its own costs more than most commands, in Redis as well. */
export class RedisClient extends Redis {
  private corked: Redis['stream'] | undefined;

  override sendCommand(...command: Parameters<Redis['sendCommand']>): unknown {
    this.cork();
    return super.sendCommand(...command);
  }

  private cork(): void {
    const stream: Redis['stream'] | undefined = this.stream; // there is none before it connects
    if (!stream || stream === this.corked) return;
    this.corked = stream;
    stream.cork();
    process.nextTick(() => {
      this.corked = undefined;
      stream.uncork();
    });
  }
}
