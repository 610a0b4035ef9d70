export type { ControlMode } from './act-context.js';
export {
  type ApprovalQueue,
  type ApprovalQueueOptions,
  createApprovalQueue,
  type Proposal,
  type ProposalChange,
} from './approvals.js';
export { createControlLoop } from './control-loop.js';
export type { Cadences, ControlLoopOptions, ControlTickReport, MultiTimescaleLoop } from './control-loop-options.js';
export {
  type DecisionEntry,
  type DegradationEntry,
  explain,
  type Explanation,
  type IntentEntry,
  type Journal,
  type JournalEntry,
  type JournalForecast,
  journalLine,
  type PlanEntry,
  type SeenEndpoint,
} from './journal.js';
export { createDryRunActuator } from './dry-run.js';
export { type ControlHostOptions, runControlLoop } from './live-host.js';
export type { KeyedForecast, PlanningInput, PlanningOptions } from './planning-options.js';
