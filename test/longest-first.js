/** Order of test files: these first, as the last one to begin would run alone; the others by name. */
export function longestFirst(...names) {
  const rank = (file) => {
    const index = names.findIndex((name) => file.endsWith(`/${name}.test.ts`));
    return index < 0 ? names.length : index;
  };
  return (one, other) => rank(one) - rank(other) || one.localeCompare(other);
}
