import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { ConfigError, type EndpointId, SageServeError } from '@sageserve/core';
import { type DecisionEntry, explain, type Explanation, type JournalEntry } from '@sageserve/controller';
import { readBytes } from '@sageserve/trace';
import { z } from 'zod';
import { decimal, type JournalHead, NONE, percent } from '@sageserve/experiments';
import { parseDurationMs, readFailure } from '@sageserve/fleet';

export interface ExplainOptions {
  readonly at?: string;
  readonly endpoint?: string;
  readonly json?: boolean;
}

/** `sageserve explain`: why an endpoint had as many instances as it had, from a journal. */
export async function explainCommand(file: string, options: ExplainOptions): Promise<void> {
  const { head, entries } = await readJournal(file);
  const endpoints = [
    ...new Set(
      entries.flatMap((entry) =>
        entry.kind === 'decision'
          ? [entry.endpointId]
          : entry.kind === 'plan'
            ? (Object.keys(entry.targets) as EndpointId[])
            : [],
      ),
    ),
  ].sort();
  if (options.endpoint === undefined)
    throw new ConfigError('--endpoint', 'is needed', { hint: endpointHint(endpoints) });
  const matching = endpoints.filter((id) => id === options.endpoint || id.includes(options.endpoint!));
  const exact = endpoints.find((id) => id === options.endpoint) ?? (matching.length === 1 ? matching[0] : undefined);
  if (exact === undefined)
    throw new ConfigError(
      '--endpoint',
      `"${options.endpoint}" ${matching.length === 0 ? 'is none of which the journal tells' : 'stands for several'}`,
      {
        hint: endpointHint(matching.length === 0 ? endpoints : matching),
      },
    );
  const atMs = timeOf(options.at, head, entries.at(-1)?.atMs ?? 0);
  const found = explain(entries, exact, atMs);
  if (options.json === true) console.log(JSON.stringify({ ...head, endpointId: exact, atMs, ...found }, null, 2));
  else console.log(explanationText(exact, atMs, found, head).join('\n'));
}

const number = z.number();
/** What a date can be made of. */
const time = number.min(-8.64e15).max(8.64e15);
const seen = z.looseObject({
  readyInstances: number.optional(),
  provisioningInstances: number.optional(),
  drainingInstances: number.optional(),
  kvCacheUtilization: number.optional(),
  queuedTokens: number.optional(),
  demandTokensPerS: number.optional(),
});
const series = z.looseObject({
  modelId: z.string(),
  regionId: z.string(),
  method: z.string(),
  startMs: time,
  stepMs: number.positive().max(8.64e15),
  expected: z.array(number),
  low: z.array(number),
  high: z.array(number),
});
/** As much of an entry as an explanation reads. */
const journalLineSchema = z.discriminatedUnion('kind', [
  z.looseObject({ kind: z.literal('run'), scenario: z.string(), strategy: z.string(), startEpochMs: time.optional() }),
  z.looseObject({
    kind: z.literal('plan'),
    atMs: time,
    status: z.string(),
    solver: z.string(),
    targets: z.record(z.string(), z.looseObject({ held: number, target: number })),
    forecasts: z.array(series),
    shortfall: z.array(
      z.looseObject({ kind: z.string(), modelId: z.string(), regionId: z.string().optional(), amount: number }),
    ),
  }),
  z.looseObject({
    kind: z.literal('decision'),
    atMs: time,
    endpointId: z.string(),
    seen,
    plannedInstances: number.optional(),
    targetInstances: number,
    reason: z.string(),
    outcome: z.string(),
    reachedInstances: number.optional(),
    detail: z.string().optional(),
  }),
  z.looseObject({ kind: z.literal('intent'), atMs: time, endpointId: z.string() }),
  z.looseObject({
    kind: z.enum(['degradation', 'recovery']),
    atMs: time,
    what: z.string(),
    ends: z.string().optional(),
  }),
]);

/** Which field is wrong, where that is known. */
function at(path: readonly PropertyKey[] | undefined): string {
  return path === undefined || path.length === 0 ? '' : `: ${path.map(String).join('.')} is missing or wrong`;
}

/**
 * Reads a journal of JSON Lines. Throws `SageServeError` (ERR_JOURNAL) with file and line for one
 * that is not.
 */
async function readJournal(file: string): Promise<{ head: JournalHead | undefined; entries: JournalEntry[] }> {
  const entries: JournalEntry[] = [];
  let head: JournalHead | undefined;
  let line = 0;
  try {
    for await (const text of createInterface({
      input: Readable.from(readBytes(file), { objectMode: false }),
      crlfDelay: Infinity,
    })) {
      line++;
      if (text.trim() === '') continue;
      let entry: JournalEntry | JournalHead;
      try {
        entry = JSON.parse(text) as JournalEntry | JournalHead;
      } catch (cause) {
        throw new SageServeError('ERR_JOURNAL', `${file}:${line}: is no JSON`, {
          hint: 'A journal has one entry on each line.',
          cause,
        });
      }
      const parsed = journalLineSchema.safeParse(entry);
      if (parsed.success && entry.kind === 'run') head = entry;
      else if (parsed.success) entries.push(entry as JournalEntry);
      else
        throw new SageServeError(
          'ERR_JOURNAL',
          `${file}:${line}: is no entry of a journal${at(parsed.error.issues[0]?.path)}`,
          {
            hint: 'compare --out and simulate --out write journals.',
          },
        );
    }
  } catch (cause) {
    if (cause instanceof SageServeError) throw cause;
    throw new SageServeError('ERR_JOURNAL', `can't read ${file}: ${readFailure(cause)}`, { cause });
  }
  return { head, entries };
}

