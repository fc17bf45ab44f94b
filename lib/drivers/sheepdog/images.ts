import { KeyedMutex, Semaphore } from '../../concurrency.ts';
import type { BlockstoreError } from '../../errors.ts';
import type { Labels } from '../driver.ts';
import type { Image } from './answers.ts';
import type { Dog } from './dog.ts';
import { decodeLabels, encodeLabels } from './names.ts';

const maxConcurrentReads = 8;

/** Images of a Sheepdog cluster. Each change is verified by a list afterwards; the exit code of dog only helps to explain. */
export class Images {
  private readonly dog: Dog;
  private readonly mutex = new KeyedMutex();
  private readonly reads = new Semaphore(maxConcurrentReads);

  constructor(dog: Dog) {
    this.dog = dog;
  }

  /** Does work on these images alone: Sheepdog takes one command at a time for an image. */
  alone<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
    const [first, ...others] = [...new Set(names)].toSorted(); // in one order, so that two calls never wait for each other
    return first === undefined ? work() : this.mutex.run(first, () => this.alone(others, work));
  }

  /** Returns the command with which an administrator labels an image. */
  labelLine(name: string, key: string, id: string, labels: Labels): string {
    return this.dog.line('setattr', name, key, `'${encodeLabels(id, labels)}'`);
  }

  /** Returns the commands with which an administrator gives an image another name. */
  renameLine(name: string, other: string): string {
    const tag = ['-s', 'other'];
    return [
      this.dog.line('snapshot', ...tag, name),
      this.dog.line('clone', ...tag, name, other),
      this.dog.line('delete', name),
    ].join(' && ');
  }

  list(): Promise<Image[]> {
    return this.dog.images();
  }

  async create(name: string, sizeBytes: number): Promise<void> {
    await this.change(
      ['create', name, String(sizeBytes)],
      (images) => currentOf(images, name)?.sizeBytes === sizeBytes,
    );
  }

  /** Absent is success. */
  async remove(name: string): Promise<void> {
    await this.change(['delete', name], (images) => !currentOf(images, name));
  }

  async snapshot(name: string, tag: string): Promise<void> {
    await this.change(['snapshot', '-s', tag, name], (images) => snapshotOf(images, name, tag));
  }

  /** Absent is success. */
  async removeSnapshot(name: string, tag: string): Promise<void> {
    await this.change(['delete', '-s', tag, name], (images) => !snapshotOf(images, name, tag));
  }

  /** Returns the size of `to` in bytes, which is that of the snapshot. */
  async clone(name: string, tag: string, to: string): Promise<number> {
    const { sizeBytes } = await this.change(['clone', '-s', tag, name, to], (images) => currentOf(images, to));
    return sizeBytes;
  }

  async grow(name: string, sizeBytes: number): Promise<void> {
    await this.change(
      ['resize', name, String(sizeBytes)],
      (images) => currentOf(images, name)?.sizeBytes === sizeBytes,
    );
  }

  /** Returns undefined where the image does not exist, or has no labels of this id. */
  async labels(name: string, key: string, id: string): Promise<Labels | undefined> {
    const value = await this.reads.run(() => this.dog.attribute(name, key));
    return value === undefined ? undefined : decodeLabels(id, value);
  }

  async setLabels(name: string, key: string, id: string, labels: Labels): Promise<void> {
    const value = encodeLabels(id, labels);
    const args = ['setattr', name, key, value];
    const failure = await this.dog.change(...args);
    if ((await this.dog.attribute(name, key)) !== value) throw failure ?? this.withoutReason(args);
  }

  /** Absent is success. */
  async removeLabels(name: string, key: string): Promise<void> {
    const args = ['setattr', '-d', name, key];
    const failure = await this.dog.change(...args);
    if ((await this.dog.attribute(name, key)) !== undefined) throw failure ?? this.withoutReason(args);
  }

  /** Returns what `made` finds in the list; throws where it finds nothing. */
  private async change<T>(args: string[], made: (images: Image[]) => T | false | undefined): Promise<T> {
    const failure = await this.dog.change(...args);
    const result = made(await this.dog.images());
    if (result === false || result === undefined) throw failure ?? this.withoutReason(args);
    return result;
  }

  private withoutReason(args: readonly string[]): BlockstoreError {
    return this.dog.failed(args, 'it reports success, but changed nothing');
  }
}

/** Returns the image that is written to, in place of its snapshots. */
export function currentOf(images: readonly Image[], name: string): Image | undefined {
  return images.find((image) => image.kind !== 'snapshot' && image.name === name);
}

export function snapshotOf(images: readonly Image[], name: string, tag: string): Image | undefined {
  return images.find((image) => image.kind === 'snapshot' && image.name === name && image.tag === tag);
}
