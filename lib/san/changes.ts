/** When a storage was last changed from here. What was read earlier is no longer used, whoever has read it. */
export class Changes {
  private at = Number.NEGATIVE_INFINITY;

  note(): void {
    this.at = performance.now();
  }

  /** Whether nothing has changed since that moment of `performance.now()`. */
  areNoneSince(moment: number): boolean {
    return moment >= this.at;
  }
}
