/** Requests in what a client sent: arrays of bulk strings; a request may come in pieces. */
export class RequestReader {
  private rest: Buffer = Buffer.alloc(0);

  read(chunk: Buffer): string[][] {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    const requests: string[][] = [];
    let done = 0;
    for (let found = readOne(bytes, 0); found; found = readOne(bytes, done)) {
      requests.push(found.request);
      done = found.end;
    }
    this.rest = bytes.subarray(done);
    return requests;
  }
}

function readOne(bytes: Buffer, start: number): { request: string[]; end: number } | undefined {
  const head = lineAt(bytes, start);
  if (!head) return undefined;
  const request: string[] = [];
  let at = head.end;
  for (let left = Number(head.text.slice(1)); left > 0; left -= 1) {
    const size = lineAt(bytes, at);
    if (!size) return undefined;
    const end = size.end + Number(size.text.slice(1));
    if (bytes.length < end + 2) return undefined;
    request.push(bytes.toString('utf8', size.end, end));
    at = end + 2;
  }
  return { request, end: at };
}

function lineAt(bytes: Buffer, start: number): { text: string; end: number } | undefined {
  const end = bytes.indexOf('\r\n', start);
  return end < 0 ? undefined : { text: bytes.toString('latin1', start, end), end: end + 2 };
}
