import { z } from 'zod';

/** Moment of death: just before an effect or just after it. */
export const momentSchema = z.enum(['before', 'after']);
export type Moment = z.infer<typeof momentSchema>;

/** Instructions of a test to the daemon, in a file. */
export const planSchema = z.object({
  /** Number of the effect in a run without a crash, from 1; 0 counts effects without a crash. */
  number: z.int(),
  moment: momentSchema,
  name: z.string(),
  /** Its number among effects of that name, from 1: concurrent effects can occur in another order. */
  turn: z.int(),
  /** Effects that are not counted, because an idle daemon has them as well. */
  ignore: z.array(z.string()),
});
export type Plan = z.infer<typeof planSchema>;

/** A point of an operation at which the daemon can die. */
export type Point = Omit<Plan, 'ignore'>;

/** The environment variable with the directory of plan and trace. Children of the daemon inherit it. */
export const planVariable = 'CRASH_POINTS';
export const planFile = 'plan.json';
export const traceFile = 'trace';
/** Signal that makes a running daemon read its plan. */
export const planSignal = 'SIGUSR2';

/** At the end of the name of a change that notes the retry of a step. */
export const retrySuffix = ', retry';

const armed = 'armed';

export function traceLine({ number, moment, turn, name }: Point): string {
  return `${number} ${moment} ${turn} ${name}\n`;
}

/** First line of a trace: the plan was read. */
export const traceBegin = `${armed}\n`;

/** Returns undefined until the plan was read. */
export function pointsIn(trace: string): Point[] | undefined {
  const [first, ...lines] = trace.split('\n');
  if (first !== armed) return undefined;
  return lines.filter(Boolean).map((line) => {
    const [number, moment, turn, ...name] = line.split(' ');
    return { number: Number(number), moment: momentSchema.parse(moment), turn: Number(turn), name: name.join(' ') };
  });
}
