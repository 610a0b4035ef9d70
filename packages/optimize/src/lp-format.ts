import type { IntegerModel } from './integer-model.js';

const PER_LINE = 8;

/**
 * The model in CPLEX's LP format, which CBC, GLPK, Gurobi, HiGHS, SCIP and others read. The
 * constant of the objective stands in a comment, since not all readers know one.
 */
export function formatLp(model: IntegerModel): string {
  const lines = [`\\ ${model.name}`, `\\ objective constant, to be added: ${model.constant}`, 'Minimize'];
  const terms = (
    indices: Iterable<number>,
    value: (at: number) => number,
    column: (at: number) => number,
  ): string[] => {
    const texts: string[] = [];
    for (const at of indices)
      if (value(at) !== 0)
        texts.push(`${value(at) < 0 ? '-' : '+'} ${Math.abs(value(at))} ${model.columnNames[column(at)]}`);
    const folded: string[] = [];
    for (let i = 0; i < texts.length; i += PER_LINE) folded.push(texts.slice(i, i + PER_LINE).join(' '));
    return folded.length === 0 ? [`0 ${model.columnNames[0] ?? 'nothing'}`] : folded;
  };
  const all = Array.from(model.columnNames.keys());
  lines.push(
    ` cost: ${terms(
      all,
      (at) => model.objective[at],
      (at) => at,
    ).join('\n   ')}`,
    'Subject To',
  );
  for (const [r, name] of model.rowNames.entries()) {
    const indices = Array.from({ length: model.starts[r + 1] - model.starts[r] }, (_, i) => model.starts[r] + i);
    const text = terms(
      indices,
      (at) => model.values[at],
      (at) => model.columns[at],
    ).join('\n   ');
    const [lower, upper] = [model.rowLower[r], model.rowUpper[r]];
    if (lower === upper) lines.push(` ${name}: ${text} = ${lower}`);
    else {
      if (lower > -Infinity) lines.push(` ${name}: ${text} >= ${lower}`);
      if (upper < Infinity) lines.push(` ${name}${lower > -Infinity ? '.upper' : ''}: ${text} <= ${upper}`);
    }
  }
  lines.push('Bounds');
  for (const [c, name] of model.columnNames.entries())
    lines.push(
      model.upper[c] === Infinity
        ? ` ${name} >= ${model.lower[c]}`
        : ` ${model.lower[c]} <= ${name} <= ${model.upper[c]}`,
    );
  const whole = all.filter((c) => model.integer[c] === 1);
  if (whole.length > 0) {
    lines.push('General');
    for (let i = 0; i < whole.length; i += PER_LINE)
      lines.push(
        ` ${whole
          .slice(i, i + PER_LINE)
          .map((c) => model.columnNames[c])
          .join(' ')}`,
      );
  }
  lines.push('End', '');
  return lines.join('\n');
}
