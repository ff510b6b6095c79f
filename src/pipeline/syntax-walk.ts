import type { AnyNode, Pattern } from 'acorn';

/** A node of the parsed expression and the names that code around it declares. */
export type Visitor = (node: AnyNode, parent: AnyNode | undefined, local: ReadonlySet<string>) => void;

const NONE: ReadonlySet<string> = new Set();

/** Visits every node once, parents first. Names in non-computed keys, labels and patterns are not visited as identifiers. */
export function walkSyntax(root: AnyNode, visit: Visitor): void {
  visitNode(root, undefined, NONE, visit);
}

function visitNode(node: AnyNode, parent: AnyNode | undefined, local: ReadonlySet<string>, visit: Visitor): void {
  visit(node, parent, local);
  const inner = isFunction(node) ? new Set([...local, ...declaredIn(node)]) : local;
  for (const child of childrenOf(node)) visitNode(child, node, inner, visit);
}

function isFunction(node: AnyNode): boolean {
  return node.type === 'ArrowFunctionExpression' || node.type === 'FunctionExpression' || node.type === 'FunctionDeclaration';
}

function childrenOf(node: AnyNode): AnyNode[] {
  switch (node.type) {
    case 'MemberExpression':
      return [node.object, ...(node.computed ? [node.property] : [])];
    case 'Property':
      return [...(node.computed ? [node.key] : []), node.value];
    case 'ArrowFunctionExpression':
    case 'FunctionExpression':
    case 'FunctionDeclaration':
      return [...node.params.flatMap(defaultsOf), node.body];
    case 'VariableDeclarator':
      return [...defaultsOf(node.id), ...(node.init ? [node.init] : [])];
    case 'CatchClause':
      return [node.body];
    case 'LabeledStatement':
      return [node.body];
    case 'BreakStatement':
    case 'ContinueStatement':
    case 'MetaProperty':
      return [];
    default:
      return nestedNodes(node);
  }
}

function nestedNodes(node: object): AnyNode[] {
  const found: AnyNode[] = [];
  for (const value of Object.values(node)) {
    for (const item of Array.isArray(value) ? value : [value]) if (isNode(item)) found.push(item);
  }
  return found;
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string' && 'start' in value;
}

/** Expressions inside a pattern: defaults and computed keys. */
function defaultsOf(pattern: Pattern): AnyNode[] {
  switch (pattern.type) {
    case 'AssignmentPattern':
      return [...defaultsOf(pattern.left), pattern.right];
    case 'RestElement':
      return defaultsOf(pattern.argument);
    case 'ArrayPattern':
      return pattern.elements.flatMap((element) => (element ? defaultsOf(element) : []));
    case 'ObjectPattern':
      return pattern.properties.flatMap((property) =>
        property.type === 'RestElement' ? defaultsOf(property) : [...(property.computed ? [property.key] : []), ...defaultsOf(property.value)],
      );
    default:
      return [];
  }
}

function namesOf(pattern: Pattern): string[] {
  switch (pattern.type) {
    case 'Identifier':
      return [pattern.name];
    case 'AssignmentPattern':
      return namesOf(pattern.left);
    case 'RestElement':
      return namesOf(pattern.argument);
    case 'ArrayPattern':
      return pattern.elements.flatMap((element) => (element ? namesOf(element) : []));
    case 'ObjectPattern':
      return pattern.properties.flatMap((property) => namesOf(property.type === 'RestElement' ? property : property.value));
    default:
      return [];
  }
}

/** Every name that a function declares, its nested functions' own excepted; blocks are not told apart. */
function declaredIn(root: AnyNode): string[] {
  const names: string[] = [];
  const collect = (node: AnyNode): void => {
    if (node.type === 'VariableDeclarator') names.push(...namesOf(node.id));
    if (node.type === 'CatchClause' && node.param) names.push(...namesOf(node.param));
    if (node.type === 'FunctionDeclaration' && node.id) names.push(node.id.name);
    if (!isFunction(node)) nestedNodes(node).forEach(collect);
  };
  if (root.type === 'ArrowFunctionExpression' || root.type === 'FunctionExpression' || root.type === 'FunctionDeclaration') {
    for (const param of root.params) names.push(...namesOf(param));
    if (root.id) names.push(root.id.name);
    collect(root.body);
  }
  return names;
}
