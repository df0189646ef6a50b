/** A number as its shortest decimal has it: `digits` times ten to the power of `exponent`. */
interface Decimal {
  readonly digits: bigint
  readonly exponent: number
}

/** Whether one number is a whole multiple of another, both taken as the decimals that they are written as. */
export function isMultiple(value: number, step: number): boolean {
  if (!Number.isFinite(value) || !Number.isFinite(step) || step === 0) return false
  const [a, b] = [decimalOf(value), decimalOf(step)]
  const least = Math.min(a.exponent, b.exponent)
  return scaled(a, least) % scaled(b, least) === 0n
}

function decimalOf(number: number): Decimal {
  const [mantissa = '0', power = '0'] = String(number).split('e')
  const [whole = '0', fraction = ''] = mantissa.split('.')
  return { digits: BigInt(whole + fraction), exponent: Number(power) - fraction.length }
}

/** Exponents of doubles are small: no more than some seven hundred digits come of it. */
function scaled({ digits, exponent }: Decimal, least: number): bigint {
  return digits * 10n ** BigInt(exponent - least)
}
