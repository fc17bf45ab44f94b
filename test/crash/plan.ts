import { z } from 'zod';

/** Where a daemon ends: just before an effect or just after it. */
export const momentSchema = z.enum(['before', 'after']);
export type Moment = z.infer<typeof momentSchema>;

/** What a test tells the daemon, in a file. */
export const planSchema = z.object({
  /** The place of the effect in a run without a crash, from 1; 0: effects are counted and none ends the daemon. */
  number: z.int(),
  moment: momentSchema,
  name: z.string(),
  /** Which one of that name, from 1: what goes on side by side may come in another order. */
  turn: z.int(),
  /** Effects that are not counted: what an idle daemon does as well. */
  ignore: z.array(z.string()),
});
export type Plan = z.infer<typeof planSchema>;

/** A place in an operation at which the daemon can end. */
export type Point = Omit<Plan, 'ignore'>;

/** The environment variable that names the directory of plan and trace. Processes that a daemon starts have it as well. */
export const planVariable = 'CRASH_POINTS';
export const planFile = 'plan.json';
export const traceFile = 'trace';
/** The signal that makes a running daemon read its plan. */
export const planSignal = 'SIGUSR2';

const armed = 'armed';

export function traceLine({ number, moment, turn, name }: Point): string {
  return `${number} ${moment} ${turn} ${name}\n`;
}

/** What a trace begins with: its plan was read. */
export const traceBegin = `${armed}\n`;

/** Undefined until the plan was read. */
export function pointsIn(trace: string): Point[] | undefined {
  const [first, ...lines] = trace.split('\n');
  if (first !== armed) return undefined;
  return lines.filter(Boolean).map((line) => {
    const [number, moment, turn, ...name] = line.split(' ');
    return { number: Number(number), moment: momentSchema.parse(moment), turn: Number(turn), name: name.join(' ') };
  });
}
