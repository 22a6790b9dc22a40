/**
 * Streebog with 256 bits, GOST R 34.11-2012 (RFC 6986), and its HMAC (RFC 7836), which OpenSSL does not have.
 * A block of 64 bytes is one number: its first byte is the lowest.
 */

const BLOCK_BYTES = 64
const DIGEST_BYTES = 32
const BLOCK_MASK = (1n << 512n) - 1n

/** The substitution of bytes, section 5.2 of RFC 6986. */
const SUBSTITUTION = Buffer.from(
  [
    'fceedd11cf6e3116fbc4fada23c5044de977f0db932e99ba1736f1bb14cd5fc1f918655ae25cef21811c3c428b018e4f',
    '058402aee36a8fa0060bed987fd4d31feb342c51eac848abf22a68a2fd3aceccb5700e56080c7612bf7213479cb75d87',
    '15a19629107b9ac7f391786f9d9eb2b13275193dff358a7e6d54c680c3bd0d57dff524a93ea843c9d779d6f67c22b903',
    'e00fecde7a94b0bcdce828504e330a4aa79760731e0062441ab83882649f2641ad454692275e552f8ca3a57d69d5953b',
    '0758b34086ac1df730376be488d9e789e11b83494c3ff8fe8d53aa90cad88561207167a42d2b095bcb9b25d0bee56c52',
    '59a674d2e6f4b4c0d166afc2394b63b6',
  ].join(''),
  'hex',
)

/** What each bit of the eight bytes of a word adds, lowest first, section 5.4. */
const LINEAR = words([
  '641c314b2b8ee083c83862965601dd1b8d70c431ac02a73607e095624504536c0edd37c48a08a6d81ca76e95091051ad',
  '3853dc371220a24770a6a56e2440598ea48b474f9ef5dc18550b8e9e21f7a530aa16012142f35760492c024284fbaec0',
  '9258048415eb419d39b008152acb8227727d102a548b194ee4fa2054a80b329cf97d86d98a327728effa11af0964ee50',
  'c3e9224312c8c1a09bcf4486248d9f5d2b838811480723ba561b0d22900e4669ac361a443d1c8cd2456c34887a3805b9',
  '5b068c651810a89eb60c05ca30204d2171180a8960409a42e230140fc0802984d960281e9d1d5215afc0503c273aa42a',
  '439da0784e74555486275df09ce8aaa80321658cba93c1380642ca05693b9f700c84890ad27623e018150f14b9ec46dd',
  '302a1e286fc58ca760543c50de970553c0a878a0a1330aa69d4df05d5f661451accc9ca9328a89504585254f64090fa0',
  '8a174a9ec8121e5d092e94218d243cba125c35420748786924b86a840e90f0d2486dd4151c3dfdb990dab52a387ae76f',
  '46b60f011a83988e8c711e02341b2d0105e23c0468365a020ad97808d06cb40414aff010bdd875082843fd2067adea10',
  '5086e740ce47c920a011d380818e8f4083478b07b24687641b8e0b0e798c13c83601161cf205268d6c022c38f90a4c07',
  'd8045870ef14980ead08b0e0c3282d1c47107ddd9b505a388e20faa72ba0b470',
])

/** The constants of the twelve rounds, section 5.5, each as eight words with the highest first. */
const ROUND_CONSTANTS = words([
  'b1085bda1ecadae9ebcb2f81c0657c1f2f6a76432e45d016714eb88d7585c4fc4b7ce09192676901a2422a08a460d315',
  '05767436cc744d23dd806559f2a645076fa3b58aa99d2f1a4fe39d460f70b5d7f3feea720a232b9861d55e0f16b50131',
  '9ab5176b12d699585cb561c2db0aa7ca55dda21bd7cbcd56e679047021b19bb7f574dcac2bce2fc70a39fc286a3d8435',
  '06f15e5f529c1f8bf2ea7514b1297b7bd3e20fe490359eb1c1c93a376062db09c2b6f443867adb31991e96f50aba0ab2',
  'ef1fdfb3e81566d2f948e1a05d71e4dd488e857e335c3c7d9d721cad685e353fa9d72c82ed03d675d8b71333935203be',
  '3453eaa193e837f1220cbebc84e3d12e4bea6bacad4747999a3f410c6ca923637f151c1f1686104a359e35d7800fffbd',
  'bfcd1747253af5a3dfff00b723271a167a56a27ea9ea63f5601758fd7c6cfe57ae4faeae1d3ad3d96fa4c33b7a3039c0',
  '2d66c4f95142a46c187f9ab49af08ec6cffaa6b71c9ab7b40af21f66c2bec6b6bf71c57236904f35fa68407a46647d6e',
  'f4c70e16eeaac5ec51ac86febf240954399ec6c7e6bf87c9d3473e33197a93c90992abc52d822c3706476983284a0504',
  '3517454ca23c4af38886564d3a14d4939b1f5b424d93c9a703e7aa020c6e41414eb7f8719c36de1e89b4443b4ddbc49a',
  'f4892bcb929b069069d18d2bd1a5c42f36acc2355951a8d9a47f0dd4bf02e71e378f5a541631229b944c9ad8ec165fde',
  '3a7d3a1b258942243cd955b7e00d0984800a440bdbb2ceb17b2b8a9aa6079c540e38dc92cb1f2a607261445183235adb',
  'abbedea680056f52382ae548b2e4f3f38941e71cff8a78db1fffe18a1b3361039fe76702af69334b7a1e6c303b7652f4',
  '3698fad1153bb6c374b4c7fb98459ced7bcd9ed0efc889fb3002c6cd635afe94d8fa6bbbebab07612001802114846679',
  '8a1d71efea48b9caefbacd1d7d476e98dea2594ac06fd85d6bcaa4cd81f32d1b378ee767f11631bad21380b00449b17a',
  'cda43c32bcdf1d77f82012d430219f9b5d80ef9d1891cc86e71da4aa88e12852faf417d5d9b21b9948bc924af11bd720',
])

