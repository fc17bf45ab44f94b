/** One result of a check of this host: one line, and unless all is well what to do. */
export interface Finding {
  level: 'ok' | 'warn' | 'bad';
  message: string;
  hint?: string;
}

/** Throws an error of the catalogue in place of a finding that is bad. */
export type Check = () => Promise<Finding | readonly Finding[]>;

export const ok = (message: string): Finding => ({ level: 'ok', message });
export const warn = (message: string, hint: string): Finding => ({ level: 'warn', message, hint });
export const bad = (message: string, hint: string): Finding => ({ level: 'bad', message, hint });
