/** How a HyperKit ends that does not come to run a guest. */
export interface Refusal {
  readonly kind: 'refused';
  readonly end: { readonly code: number } | { readonly signal: 'SIGABRT' | 'SIGSEGV' };
  readonly says: string;
}

/** What needs root, or an entitlement that few programs have. */
export const noVmnet =
  'virtio_net: Could not create vmnet interface, permission denied or no entitlement?';

export const refuse = (end: number | 'SIGABRT' | 'SIGSEGV', says: string): Refusal => ({
  kind: 'refused',
  end: typeof end === 'number' ? { code: end } : { signal: end },
  says,
});
