import { ciscoAsa, ciscoPix, ciscoType4, ciscoType7 } from './cisco-digests.ts'
import type { Family } from './format.ts'
import {
  arubaos,
  citrixNetscaler,
  fortigate,
  fortigate256,
  huawei,
  juniperNetscreen,
} from './network-digests.ts'
import { racf } from './racf.ts'
import { qnx, rsaNetwitness, sybaseAse } from './server-digests.ts'

/** Network devices and servers, each with a digest of its own. */
export const deviceDigests: readonly Family[] = [
  ciscoPix,
  ciscoAsa,
  ciscoType4,
  ciscoType7,
  sybaseAse,
  juniperNetscreen,
  fortigate,
  fortigate256,
  citrixNetscaler,
  arubaos,
  qnx,
  racf,
  huawei,
  rsaNetwitness,
]
