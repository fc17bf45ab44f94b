import { createHash } from 'node:crypto';
import { commands } from './commands.ts';
import type { Database } from './database.ts';
import type { Lua } from './lua.ts';
import { type Reply, failure, forScript } from './reply.ts';

/** What a Redis does with one request, whoever sent it: commands, scripts, publishing. */
export class Interpreter {
  private readonly database: Database;
  private readonly lua: Lua;
  private readonly publish: (channel: string, text: string) => number;
  private readonly tamper: (script: string) => string;
  private readonly scripts = new Map<string, string>();

  constructor(options: {
    database: Database;
    lua: Lua;
    publish: (channel: string, text: string) => number;
    tamper?: (script: string) => string;
  }) {
    this.database = options.database;
    this.lua = options.lua;
    this.publish = options.publish;
    this.tamper = options.tamper ?? ((script) => script);
  }

  /** As after a restart. */
  forgetScripts(): void {
    this.scripts.clear();
  }

  execute([name = '', ...args]: readonly string[]): Reply {
    switch (name.toUpperCase()) {
      case 'EVAL': {
        const [source = '', ...rest] = args;
        const script = this.tamper(source);
        this.scripts.set(createHash('sha1').update(source).digest('hex'), script);
        return this.script(script, rest);
      }
      case 'EVALSHA': {
        const [sha = '', ...rest] = args;
        const source = this.scripts.get(sha);
        return source === undefined ? failure('NOSCRIPT No matching script.') : this.script(source, rest);
      }
      default:
        return this.command(name.toUpperCase(), args);
    }
  }

  private script(source: string, [count = '0', ...args]: readonly string[]): Reply {
    const keys = args.slice(0, Number(count));
    return this.lua.run(source, keys, args.slice(Number(count)), ([name = '', ...rest]) =>
      forScript(this.command(name, rest)),
    );
  }

  private command(name: string, args: readonly string[]): Reply {
    if (name === 'PUBLISH') return this.publish(args[0] ?? '', args[1] ?? '');
    const command = commands.get(name);
    if (!command) throw new Error(`the fake Redis does not know the command ${name}`);
    try {
      return command(this.database, args);
    } catch (error) {
      return failure(error instanceof Error ? error.message : String(error));
    }
  }
}
