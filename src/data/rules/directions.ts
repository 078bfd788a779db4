/** @file Overrides and isolates of the writing direction, which no reader sees: kept in the text, not compared (row 13). */

/** Joiners (ZWJ, ZWNJ) are none: Urdu, Nepali and Bengali are written with them. */
const DIRECTIONS = /[\u202a-\u202e\u2066-\u2069]/g;

export const hasDirections = (text: string): boolean => text.search(DIRECTIONS) >= 0;

export const withoutDirections = (text: string): string => text.replace(DIRECTIONS, "");
