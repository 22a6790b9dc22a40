import { textOfUtf8 } from './encodings.ts'

/** What bytes from 0x80 to 0xff stand for; below it is ASCII. Places without a sign are controls, as Windows has them. */
const SIGNS = {
  cp1252:
    '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ\xa0¡¢£¤¥¦§¨©ª«¬\xad®¯°±²³´µ¶·¸¹º»¼½¾¿' +
    'ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ',
  cp437:
    'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐' +
    '└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\xa0',
  cp850:
    'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐' +
    '└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\xad±‗¾¶§÷¸°¨·¹³²■\xa0',
} as const

export type CodePage = keyof typeof SIGNS

/** UTF-8 in a code page of one byte a character; null where a character has no byte, which such a store cannot hold. */
export function inCodePage(bytes: Uint8Array, page: CodePage): Buffer | null {
  const text = textOfUtf8(bytes)
  if (text === null) return null
  const made: number[] = []
  for (const character of text) {
    const place = SIGNS[page].indexOf(character)
    if (place < 0 && character > '\x7f') return null
    made.push(place < 0 ? character.charCodeAt(0) : 0x80 + place)
  }
  return Buffer.from(made)
}
