import { TargetError, type TargetKind } from './target.ts'

const IMPOSSIBLE =
  'Amazon Cognito imports no password hashes, and its user migration trigger is called for users alone whom the pool does not have: whoever is brought beforehand has to reset the password. Bring nobody. Set the trigger up as docs/cognito.md says; each user is made in the pool at the first sign-in or with a forgotten password.'

/** Amazon Cognito: nothing to bring, and why. */
export const cognito: TargetKind = {
  name: 'cognito',
  title: 'Amazon Cognito',
  impossible: IMPOSSIBLE,
  settings: {},
  traits: {
    hook: true,
    hookWants: 'absent',
    reads: () => false,
    replacesHash: false,
    updates: false,
    removes: [],
    standard: {},
    attributes: [],
    others: 'refused',
    sameness: ['case'],
    batch: 1,
    callsPerBatch: 1,
    needs: () => [IMPOSSIBLE],
  },
  open: () => {
    throw new TargetError(IMPOSSIBLE)
  },
}
