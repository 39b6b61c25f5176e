/** How a HyperKit ends that does not come to run a guest. */
export interface Refusal {
  readonly kind: 'refused';
  readonly end: { readonly code: number } | { readonly signal: 'SIGABRT' | 'SIGSEGV' };
  readonly says: string;
}

export const refuse = (end: number | 'SIGABRT' | 'SIGSEGV', says: string): Refusal => ({
  kind: 'refused',
  end: typeof end === 'number' ? { code: end } : { signal: end },
  says,
});
