import { type Finding, ok, warn } from '../../check.ts';
import type { Processes } from '../../process.ts';
import { Dog, type DogOptions } from './dog.ts';
import { volumeIdOf } from './names.ts';

/** Checks that the cluster answers and serves. Throws CommandNotFound, SheepdogUnavailable, AnswerUnreadable. */
export async function checkCluster(
  options: DogOptions & { copies: number },
  processes: Processes,
): Promise<readonly Finding[]> {
  const dog = new Dog(options, processes);
  const { status, created } = await dog.find();
  const findings = [ok(`Sheepdog cluster at ${dog.cluster}: ${status}`)];
  const other = (await dog.images()).find(
    (image) => volumeIdOf(image) !== undefined && image.copies !== String(options.copies),
  );
  if (other) {
    const copies = `sheepdog_copies is ${options.copies}, but ${other.name} has ${other.copies} copies`;
    findings.push(warn(copies, 'set sheepdog_copies to the copies of new images: free space is calculated with it'));
  }
  if (created === '') {
    findings.push(
      warn(
        `the Sheepdog cluster at ${dog.cluster} does not state when it was created`,
        'other nodes that use it do not recognise it as shared; see "dog cluster info"',
      ),
    );
  }
  return findings;
}
