import { backendNameRule, isBackendName } from './backend-name.ts';
import { type FlagName, flagNameOf, isSectionFlag } from './definitions.ts';
import type { Given, Origin } from './given.ts';

/** What each source gave, the stronger source in place of the weaker. Sources are entered in the order of their strength. */
export class Settings {
  readonly top = new Map<FlagName, Given>();
  /** By the name of the backend, dashes as underscores; with the place that named it first. */
  readonly sections = new Map<string, { name: string; origin: Origin; given: Map<FlagName, Given> }>();
  /** Every backend that some source enables, were it only a weaker one. */
  readonly everEnabled = new Set<string>();
  private readonly problems: string[];

  constructor(problems: string[]) {
    this.problems = problems;
  }

  /** `shown` is the name as it was typed, where that is another. */
  take(section: string | undefined, typed: string, given: Given, shown = typed): void {
    const name = flagNameOf(typed);
    if (name === undefined) {
      this.problems.push(`unknown flag ${shown} (${given.origin})`);
      return;
    }
    if (given.value.trim() === '') return;
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

  /** The same; a flag that the same file had before is a problem. */
  takeOnce(section: string | undefined, typed: string, given: Given): void {
    const name = flagNameOf(typed);
    const earlier = name && (section === undefined ? this.top : this.sections.get(keyOf(section))?.given)?.get(name);
    if (earlier?.rank === given.rank) {
      this.problems.push(`${typed} is set twice: ${earlier.origin} and ${given.origin}`);
    } else this.take(section, typed, given);
  }

  /** A section header of a file. */
  open(section: string, origin: Origin): void {
    const earlier = this.sections.get(keyOf(section));
    if (earlier) this.problems.push(`the section [${section}] is there twice: ${earlier.origin} and ${origin}`);
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

/** In the environment there are no dashes. */
export function keyOf(section: string): string {
  return section.replaceAll('-', '_');
}
