import { noAnswer, noQuery } from './call.ts';

/** All actions on a volume have one address; the key of the body names the action. */
export const volumeAction = { method: 'POST', path: '/volumes/:id/action', query: noQuery } as const;

/** One that is accepted, and answers nothing. */
export const acceptedAction = { ...volumeAction, status: 202, answer: noAnswer } as const;
