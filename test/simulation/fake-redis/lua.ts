import { LuaReturn, LuaType, LuaWasm } from 'wasmoon';
import { type Reply, failure, isShaped } from './reply.ts';

type Raw = (...args: number[]) => number;

const registry = -1_001_000;
/** What Redis' Lua 5.1 has and Lua 5.4 has under another name, and how it writes numbers. */
const prelude = `
unpack = table.unpack
local plain = tostring
tostring = function(value)
  return type(value) == 'number' and string.format('%.14g', value) or plain(value)
end
redis = { call = redis_call, pcall = redis_pcall }
cjson = { encode = cjson_encode, decode = cjson_decode }
`;

/** A Lua machine that runs the product's scripts as Redis does: `redis.call`, `redis.pcall`, `cjson`, KEYS and ARGV. */
export class Lua {
  private readonly lua: LuaWasm;
  private readonly state: number;
  private readonly toLString: Raw;
  private readonly pushLString: Raw;
  private readonly scratch: number;
  private readonly scratchBytes = 1 << 20;
  private readonly loaded = new Map<string, number>();
  private call: (args: string[]) => Reply = () => null;
  /** What a script threw, or was thrown inside a call of it. */
  private thrown: unknown;

  static async make(): Promise<Lua> {
    return new Lua(await LuaWasm.initialize());
  }

  private constructor(lua: LuaWasm) {
    this.lua = lua;
    this.toLString = raw(lua, 'lua_tolstring');
    this.pushLString = raw(lua, 'lua_pushlstring');
    this.scratch = raw(lua, 'malloc')(this.scratchBytes);
    this.state = lua.luaL_newstate();
    lua.luaL_openlibs(this.state);
    this.define('redis_call', () => this.fromScript(false));
    this.define('redis_pcall', () => this.fromScript(true));
    this.define('cjson_encode', () => this.pushText(JSON.stringify(this.read(1))));
    this.define('cjson_decode', () => this.push(parse(String(this.read(1)))));
    lua.luaL_loadstring(this.state, prelude);
    this.callTop();
  }

  /** Runs a script; its commands go to `call`. Throws when the script fails. */
  run(source: string, keys: readonly string[], args: readonly string[], call: (args: string[]) => Reply): Reply {
    const { lua, state } = this;
    this.call = call;
    this.pushList(keys);
    lua.lua_setglobal(state, 'KEYS');
    this.pushList(args);
    lua.lua_setglobal(state, 'ARGV');
    lua.lua_rawgeti(state, registry, BigInt(this.load(source)));
    this.callTop();
    const reply = toReply(this.read(-1));
    lua.lua_settop(state, 0);
    return reply;
  }

  /** Calls the function on top of the stack. */
  private callTop(): void {
    const status = this.lua.lua_pcallk(this.state, 0, 1, 0, 0, null);
    if (this.thrown !== undefined) throw this.thrown;
    if (status !== 0) throw new Error(`a script failed: ${String(this.read(-1))}`);
  }

  private load(source: string): number {
    const known = this.loaded.get(source);
    if (known !== undefined) return known;
    if (this.lua.luaL_loadstring(this.state, source) !== LuaReturn.Ok) {
      throw new Error(`a script cannot be compiled: ${String(this.read(-1))}`);
    }
    const reference = this.lua.luaL_ref(this.state, registry);
    this.loaded.set(source, reference);
    return reference;
  }

  private define(name: string, work: () => void): void {
    const pointer = this.lua.module.addFunction(() => {
      try {
        work();
      } catch (error) {
        this.thrown ??= error;
        this.lua.lua_pushnil(this.state);
      }
      return 1;
    }, 'ii');
    this.lua.lua_pushcclosure(this.state, pointer, 0);
    this.lua.lua_setglobal(this.state, name);
  }

  private fromScript(protect: boolean): void {
    const count = this.lua.lua_gettop(this.state);
    const args: string[] = [];
    let isSound = true;
    for (let index = 1; index <= count; index += 1) {
      const type = this.lua.lua_type(this.state, index);
      isSound &&= type === LuaType.String || type === LuaType.Number;
      args.push(isSound ? this.text(index) : 'no text');
    }
    const reply = isSound
      ? this.call(args)
      : failure('ERR Lua redis lib command arguments must be strings or integers');
    if (!protect && isShaped(reply) && reply.kind === 'error') throw new Error(`${args.join(' ')}: ${reply.text}`);
    this.push(fromReply(reply));
  }

