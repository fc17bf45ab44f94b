import { z } from 'zod';
import { isId } from './id.ts';

/** A record's id where it enters from outside: Redis, a message, storage. Apart from isId, which help must not load zod for. */
export const idSchema = z.string().refine(isId, 'must be a UUID');
