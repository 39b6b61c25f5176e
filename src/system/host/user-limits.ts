/** The limits of this process that a shell or a service manager sets (`ulimit`), by the names that Node's report has for them. */
export function userLimits(): Readonly<Record<string, { readonly soft: unknown }>> {
  // Not yet in Node's types. A report otherwise asks DNS for the name of each connection's other end, and waits for the answers: for most
  // of a minute where none come.
  const report: typeof process.report & { excludeNetwork?: boolean } = process.report;
  report.excludeNetwork = true;
  const { userLimits: limits = {} } = report.getReport() as {
    readonly userLimits?: Readonly<Record<string, { readonly soft: unknown }>>;
  };
  return limits;
}