  private text(index: number): string {
    const start = this.toLString(this.state, index, this.scratch);
    const { HEAPU8, HEAPU32 } = this.lua.module;
    const length = HEAPU32[this.scratch >> 2] ?? 0;
    let text = '';
    for (let at = start; at < start + length; at += 1) {
      const byte = HEAPU8[at] ?? 0;
      if (byte > 127) return Buffer.from(HEAPU8.subarray(start, start + length)).toString();
      text += String.fromCharCode(byte);
    }
    return text;
  }

  private pushText(text: string): void {
    const { HEAPU8 } = this.lua.module;
    if (text.length * 3 > this.scratchBytes) throw new Error('a text is too long for this Lua machine');
    let { length } = text;
    for (let at = 0; at < length; at += 1) {
      const unit = text.charCodeAt(at);
      if (unit > 127) {
        length = Buffer.from(HEAPU8.buffer, this.scratch, this.scratchBytes).write(text);
        break;
      }
      HEAPU8[this.scratch + at] = unit;
    }
    this.pushLString(this.state, this.scratch, length);
  }

  private pushList(values: readonly unknown[]): void {
    const { lua, state } = this;
    lua.lua_createtable(state, values.length, 0);
    values.forEach((value, index) => {
      this.push(value);
      lua.lua_rawseti(state, -2, BigInt(index + 1));
    });
  }

  /** Text, numbers, true, false, lists and tables; null is false, as Redis has it. */
  private push(value: unknown): void {
    const { lua, state } = this;
    if (typeof value === 'string') this.pushText(value);
    else if (typeof value === 'number' && Number.isInteger(value)) lua.lua_pushinteger(state, BigInt(value));
    else if (typeof value === 'number') lua.lua_pushnumber(state, value);
    else if (Array.isArray(value)) this.pushList(value);
    else if (typeof value === 'object' && value !== null) {
      lua.lua_createtable(state, 0, 8);
      for (const [name, inner] of Object.entries(value)) {
        this.pushText(name);
        this.push(inner);
        lua.lua_rawset(state, -3);
      }
    } else lua.lua_pushboolean(state, value === true ? 1 : 0);
  }

  private read(index: number): unknown {
    const { lua, state } = this;
    const type = lua.lua_type(state, index);
    if (type === LuaType.String) return this.text(index);
    if (type === LuaType.Number) return lua.lua_tonumberx(state, index, null);
    if (type === LuaType.Boolean) return lua.lua_toboolean(state, index) !== 0;
    return type === LuaType.Table ? this.readTable(lua.lua_absindex(state, index)) : undefined;
  }

  /** A table with an element 1 is a list, as cjson has it. */
  private readTable(index: number): unknown {
    const { lua, state } = this;
    const entries: [string, unknown][] = [];
    lua.lua_pushnil(state);
    while (lua.lua_next(state, index) !== 0) {
      const key = this.read(-2);
      entries.push([String(key), this.read(-1)]);
      lua.lua_settop(state, -2);
    }
    const table = new Map(entries);
    if (!table.has('1')) return Object.fromEntries(entries);
    const list: unknown[] = [];
    for (let at = 1; table.has(String(at)); at += 1) list.push(table.get(String(at)));
    return list;
  }
}

function parse(text: string): unknown {
  return JSON.parse(text);
}

/** The machine's functions as they are: the library's own take and give no text with a zero in it. */
function raw(lua: LuaWasm, name: string): Raw {
  const found: unknown = Reflect.get(lua.module, `_${name}`);
  if (!isRaw(found)) throw new Error(`the Lua machine has no ${name}`);
  return found;
}

function isRaw(value: unknown): value is Raw {
  return typeof value === 'function';
}

function fromReply(reply: Reply): unknown {
  if (!isShaped(reply)) return Array.isArray(reply) ? reply.map(fromReply) : (reply ?? false);
  if (reply.kind === 'status') return { ok: reply.text };
  return reply.kind === 'error' ? { err: reply.text } : false;
}

function toReply(value: unknown): Reply {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Math.trunc(value);
  if (value === true) return 1;
  if (Array.isArray(value)) {
    const end = value.findIndex((item) => item === undefined || item === false);
    return (end < 0 ? value : value.slice(0, end)).map(toReply);
  }
  if (typeof value === 'object' && value !== null) {
    if ('err' in value) return failure(String(value.err));
    if ('ok' in value) return { kind: 'status', text: String(value.ok) };
    return [];
  }
  return null;
}
