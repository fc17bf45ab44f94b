export const shells = ['bash', 'zsh', 'fish'];
