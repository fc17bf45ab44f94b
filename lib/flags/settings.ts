import { backendNameRule, isBackendName } from './backend-name.ts';
import { type FlagName, flagNameOf, isSectionFlag } from './definitions.ts';
import { type Given, type Origin, commandLineRank } from './given.ts';
import { unusableText } from './unusable-text.ts';

/** The values of all sources. Sources are added in the order of their rank; a later one overrides an earlier one. */
export class Settings {
  readonly top = new Map<FlagName, Given>();
  /** By the name of the backend with underscores for dashes; with the first place that names it. */
  readonly sections = new Map<string, { name: string; origin: Origin; given: Map<FlagName, Given> }>();
  /** Every backend that any source enables, even an overridden one. */
  readonly everEnabled = new Set<string>();
  private readonly problems: string[];

  constructor(problems: string[]) {
    this.problems = problems;
  }

  /** `shown` is the name as the user wrote it. */
  take(section: string | undefined, spelling: string, given: Given, shown = spelling): void {
    const name = flagNameOf(spelling);
    if (name === undefined) {
      this.problems.push(`unknown flag ${shown} (${given.origin})`);
      return;
    }
    const unusable = unusableText(given.value);
    if (unusable !== undefined) {
      this.problems.push(`${shown} ${unusable} (${given.origin})`);
      return;
    }
    if (given.value.trim() === '') {
      // A script whose variable is empty must not reach another cluster, or another node.
      if (given.rank === commandLineRank) this.problems.push(`${shown} requires a value (${given.origin})`);
      return;
    }
    if (section === undefined) {
      if (name === 'enabled_backends')
        for (const one of given.value.split(',')) this.everEnabled.add(keyOf(one.trim()));
      this.top.set(name, given);
    } else if (isSectionFlag(name)) {
      this.opened(section, given.origin)?.given.set(name, given);
    } else
      this.problems.push(
        `${name} is a flag of the node, not of a backend: move it out of [${section}] (${given.origin})`,
      );
  }

  /** Like take(); a flag repeated in the same source is a problem. */
  takeOnce(section: string | undefined, spelling: string, given: Given, shown = spelling): void {
    const name = flagNameOf(spelling);
    const earlier = name && (section === undefined ? this.top : this.sections.get(keyOf(section))?.given)?.get(name);
    if (earlier?.rank === given.rank) {
      const places = [...new Set([earlier.origin, given.origin])];
      this.problems.push(`${shown} is set twice: ${places.join(' and ')}`);
    } else this.take(section, spelling, given, shown);
  }

  /** A section header of a file. */
  open(section: string, origin: Origin): void {
    const earlier = this.sections.get(keyOf(section));
    if (earlier) this.problems.push(`the section [${section}] is repeated: ${earlier.origin} and ${origin}`);
    else this.opened(section, origin);
  }

  private opened(name: string, origin: Origin) {
    const key = keyOf(name);
    const there = this.sections.get(key);
    if (there) return there;
    const made = { name, origin, given: new Map<FlagName, Given>() };
    if (!isBackendName(name)) {
      this.problems.push(`the section [${name}] cannot be a backend: its name ${backendNameRule} (${origin})`);
    }
    this.sections.set(key, made);
    return made;
  }
}

/** Names of environment variables have no dashes. */
export function keyOf(section: string): string {
  return section.replaceAll('-', '_');
}
