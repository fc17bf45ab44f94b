import { appendFileSync } from 'node:fs';
import { Redis } from 'ioredis';

/** Loaded before a program: writes down every command that it sends to Redis, and the scripts' text. */
const file = process.env['COMMAND_SPY'];
// oxlint-disable-next-line typescript/unbound-method -- it is called with its object below
const { sendCommand } = Redis.prototype;
Redis.prototype.sendCommand = function spied(command, stream) {
  const [first] = command.args;
  if (file !== undefined) appendFileSync(file, `${JSON.stringify([command.name, String(first)])}\n`);
  return sendCommand.call(this, command, stream);
};
