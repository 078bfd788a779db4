/**
 * @file JSON that is stricter than JSON.parse.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { laxJson } from "../../src/util/json.ts";

test.each([
  ['{"a":1,"a":1}', 'the key "a" is there twice'],
  ['{"a":1,"\\u0061":1}', 'the key "a" is there twice'],
  ['[{"x":{"a":[],"b":{},"a":0}}]', 'the key "a" is there twice'],
  ['{"\\"":1,"\\"" : 2}', 'the key "\\"" is there twice'],
  ['{"__proto__":1,"__proto__":1}', 'the key "__proto__" is there twice'],
])("%s has a key twice", (text, reason) => {
  JSON.parse(text);
  expect(laxJson(text)).toBe(reason);
});

test.each(["-0", "-1", "1.0", "1e0", "1E5", "1e-5"])("%s is not a whole number", (number) => {
  for (const text of [number, `[0,${number}]`, `{"a":${number}}`, ` ${number} `]) {
    JSON.parse(text);
    expect(laxJson(text, { wholeNumbers: true })).toBe(`${number} is not a whole number`);
    expect(laxJson(text)).toBeUndefined();
  }
});

test.each([
  '{"a":{"a":{"a":1}}}',
  '[{"a":1},{"a":2}]',
  '{"a":"\\"a\\":1","b":"a:","c":"{"}',
  '{"-1":"1.5","x\\\\":12}',
  "[]",
])("%s is as it should be", (text) => {
  JSON.parse(text);
  expect(laxJson(text, { wholeNumbers: true })).toBeUndefined();
});

test("what JSON.stringify writes is as it should be", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => laxJson(JSON.stringify(value, null, 1)) === undefined));
});
