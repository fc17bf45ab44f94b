/** That image services state; md5 alone protects from accidents, not from somebody who wants the data to differ. */
export const checksumAlgorithms = ['sha512', 'sha384', 'sha256', 'md5'] as const;
