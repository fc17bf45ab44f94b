import { appendFileSync } from 'node:fs';
import { Redis } from 'ioredis';

/** Bundled into a program before its own code: writes down every command that it sends to Redis, and the scripts' text. */
const file = process.env['COMMAND_SPY'];
const sendCommand: unknown = Reflect.get(Redis.prototype, 'sendCommand');
if (typeof sendCommand !== 'function') throw new Error('there is no sendCommand to spy on');
Redis.prototype.sendCommand = function spied(command, stream): unknown {
  const [first] = command.args;
  if (file !== undefined) appendFileSync(file, `${JSON.stringify([command.name, String(first)])}\n`);
  return Reflect.apply(sendCommand, this, [command, stream]);
};
