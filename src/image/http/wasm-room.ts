/**
 * Whether this process may reserve the address space that WebAssembly takes. undici reads HTTP by it; and the one in Node 20, which is
 * loaded with ours, ends the process where it cannot (a promise of its own that nobody listens to). So it is asked before.
 */
import { Exit, Failed, type Failure } from '../../system/failure.ts';

/** One cast: @types/node has the name without what it is. */
const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: MemoryOfWasm } }).WebAssembly;
type MemoryOfWasm = new (of: { readonly initial: number }) => object;

/** Failed `address-space-limited` where a limit such as `ulimit -v` does not let it. */
export function refuseNarrow(): void {
  try {
    new Memory({ initial: 1 });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Failed(addressSpaceLimited, { cause: error });
  }
}

/** Node's documentation of command-line options, --disable-wasm-trap-handler: without it a memory takes 10 GB of addresses. */
export const addressSpaceLimited: Failure = {
  kind: 'address-space-limited',
  message:
    'Cannot download anything: a limit on virtual memory (ulimit -v) leaves too little for WebAssembly, which Node needs for HTTP.',
  hint: 'Run the same command without that limit, or with NODE_OPTIONS=--disable-wasm-trap-handler in its environment.',
  exit: Exit.osError,
};
