/**
 * Sizes that say that a value or an idea hides: of a function in lines, of a function and of a file in statements and properties. Those
 * are counted, so that nothing is gained by writing two into a line.
 *
 * A table is read row by row and has no order of steps, so that its rows do not count: what a constant of the module holds, and the literal
 * that a function gives back which does nothing but name what is in it. Nor do the lines of a text, which is what a template is.
 */
const most = { lines: 40, ofFunction: 25, ofFile: 120 };

export const sizes = { rules: { function: rule(functionSize), file: rule(fileSize) } };

function rule(create) {
  return { meta: { type: 'suggestion', schema: [] }, create };
}

function functionSize(context) {
  const { visitorKeys } = context.sourceCode;
  const check = (node) => {
    const parts = partsOf(node.body, visitorKeys, { table: tableOf(node), isWhole: false });
    if (parts > most.ofFunction)
      context.report({
        node,
        message: `Has ${parts} statements and properties, more than ${most.ofFunction}: name the value that hides in it.`,
      });
    const lines = linesOf(node, visitorKeys);
    if (lines > most.lines)
      context.report({ node, message: `Has ${lines} lines, more than ${most.lines}.` });
  };
  return { FunctionDeclaration: check, FunctionExpression: check, ArrowFunctionExpression: check };
}

function fileSize(context) {
  return {
    Program(node) {
      const { visitorKeys } = context.sourceCode;
      const parts = partsOf(node, visitorKeys, { table: node, isWhole: true });
      if (parts > most.ofFile)
        context.report({
          node,
          message: `Has ${parts} statements and properties, more than ${most.ofFile}: give an idea in it a file of its own.`,
        });
    },
  };
}

/** Statements, and properties outside tables. `isWhole`: with those of the functions in it. */
function partsOf(root, visitorKeys, { table, isWhole }) {
  let parts = 0;
  const visit = (node, parent, table, isRow) => {
    const counts = isStatement(node, parent) || (!isRow && isProperty(node, parent));
    if (counts) parts++;
    const within = isRow || node === table;
    for (const child of childrenOf(node, visitorKeys))
      if (!isFunction(child)) visit(child, node, table, within);
      else if (isWhole) visit(child, node, tableOf(child), false);
  };
  visit(root, undefined, table, false);
  return parts;
}

/** Those that are neither a table's nor a text's. */
function linesOf(node, visitorKeys) {
  const others = new Set();
  const visit = (each, table) => {
    const inner = isFunction(each) ? tableOf(each) : table;
    if (each === table || each.type === 'TemplateElement')
      for (let line = each.loc.start.line + 1; line <= each.loc.end.line; line++) others.add(line);
    for (const child of childrenOf(each, visitorKeys)) visit(child, inner);
  };
  visit(node, undefined);
  return node.loc.end.line - node.loc.start.line + 1 - others.size;
}

/** The literal that a function gives back which does nothing but name what is in it; undefined of any other function. */
function tableOf({ body }) {
  if (body.type !== 'BlockStatement') return literalIn(body);
  const last = body.body.at(-1);
  const onlyNames = body.body.slice(0, -1).every(({ type }) => type === 'VariableDeclaration');
  return onlyNames && last?.type === 'ReturnStatement' ? literalIn(last.argument) : undefined;
}

/** Through `as` and `satisfies`. */
function literalIn(node) {
  if (/^TS(As|Satisfies)Expression$/.test(node?.type)) return literalIn(node.expression);
  return /^(Object|Array)Expression$/.test(node?.type) ? node : undefined;
}

const childrenOf = (node, visitorKeys) =>
  (visitorKeys[node.type] ?? []).flatMap((key) => node[key]).filter((child) => child);

const isFunction = ({ type }) => /^(ArrowFunction|Function)(Expression|Declaration)$/.test(type);

const isProperty = ({ type }, parent) =>
  parent?.type === 'ObjectExpression' && /^(Property|SpreadElement)$/.test(type);

/** One with `export` before it counts once; a block, an import and a type are none, nor is what a loop counts by. */
const isStatement = ({ type }, parent) =>
  /Declaration$/.test(type)
    ? /^(Variable|Function|Class)/.test(type) && !/^For/.test(parent?.type)
    : /Statement$|^ExportAll/.test(type) && type !== 'BlockStatement';
