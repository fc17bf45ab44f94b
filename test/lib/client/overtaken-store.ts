import { Store } from '../../../lib/redis/store.ts';

/** A store whose user is overtaken by another request: `overtaking` runs after the read with that number, counted from 1. */
export class OvertakenStore extends Store {
  private left = 0;
  private overtaking = async (): Promise<void> => {};

  overtakeAfter(read: number, overtaking: () => Promise<void>): void {
    this.left = read;
    this.overtaking = overtaking;
  }

  /** Whether that has happened. */
  get isOvertaken(): boolean {
    return this.left === 0;
  }

  override async read<T>(...args: Parameters<typeof Store.prototype.read<T>>): Promise<T> {
    const answer = await super.read<T>(...args);
    if (this.left > 0) {
      this.left -= 1;
      if (this.left === 0) await this.overtaking();
    }
    return answer;
  }
}