export function streebog256(message: Uint8Array): Buffer {
  // 256 bits of digest start from bytes of 1, 512 from bytes of 0.
  let state = numberOf(Buffer.alloc(BLOCK_BYTES, 1))
  let length = 0n
  let sum = 0n
  let at = 0
  for (; at + BLOCK_BYTES <= message.length; at += BLOCK_BYTES) {
    const block = numberOf(message.subarray(at, at + BLOCK_BYTES))
    state = compressed(state, length, block)
    length += BigInt(8 * BLOCK_BYTES)
    sum = (sum + block) & BLOCK_MASK
  }
  const rest = Buffer.alloc(BLOCK_BYTES)
  rest.set(message.subarray(at))
  rest[message.length - at] = 1
  const block = numberOf(rest)
  state = compressed(state, length, block)
  state = compressed(state, 0n, length + BigInt(8 * (message.length - at)))
  state = compressed(state, 0n, (sum + block) & BLOCK_MASK)
  return bytesOf(state).subarray(-DIGEST_BYTES)
}

/** `key` has at most 64 bytes. */
export function streebogHmac(key: Uint8Array, message: Uint8Array): Buffer {
  const padded = Buffer.alloc(BLOCK_BYTES)
  padded.set(key)
  const inner = streebog256(Buffer.concat([padded.map((byte) => byte ^ 0x36), message]))
  return streebog256(Buffer.concat([padded.map((byte) => byte ^ 0x5c), inner]))
}

/** Section 8: the block is enciphered under keys that come from state and length. */
function compressed(state: bigint, length: bigint, block: bigint): bigint {
  let key = transformed(state ^ length)
  let text = block
  for (const constant of roundConstants) {
    text = transformed(text ^ key)
    key = transformed(key ^ constant)
  }
  return text ^ key ^ state ^ block
}

const roundConstants = Array.from({ length: 12 }, (_, round) =>
  ROUND_CONSTANTS.slice(8 * round, 8 * round + 8).reduce((number, word) => (number << 64n) | word, 0n),
)

/** Substitution, transposition of the bytes, and the linear transformation. */
function transformed(number: bigint): bigint {
  const bytes = bytesOf(number)
  let result = 0n
  for (let word = 7; word >= 0; word -= 1) {
    let mixed = 0n
    for (let place = 0; place < 8; place += 1)
      mixed ^= additions[256 * place + (bytes[8 * place + word] ?? 0)] ?? 0n
    result = (result << 64n) | mixed
  }
  return result
}

/** What a byte at each place of a word adds. */
const additions = Array.from({ length: 8 * 256 }, (_, index) => {
  const substitute = SUBSTITUTION[index & 255] ?? 0
  const bits = LINEAR.slice(8 * (index >> 8), 8 * (index >> 8) + 8)
  return bits.reduce((sum, word, bit) => ((substitute >> bit) & 1 ? sum ^ word : sum), 0n)
})

function words(lines: readonly string[]): bigint[] {
  return (lines.join('').match(/.{16}/g) ?? []).map((digits) => BigInt(`0x${digits}`))
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
}

function bytesOf(number: bigint): Buffer {
  return Buffer.from(number.toString(16).padStart(2 * BLOCK_BYTES, '0'), 'hex').reverse()
}
