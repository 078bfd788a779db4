/**
 * HTML that cannot be injected: `html` escapes every value that is not already {@link Markup}. Nothing else in the
 * report makes markup from text, except Observable Plot's SVG, whose text nodes linkedom escapes.
 */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Content = string | number | Markup | undefined | false | Content[];

/** Joins a template whose values are escaped; lists are joined, `false` and `undefined` vanish. */
export function html(strings: TemplateStringsArray, ...values: Content[]): Markup {
  return new Markup(strings.map((part, i) => part + (i < values.length ? render(values[i]) : "")).join(""));
}

function render(value: Content): string {
  if (value === undefined || value === false) return "";
  if (Array.isArray(value)) return value.map(render).join("");
  return value instanceof Markup ? value.text : escapeHtml(String(value));
}

/** Safe in text and in double-quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
