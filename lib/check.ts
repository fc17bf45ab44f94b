/** Result of a check of this host: one line, and a hint unless the level is ok. */
export interface Finding {
  level: 'ok' | 'warn' | 'bad';
  message: string;
  hint?: string;
}

/** A check. Throws a catalogue error instead of returning a bad finding. */
export type Check = () => Promise<Finding | readonly Finding[]>;

export const ok = (message: string): Finding => ({ level: 'ok', message });
export const warn = (message: string, hint: string): Finding => ({ level: 'warn', message, hint });
export const bad = (message: string, hint: string): Finding => ({ level: 'bad', message, hint });
