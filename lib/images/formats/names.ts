/** As image services name them: disk_format. */
export const imageFormats = ['raw', 'qcow2', 'vmdk', 'vdi', 'vhd'] as const;
export type ImageFormat = (typeof imageFormats)[number];
