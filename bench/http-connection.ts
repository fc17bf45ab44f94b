import { type Socket, connect } from 'node:net';
import { once } from 'node:events';

export interface HttpAnswer {
  status: number;
  text: string;
}

const headEnd = '\r\n\r\n';

/**
 * One connection that sends one request after the other, with as little work as possible: the clients of a benchmark share the cores
 * with what it measures. Understands answers with Content-Length, and those without a body.
 */
export class HttpConnection {
  private readonly socket: Socket;
  private readonly host: string;
  private received = '';
  private waiting: { resolve: (answer: HttpAnswer) => void; reject: (error: Error) => void } | undefined;

  private constructor(socket: Socket, host: string) {
    this.socket = socket;
    this.host = host;
    socket.setNoDelay(true).setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.received += text;
      this.take();
    });
    socket.on('close', () => this.waiting?.reject(new Error('the server has closed the connection')));
    socket.on('error', (error) => this.waiting?.reject(error));
  }

  static async open(port: number): Promise<HttpConnection> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new HttpConnection(socket, `127.0.0.1:${port}`);
  }

  /** `body`: JSON. Throws where the status is no success. */
  async send(method: string, path: string, body = ''): Promise<HttpAnswer> {
    const content =
      body === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
    const version = 'OpenStack-API-Version: volume 3.70\r\n';
    const answered = new Promise<HttpAnswer>((resolve, reject) => {
      this.waiting = { resolve, reject };
    });
    this.socket.write(`${method} ${path} HTTP/1.1\r\nHost: ${this.host}\r\n${version}${content}\r\n${body}`);
    const answer = await answered;
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer;
  }

  close(): void {
    this.socket.destroy();
  }

  private take(): void {
    const end = this.received.indexOf(headEnd);
    if (end < 0 || !this.waiting) return;
    const head = this.received.slice(0, end);
    const begin = end + headEnd.length;
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.received.length < begin + length) return;
    const text = Buffer.from(this.received.slice(begin, begin + length), 'latin1').toString();
    this.received = this.received.slice(begin + length);
    const { resolve } = this.waiting;
    this.waiting = undefined;
    resolve({ status: Number(head.slice(9, 12)), text });
  }
}
