/** A stream of frames, each behind a head that says its length. */

/** Takes chunks as they come; gives each frame, which is the receiver's only until it returns. */
export function frames(
  headBytes: number,
  lengthOf: (head: Buffer) => number,
  onFrame: (frame: Buffer) => void,
): (chunk: Buffer) => void {
  let got = Buffer.alloc(0);
  return (chunk) => {
    got = got.length === 0 ? Buffer.from(chunk) : Buffer.concat([got, chunk]);
    let at = 0;
    while (got.length - at >= headBytes) {
      const end = at + headBytes + lengthOf(got.subarray(at));
      if (got.length < end) break;
      onFrame(got.subarray(at + headBytes, end));
      at = end;
    }
    got = got.subarray(at);
  };
}
