/**
 * The addresses that have access filters, by the volumes whose exports they protect: the address of an export that runs, fails to
 * start or is about to be started by systemd, and the former one while its vblade has not ended.
 */
export class FilteredAddresses {
  private readonly owners = new Map<string, string>();
  private readonly addresses = new Map<string, Set<string>>();

  assign(address: string, id: string): void {
    this.release(address);
    this.owners.set(address, id);
    this.addresses.set(id, (this.addresses.get(id) ?? new Set()).add(address));
  }

  release(address: string): void {
    const id = this.owners.get(address);
    if (id === undefined) return;
    this.owners.delete(address);
    const others = this.addresses.get(id);
    others?.delete(address);
    if (others?.size === 0) this.addresses.delete(id);
  }

  of(id: string): string[] {
    return [...(this.addresses.get(id) ?? [])];
  }

  clear(): void {
    this.owners.clear();
    this.addresses.clear();
  }
}
