import assert from 'node:assert/strict';
import { constants, existsSync, renameSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

// Runs on a lab machine: node writer-process.ts <device> <bytes> <file>. Writes numbered blocks to a device past the page
// cache, reads some of them back at once, tells how far it is in <file>.json, and ends when <file>.stop is there: then
// every block must hold what was last acknowledged. Ends at the first I/O error, and at the first wrong block.

const [, , device = '', size = '', file = ''] = process.argv;
const blockBytes = 64 * 1024;
const blocks = 192;
const pauseMs = 40;
const stride = Math.floor(Number(size) / blocks / blockBytes) * blockBytes;
/** TypeScript declares it only with the types of browsers. */
declare const WebAssembly: { Memory: new (size: { initial: number }) => { buffer: ArrayBuffer } };
/** A WebAssembly memory begins at a page, as reads and writes past the page cache want it. */
const page = new Uint8Array(new WebAssembly.Memory({ initial: 2 }).buffer);
const [out, back] = [page.subarray(0, blockBytes), page.subarray(blockBytes, 2 * blockBytes)];

/** Number of the last write to each block. */
const acknowledged = new Map<number, number>();
let longestMs = 0;
let verified = 0;

/** Every line names device, block and write, so that a part of another write is visible. */
function contentOf(block: number, number: number): Buffer {
  return Buffer.alloc(blockBytes, `${device} block ${block} write ${number}\n`.padStart(64));
}

async function timed(work: () => Promise<unknown>): Promise<void> {
  const begin = performance.now();
  await work();
  longestMs = Math.max(longestMs, performance.now() - begin);
}

async function writeBlock(handle: FileHandle, block: number, number: number): Promise<void> {
  out.set(contentOf(block, number));
  await timed(async () => {
    const { bytesWritten } = await handle.write(out, 0, blockBytes, block * stride);
    assert.equal(bytesWritten, blockBytes);
  });
  acknowledged.set(block, number);
}

async function verifyBlock(handle: FileHandle, block: number): Promise<void> {
  const number = acknowledged.get(block);
  if (number === undefined) return;
  await timed(() => handle.read(back, 0, blockBytes, block * stride));
  const found = Buffer.from(back);
  if (!found.equals(contentOf(block, number))) {
    const lines = [...new Set(found.toString('latin1').match(/.{64}/gs))].slice(0, 4);
    throw new Error(`block ${block} should have write ${number}, it has ${JSON.stringify(lines)}`);
  }
  verified += 1;
}

function tell(more: { ended?: true; error?: string } = {}): void {
  const writes = [...acknowledged.values()].reduce((most, number) => Math.max(most, number), 0);
  const state = { writes, verified, blockBytes, longestMs: Math.round(longestMs), ...more };
  writeFileSync(`${file}.new`, JSON.stringify(state));
  renameSync(`${file}.new`, `${file}.json`);
}

async function run(): Promise<void> {
  const handle = await open(device, constants.O_RDWR | constants.O_DIRECT | constants.O_SYNC);
  for (let number = 1; !existsSync(`${file}.stop`); number += 1) {
    await writeBlock(handle, (number * 37) % blocks, number);
    if (number % 4 === 0) await verifyBlock(handle, (number * 53) % blocks);
    if (number % 10 === 0) tell();
    await pause(pauseMs);
  }
  for (let block = 0; block < blocks; block += 1) await verifyBlock(handle, block);
  await handle.close();
}

try {
  await run();
  tell({ ended: true });
} catch (error) {
  tell({ error: error instanceof Error ? error.message : String(error) });
  process.exitCode = 1;
}
