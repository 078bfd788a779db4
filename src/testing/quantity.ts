/**
 * @file How often two trainers agree on a quantity, and where they first do not.
 */

/** Equal up to `tolerance` · max(1, |expected|); NaN equals nothing. */
export const close = (got: number, expected: number, tolerance: number) =>
  got === expected || Math.abs(got - expected) <= tolerance * Math.max(1, Math.abs(expected));

/** One value of the dump beside ours. */
export interface Compared {
  line: number;
  theirs: number;
  ours: number;
}

export interface QuantityReport {
  name: string;
  compared: number;
  agree: number;
  largestDifference: number;
  firstDiffering?: Compared;
  /** Known mistakes that give their numbers in every row; none where all agree, or where nothing fits. */
  mistakes: string[];
}

export type Numbered<Row> = Row & { line: number };
export type Fits = (theirs: number, ours: number) => boolean;

/** `mistakes` is asked only where something differs. */
export function quantity(
  name: string,
  values: readonly Compared[],
  fits: Fits,
  mistakes: () => string[],
): QuantityReport {
  const wrong = values.filter(({ theirs, ours }) => !fits(theirs, ours));
  return {
    name,
    compared: values.length,
    agree: values.length - wrong.length,
    largestDifference: values.reduce((most, { theirs, ours }) => Math.max(most, Math.abs(theirs - ours)), 0),
    ...(wrong.length > 0 && { firstDiffering: wrong[0] }),
    mistakes: wrong.length > 0 ? mistakes() : [],
  };
}
