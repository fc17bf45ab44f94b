import { WithoutExports } from '../without-exports.ts';

/** For fake storage, and for a start without the right to raw sockets. Nothing here ever fails. */
export class NoneTarget extends WithoutExports {
  readonly name = 'none';
}
