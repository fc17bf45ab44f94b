/**
 * An address as it stands in a record: with * in place of the volume's id. A value of more than 64 bytes has Redis keep the record in a
 * form that takes three times the memory.
 */
export function storedAddress(id: string, address: string): string {
  return address.replace(id, '*');
}

/** Returns the address of a record. */
export function addressIn(id: string, stored: string): string {
  return stored.replace('*', id);
}
