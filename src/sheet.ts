/**
 * What a spreadsheet takes for a formula, in full-width characters too, and behind what it leaves out.
 * https://owasp.org/www-community/attacks/CSV_Injection
 */
const FORMULA = /^(?:[\t\r\n]|[\s"'\ufeff]*[=+\-@＝＋－＠])/

/**
 * A cell of a CSV file that people open: in quotes, so that no other separator counts; what a spreadsheet would take for a
 * formula begins with an apostrophe.
 */
export function sheetCell(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text
  return `"${safe.replaceAll('"', '""')}"`
}
