/**
 * @file Slots of prompts, `{name}`, filled in one pass: a value that spells a slot is text like any other (data-anchors
 * section 8, row 27). And what of the slots, or of a chat's own marks, is left in an answer.
 */
import { UserError } from "../../util/assert.ts";

const SLOT = /\{([a-z]\w*)\}/g;

/** @throws UserError for a slot that has no value: a template of the recipe may have one. */
export function fill(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(SLOT, (slot, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined)
      throw new UserError(`template: ${slot} is no slot; expected ${Object.keys(values).map((key) => `{${key}}`)}`);
    return value;
  });
}

/** Marks of a chat, of reasoning, of a verdict, of the paper's templates (Table 13). */
const MARKS = /<\|\w+\|>|<\/?think>|\[\[[ABC]\]\]|<(?:src_lang|tgt_lang|input|output)>/g;

/** The first slot or mark in an answer that none of the given texts has; null if there is none. */
export function leftover(answer: string, slots: readonly string[], given: readonly string[]): string | null {
  const found = [...(answer.match(MARKS) ?? []), ...slots.map((name) => `{${name}}`).filter((s) => answer.includes(s))];
  return found.find((mark) => !given.some((text) => text.includes(mark))) ?? null;
}
