/** The style sheet of the report: system fonts, two themes, one column on a phone, ink-saving on paper. */
export const CSS = `
:root { color-scheme: light dark;
  --page: #fdfdfc; --card: #f3f3f0; --text: #1c1c1a; --soft: #666662; --line: #dededa; --link: #0b5a8f;
  --base: #6f6f6b; --stage1: #0072b2; --stage2: #007a5a; --sft: #b35c00; --dpo: #a23b7c;
  --good: #00735a; --bad: #c0490a; --tie: #b9b9b3; --on-bar: #fff; --good-soft: #e0f1ec; --bad-soft: #fbe7dc; }
@media screen and (prefers-color-scheme: dark) { :root {
  --page: #16171a; --card: #212328; --text: #e8e8e4; --soft: #a3a39d; --line: #35373d; --link: #7fc1f0;
  --base: #a5a5a0; --stage1: #56b4e9; --stage2: #3cc79c; --sft: #f0a045; --dpo: #e48cc0;
  --good: #3cc79c; --bad: #f5894e; --tie: #5c5e66; --on-bar: #111; --good-soft: #17362e; --bad-soft: #41291b; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 1240px; padding: 0 clamp(14px, 3vw, 40px); background: var(--page); color: var(--text);
  font: 15px/1.55 system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
header { padding: 34px 0 6px; }
h1 { font-size: clamp(22px, 3.4vw, 34px); line-height: 1.2; margin: 4px 0 18px; letter-spacing: -0.01em; text-wrap: balance; }
h2 { font-size: 23px; margin: 0 0 6px; letter-spacing: -0.01em; }
h3 { font-size: 15px; margin: 30px 0 8px; }
section { padding: 34px 0 10px; border-top: 1px solid var(--line); margin-top: 28px; }
section > p, .lead { max-width: 75ch; }
.kicker, .note, footer, section > p { color: var(--soft); }
.kicker { margin: 0; font-size: 13.5px; }
.note { font-size: 13px; margin: 8px 0 0; }
.note code { display: inline-block; margin-right: 10px; }
code { font: 12px/1.5 ui-monospace, "Noto Sans Mono", monospace; overflow-wrap: anywhere; }
a { color: var(--link); }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 8px 0; }
.facts { display: flex; flex-wrap: wrap; gap: 8px 30px; margin: 0 0 20px; }
.facts dt { color: var(--soft); font-size: 12.5px; }
.facts dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 190px), 1fr)); gap: 12px; }
.cards div { background: var(--card); border-radius: 10px; padding: 12px 16px; display: flex; flex-direction: column; }
.cards span, .cards small { color: var(--soft); font-size: 13px; }
.cards b { font-size: 22px; font-variant-numeric: tabular-nums; line-height: 1.4; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); gap: 26px 34px; margin: 18px 0 8px;
  align-items: start; }
figure { margin: 0; min-width: 0; max-width: 560px; }
figcaption { font-size: 14px; margin-bottom: 4px; line-height: 1.35; }
figcaption span { color: var(--soft); font-size: 13px; display: block; }
svg.plot { display: block; width: 100%; height: auto; --plot-background: var(--page); }
.plot text { white-space: pre; }
.tables { display: flex; flex-wrap: wrap; gap: 0 54px; align-items: flex-start; }
.tables > div { width: min-content; min-width: min(100%, 330px); max-width: 100%; }
.beside { display: flex; flex-flow: row-reverse wrap; justify-content: flex-end; gap: 10px 44px; align-items: flex-start; }
.beside > .tables { flex-flow: column; min-width: 0; max-width: 100%; } .beside > .charts { flex: 1 1 330px; min-width: 0; max-width: 480px; grid-template-columns: 1fr; margin-top: 30px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 10px; text-align: right; white-space: nowrap; }
tbody th, .claims th, .claims td { text-align: left; font-weight: 400; }
thead th { color: var(--soft); font-weight: 600; font-size: 12.5px; border-bottom: 1px solid var(--line); vertical-align: bottom; }
thead td { border-bottom: 1px solid var(--line); }
th.span { text-align: center; color: var(--text); border-bottom: 1px solid var(--soft); border-left: 10px solid var(--page);
  border-right: 10px solid var(--page); }
.scroll > table:not(.claims, .samples, .settings) tr > :first-child { position: sticky; left: 0; background: var(--page); }
tbody tr:hover > * { background: var(--card) !important; }
tr.group th { color: var(--soft); font-size: 12.5px; font-weight: 600; padding-top: 12px; position: static !important; }
tr.group th span { position: sticky; left: 10px; }
tr.average > * { border-top: 1px solid var(--line); border-bottom: 1px solid var(--line); background: var(--card) !important; }
tr.average th { font-weight: 600; }
td small { color: var(--soft); font-size: 11.5px; font-weight: 400; }
td.good { color: var(--good); } td.bad { color: var(--bad); } td.strong { font-weight: 700; }
.claims { width: 100%; }
.claims tbody td, .claims tbody th { border-bottom: 1px solid var(--line); padding: 7px 10px; white-space: normal; }
.claims tbody th { font-weight: 600; }
.mark { display: inline-block; border-radius: 20px; padding: 1px 11px; font-weight: 600; font-size: 13px; white-space: nowrap; }
.good .mark { background: var(--good-soft); color: var(--good); } .bad .mark { background: var(--bad-soft); color: var(--bad); }
details { margin: 12px 0; border-top: 1px solid var(--line); padding-top: 8px; }
summary { cursor: pointer; font-weight: 600; padding: 3px 0; }
.cardgrid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 360px), 1fr)); gap: 14px; padding: 10px 0; }
.samples { width: 100%; background: var(--card); border-radius: 8px; font-size: 14.5px; height: fit-content; }
.samples caption { text-align: left; font-weight: 600; font-size: 13.5px; padding: 2px 0 4px; }
.samples th { width: 92px; color: var(--soft); vertical-align: top; padding: 4px 12px; font-size: 13px; }
.samples td { text-align: start; white-space: pre-wrap; overflow-wrap: anywhere; padding: 4px 12px; }
.samples .reference td { font-weight: 600; }
.samples tr.base th { border-top: 1px solid var(--line); } .samples tr.base td { border-top: 1px solid var(--line); }
.settings td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.settings th { color: var(--soft); vertical-align: top; }
footer { padding: 24px 0 40px; font-size: 13px; border-top: 1px solid var(--line); margin-top: 30px; }
@media (max-width: 600px) {
  body { font-size: 15px; } h2 { font-size: 20px; } th, td { padding: 3px 7px; }
  .cards { grid-template-columns: 1fr 1fr; } .cards b { font-size: 17px; }
  .claims, .claims tbody, .claims tr, .claims td, .claims tbody th { display: block; border: 0 !important; padding: 1px 0 !important; }
  .claims thead { display: none; } .claims tr { padding: 9px 0 !important; border-bottom: 1px solid var(--line) !important; }
  .claims td:nth-child(3)::before { content: "expected: "; color: var(--soft); }
  .claims td:nth-child(4)::before { content: "measured: "; color: var(--soft); }
  .samples th { width: 74px; padding: 4px 8px; } }
@media print {
  body { max-width: none; font-size: 11px; } nav, footer { display: none; } section { break-before: auto; padding-top: 14px; }
  figure, tr, .cards, .samples { break-inside: avoid; } .scroll { overflow: visible; } table { font-size: 9.5px; } th, td { padding: 1px 5px; }
  .charts { grid-template-columns: 1fr 1fr; } h2, h3, summary { break-after: avoid; } details::details-content { content-visibility: visible; } }
`;