function endpointHint(endpoints: readonly string[]): string {
  return endpoints.length === 0
    ? 'The journal has neither decisions nor plans.'
    : `It tells of ${endpoints.join(', ')}.`;
}

/**
 * A duration from the start, or a time of day where the journal knows when it began; the end unless
 * given.
 */
function timeOf(at: string | undefined, head: JournalHead | undefined, endMs: number): number {
  if (at === undefined) return endMs;
  const fromStart = parseDurationMs(at);
  if (fromStart !== undefined) return fromStart;
  const date = Date.parse(at);
  if (Number.isNaN(date))
    throw new ConfigError('--at', `must be a duration from the start such as 14h, or a time, not "${at}"`);
  if (head?.startEpochMs === undefined)
    throw new ConfigError(
      '--at',
      'must be a duration from the start such as 14h: the journal does not know when it began',
    );
  return date - head.startEpochMs;
}

function explanationText(
  endpointId: EndpointId,
  atMs: number,
  { decision, earlier, plan, degradations }: Explanation,
  head: JournalHead | undefined,
): string[] {
  const lines = [
    `${endpointId} at ` +
      `${clock(atMs)}${
        head === undefined
          ? ''
          : ` (${head.scenario}, ` + `${head.strategy}${head.seed === undefined ? '' : `, seed ${head.seed}`})`
      }`,
  ];
  if (decision === undefined) lines.push('  nothing was decided for it by then');
  else {
    lines.push(`  ${decisionText(decision)}`);
    const { seen } = decision;
    lines.push(
      `  seen then: ${seen.readyInstances ?? '?'} ready, ${seen.provisioningInstances ?? '?'} provisioning, ` +
        `${seen.drainingInstances} draining; KV memory ${percent(seen.kvCacheUtilization, 0)} in use; ` +
        `${decimal(seen.queuedTokens, 0)} prompt tokens waiting; ${decimal(seen.demandTokensPerS, 0)} tokens/s`,
    );
    if (decision.detail !== undefined) lines.push(`  ${decision.detail}`);
  }
  if (plan === undefined) lines.push('  no plan was in force');
  else {
    // A plan knows no pools; names may have slashes.
    const key = longest(Object.keys(plan.targets), (one) => endpointId === one || endpointId.startsWith(`${one}/`));
    const target = key === undefined ? undefined : plan.targets[key];
    lines.push(
      `  plan of ${clock(plan.atMs)} (${plan.status}, by ${plan.solver}): ` +
        (target === undefined ? 'says nothing of it' : `${target.held} held then, ${target.target} planned`),
    );
    const of = ({ regionId, modelId }: (typeof plan.forecasts)[number]): string => `${regionId}/${modelId}/`;
    const name = longest(plan.forecasts.map(of), (one) => endpointId.startsWith(one));
    const forecast = plan.forecasts.find((one) => of(one) === name);
    if (forecast !== undefined) {
      lines.push(`  forecast by ${forecast.method}`);
      for (const [h, expected] of forecast.expected.slice(0, 6).entries())
        lines.push(
          `    ${clock(forecast.startMs + h * forecast.stepMs)}  ${decimal(expected, 0)} tokens/s, from ` +
            `${decimal(forecast.low[h], 0)} to ${decimal(forecast.high[h], 0)} in four cases of five`,
        );
    }
    for (const missing of plan.shortfall)
      lines.push(
        `  the plan falls short: ${missing.kind} of ` +
          `${missing.modelId}${missing.regionId === undefined ? '' : ` in ${missing.regionId}`} by ` +
          decimal(missing.amount, 0),
      );
  }
  for (const { what, atMs: since } of degradations) lines.push(`  degraded since ${clock(since)}: ${what}`);
  if (earlier.length > 0)
    lines.push('  before that:', ...[...earlier].reverse().map((one) => `    ${decisionText(one)}`));
  return lines;
}

/** The longest of the names that fit. */
function longest(names: readonly string[], fits: (name: string) => boolean): string | undefined {
  return names.filter(fits).sort((a, b) => b.length - a.length)[0];
}

function decisionText({ atMs, seen, targetInstances, reason, outcome, reachedInstances }: DecisionEntry): string {
  const { readyInstances: ready, provisioningInstances: coming } = seen;
  const from = ready === undefined || coming === undefined ? '?' : ready + coming;
  const done =
    outcome === 'applied'
      ? ''
      : ` (${outcome}${reachedInstances === undefined ? '' : `, reached ${reachedInstances}`})`;
  return `${clock(atMs)}  ${from} → ${targetInstances}${done}: ${reason || NONE}`;
}

/** Days, hours, minutes and seconds from the start. */
function clock(ms: number): string {
  const s = Math.floor(ms / 1_000);
  const two = (n: number): string => String(n).padStart(2, '0');
  const days = Math.floor(s / 86_400);
  return `${days > 0 ? `${days} d ` : ''}${two(Math.floor(s / 3_600) % 24)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}
