/** How the guest's sshd is reached from this host: data that the VM driver gives, and door and probe dial. */
export type Tunnel = { readonly kind: 'tcp'; readonly host: '127.0.0.1'; readonly port: number };
