/** For `node -e`, and behind it the path of a Unix socket: carries bytes between that and its own input and output. */
export const nodeCarrier = [
  'const s=require("net").connect({path:process.argv[1],allowHalfOpen:true});',
  's.on("error",()=>{console.error("No builder listens there.");process.exit(1)});',
  's.on("end",()=>process.exit());',
  'process.stdin.pipe(s).pipe(process.stdout)',
].join('');
