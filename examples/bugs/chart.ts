/** @file A picture as inline SVG: Observable Plot in linkedom's document, in the colours of the report. */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { html, Markup } from "marco-mini";
import type { Curve, Picture } from "./bug.ts";

const COLORS: Record<Curve["kind"], string> = { correct: "var(--good)", broken: "var(--bad)", other: "var(--soft)" };

const LINE = { stroke: "var(--line)", strokeOpacity: 1 };

function draw(options: Plot.PlotOptions): Markup {
  const { document } = parseHTML("<html><body></body></html>");
  const svg = Plot.plot({
    document,
    className: "plot",
    width: 440,
    height: 250,
    marginTop: 12,
    marginRight: 14,
    marginBottom: 38,
    marginLeft: 48,
    style: { fontSize: "12px", background: "none", overflow: "visible" },
    ...options,
  } as Plot.PlotOptions) as unknown as { outerHTML: string };
  return new Markup(svg.outerHTML.slice("<svg".length)); // linkedom escapes texts
}

function lines({ x, logX, curves = [] }: Picture): Markup {
  const ys = curves.flatMap(({ points }) => points.map((point) => point.y));
  const [low, high] = [Math.min(...ys), Math.max(...ys)];
  const room = (high - low || 1) * 0.06;
  return draw({
    x: { type: logX ? "log" : "linear", label: x, labelAnchor: "center", labelArrow: "none" },
    y: { domain: [low - room, high + room], label: null },
    marks: [
      Plot.gridY({ ...LINE, ticks: 5 }),
      Plot.axisY({ ticks: 5, tickSize: 0, label: null }),
      Plot.axisX({
        ticks: 5,
        tickSize: 3,
        ...(logX && { tickFormat: String }),
        label: x,
        labelAnchor: "center",
        labelArrow: "none",
      }),
      ...curves.map(({ kind, points }, i) =>
        Plot.lineY(points, {
          x: "x",
          y: "y",
          stroke: COLORS[kind],
          strokeWidth: kind === "other" && i === 0 ? 6 : 2.2, // under the curve that it is equal to
          strokeOpacity: kind === "other" && i === 0 ? 0.35 : 1,
          ...(kind === "other" && i > 0 && { strokeDasharray: "5,4" }),
        }),
      ),
    ],
  });
}

function bars({ bars = [] }: Picture): Markup {
  const text = (y: number) => (Math.abs(y) >= 10 ? y.toFixed(1) : y.toPrecision(3));
  return draw({
    height: 40 + 34 * bars.length,
    marginLeft: 176,
    marginRight: 46,
    marginBottom: 28,
    x: { label: null, domain: [0, Math.max(...bars.map(({ y }) => y))] },
    y: { domain: bars.map(({ label }) => label), padding: 0.25, label: null },
    marks: [
      Plot.gridX({ ...LINE, ticks: 4 }),
      Plot.axisX({ ticks: 4, tickSize: 0, label: null }),
      Plot.axisY({ tickSize: 0, label: null }),
      Plot.barX(bars, { x: "y", y: "label", fill: ({ kind }) => COLORS[kind as Curve["kind"]] }),
      Plot.text(bars, {
        x: "y",
        y: "label",
        text: ({ y }) => text(y),
        textAnchor: "start",
        dx: 5,
        fill: "var(--text)",
      }),
    ],
  });
}

/** A figure with its title, its legend and what it shows. */
export function figure(picture: Picture): Markup {
  const { title, y, curves, shows, holds } = picture;
  const legend = curves?.map(
    ({ label, kind }) => html`<span class="key" style="color: ${COLORS[kind]}">${label}</span>`,
  );
  return html`<figure><figcaption><b>${title}</b> <span>${y}</span>${legend && html`<span class="keys">${legend}</span>`}</figcaption><svg role="img" aria-label="${`${title}. ${shows}`}"${curves ? lines(picture) : bars(picture)}<p class="shows">${shows}${holds ? "" : html` <b class="broken">This run's figures do not bear it out.</b>`}</p></figure>`;
}
