/** @file The style and the script of the curation report; the script is plain JavaScript for any browser. */

export const PAGE_STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #777; --bad: #b3400a; --good: #00735a; }
body { margin: 0 auto; max-width: 1200px; padding: 12px clamp(14px, 3vw, 40px); font: 15px/1.5 system-ui, "Noto Sans", sans-serif; }
section { border-top: 1px solid var(--line); padding: 14px 0; }
div { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 10px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
td.text { text-align: left; white-space: normal; min-width: 30ch; overflow-wrap: anywhere; }
tbody tr:hover { background: #8881; }
.limit { display: grid; grid-template-columns: minmax(22ch, 1fr) 2fr 9ch 12ch; gap: 4px 12px; align-items: center; }
.limit input { width: 100%; }
.dropped { color: var(--bad); } .kept { color: var(--good); } .soft { color: var(--soft); }
`;

export const PAGE_SCRIPT = `
const data = JSON.parse(document.getElementById("data").textContent);
const element = (name, text, className) => {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  return e;
};
const table = (head, rows) => {
  const t = element("table"), top = t.createTHead().insertRow(), body = t.createTBody();
  for (const h of head) top.append(element("th", h));
  for (const row of rows) { const r = body.insertRow(); for (const cell of row) r.append(cell instanceof Node ? cell : element("td", cell)); }
  return t;
};
const put = (id, node) => document.getElementById(id).replaceChildren(node);
const documents = data.documents;
const languages = [...new Set(documents.map((d) => d.language))].sort();

let left = documents.length;
put("stages", table(["stage", "in", "dropped", "quarantined", "kept"], ["read", ...data.stages].map((stage) => {
  const here = documents.filter((d) => (d.stage ?? "") === stage);
  const dropped = here.filter((d) => d.outcome === "dropped").length, set = here.length - dropped, before = left;
  left -= here.length;
  return [stage, before, dropped, set, left];
})));
const reasons = [...new Set(documents.filter((d) => d.reason).map((d) => d.reason))];
const count = (language, reason) => documents.filter((d) => d.language === language && d.reason === reason).length || "";
put("reasons", table(["reason", ...languages, "all"], [
  ["kept", ...languages.map((l) => documents.filter((d) => d.language === l && !d.reason).length || ""), documents.filter((d) => !d.reason).length],
  ...reasons.map((r) => [r, ...languages.map((l) => count(l, r)), documents.filter((d) => d.reason === r).length]).sort((a, b) => b.at(-1) - a.at(-1)),
]));

const passes = (value, limit, keep) => (keep === "atLeast" ? value >= limit : value <= limit);
const byNumbers = (d) => d.outcome !== "quarantined" && d.measures.length > 0 && d.characters > 0;
const select = document.getElementById("language");
for (const l of languages) select.append(new Option(l, l));
const own = {};
function show() {
  const here = documents.filter((d) => d.language === select.value && byNumbers(d));
  const box = element("div"), limits = (own[select.value] ??= new Map());
  const recount = () => {
    const kept = (d, moved) => d.measures.every(([r, v, l]) => passes(v, moved && limits.has(r) ? limits.get(r) : l, data.rules[r].keep));
    const was = here.filter((d) => kept(d, false)).length, is = here.filter((d) => kept(d, true)).length;
    put("moved", document.createTextNode(here.length + " documents with text; pass all rules: " + was + " as they were, " + is + " with these limits"));
  };
  data.rules.forEach((rule, r) => {
    const found = here.flatMap((d) => d.measures.filter((m) => m[0] === r));
    if (found.length === 0) return;
    const values = found.map((m) => m[1]).sort((a, b) => a - b), first = found[0][2];
    if (!found.every((m) => m[2] === first)) return;
    const row = element("div", undefined, "limit"), input = element("input"), shown = element("span"), fails = element("span", undefined, "dropped");
    const low = Math.min(values[0], first), high = Math.max(values[Math.floor(values.length * 0.99)], first);
    Object.assign(input, { type: "range", min: low, max: high, step: "any", value: limits.get(r) ?? first });
    input.setAttribute("aria-label", rule.rule);
    const update = () => {
      const limit = Number(input.value);
      if (limit === first) limits.delete(r); else limits.set(r, limit);
      shown.textContent = (rule.keep === "atLeast" ? "\\u2265 " : "\\u2264 ") + Number(limit.toPrecision(4));
      fails.textContent = values.filter((v) => !passes(v, limit, rule.keep)).length + " fail";
    };
    input.addEventListener("input", () => { update(); recount(); });
    update();
    row.append(element("span", rule.rule), input, shown, fails);
    box.append(row);
  });
  put("limits", box);
  recount();
}
select.addEventListener("change", show);
if (languages.length > 0) show();

const chosen = document.getElementById("reason");
for (const r of ["kept", ...reasons]) chosen.append(new Option(r, r));
function list() {
  const here = documents.filter((d) => (d.reason ?? "kept") === chosen.value).slice(0, 50);
  put("documents", table(["document", "language", "characters", "measured", "beginning"], here.map((d) => {
    const bad = d.measures.find(([r, v, l]) => data.rules[r].rule === d.reason && !passes(v, l, data.rules[r].keep));
    const why = bad ? bad[1] + (data.rules[bad[0]].keep === "atLeast" ? " < " : " > ") + bad[2] : d.duplicateOf ? "= " + d.duplicateOf : "";
    return [d.url || d.id, d.language, d.characters, why, element("td", d.start, "text")];
  })));
}
chosen.addEventListener("change", list);
list();
`;
