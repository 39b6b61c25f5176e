/** Literals of src that are no text for people, each with its reason: a file, or one name that is declared in it. */
export const notText: readonly (readonly [where: string, why: string])[] = [
  ['guest/agent/freezer.ts#freeze', 'a script of the guest'],
];
