import type { ReasonCode, WarningCode } from '../targets/target.ts'
import { reasons as planned } from './decide.ts'

/** Why a user is not there as planned: those of the targets, and what a run finds out by itself. */
export type RunReason = ReasonCode | WarningCode | 'deleted-since-plan'

export interface Told {
  readonly sentence: string
  /** What to do about it; null: nothing. */
  readonly hint: string | null
}

export const reasons: Readonly<Record<RunReason, Told>> = {
  taken: {
    sentence:
      'somebody else at the target has this login, e-mail address or another value that must be unique',
    hint: 'see whether it is the same person: then remove one of the two; otherwise change the value in the old system and load it again',
  },
  'invalid-attribute': {
    sentence: 'the target does not take the value of an attribute',
    hint: 'run `carryover check`, correct the value or declare a fix, and make a new plan',
  },
  'unknown-attribute': {
    sentence: 'the target does not know an attribute',
    hint: 'define the attribute at the target, or leave it out in the mapping and make a new plan',
  },
  'missing-attribute': {
    sentence: 'the target requires an attribute that this user does not have',
    hint: 'fill it in the old system, or give it a default by a fix, and make a new plan',
  },
  'hash-refused': {
    sentence: 'the target does not take the password hash',
    hint: 'plan these users by the hook, or with a guided reset',
  },
  'too-large': {
    sentence: 'the user is larger than the target allows',
    hint: 'leave large attributes out in the mapping and make a new plan',
  },
  'wrong-state': {
    sentence: 'the user is in a state at the target in which this cannot be done',
    hint: 'look at the user there; once that is settled, run `carryover provision PLAN --only-failed`',
  },
  'not-there': {
    sentence: 'the user is not at the target, where an earlier run had left it',
    hint: 'see who removed the user there; a new plan creates it again',
  },
  forbidden: {
    sentence: 'the token may not do this to this user',
    hint: 'give the token the right, or leave the user out: administrators often need higher rights',
  },
  rejected: {
    sentence: 'the target refuses the user for a reason of its own',
    hint: 'its code and words say more; correct the user and make a new plan',
  },
  busy: {
    sentence: 'the target was too busy, several times',
    hint: 'run `carryover provision PLAN --only-failed` later, at a lower --speed',
  },
  'no-answer': {
    sentence: 'the target did not answer, several times; it may have done what was asked all the same',
    hint: 'run `carryover provision PLAN --only-failed`, which first looks whether the user is there',
  },
  'changed-since-plan': {
    sentence: 'the user was changed in the copy after the plan was made',
    hint: 'make a new plan: it has the change',
  },
  'confirmed-since-plan': {
    sentence: 'the target has confirmed a password of its own for this user after the plan was made',
    hint: 'nothing is lost: make a new plan, which leaves that password alone',
  },
  'factor-not-enrolled': {
    sentence: 'the user is there, without the phone as a second factor',
    hint: 'see whether the number is right and the factor is allowed at the target; the user can enrol it as well',
  },
  'deleted-since-plan': {
    sentence: 'the user was deleted in the old system after the plan was made',
    hint: 'nothing is to be done: deleted users are not brought',
  },
}

/** What is told of a word that was kept, of a run or of a plan; of one that this program does not know, nothing. */
export function toldOf(reason: string): Told | undefined {
  return known.get(reason)
}

const known: ReadonlyMap<string, Told> = new Map<string, Told>([
  // Of those whom the plan leaves out: nothing went wrong.
  ...Object.entries(planned).map(([word, sentence]) => [word, { sentence, hint: null }] as const),
  ...Object.entries(reasons),
])
