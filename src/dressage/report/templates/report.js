"use strict";
(() => {
  const charts = JSON.parse(document.getElementById("series").textContent);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const inks = { faint: "--faint", train: "--accent", validation: "--warm", other: "--other" };
  const text = (v) => {
    if (v == null) return "–";
    const size = Math.abs(v);
    if (size && (size < 1e-3 || size >= 1e6)) return Number(v.toPrecision(3)).toExponential().replace("-", "−");
    return v.toLocaleString("en", { maximumFractionDigits: size < 10 ? 4 : 2 });
  };
  const drawn = [];
  const last = Math.max(1, ...charts.map((chart) => chart.x[chart.x.length - 1]));

  function draw(chart, place) {
    const box = place.querySelector("input");
    const log = box !== null && box.checked;
    const lines = chart.lines.map((line) => log ? line.y.map((v) => v > 0 ? v : null) : line.y);
    // Powers of ten; over less than two decades also 2 and 5 times them, over less than one all round numbers.
    const whole = (plot, ticks) => {
      const { min, max } = plot.scales.y, decades = Math.log10(max / min);
      const heads = decades > 2 ? [1] : decades > 0.8 ? [1, 2, 5] : [1, 2, 3, 4, 5, 6, 7, 8, 9];
      return ticks.map((v) => !log || v == null || heads.some((h) => Math.abs(((Math.log10(v / h) % 1) + 1.5) % 1 - 0.5) < 1e-6) ? v : null);
    };
    const all = (plot, low, high) => {
      const x = plot.data[0];
      return low <= x[0] && high >= x[x.length - 1] ? [0, last] : [low, high];
    };
    const near = (_, low, high) => [low / 1.15, high * 1.15];
    const axis = () => ({
      stroke: colour("--soft"), font: "12px system-ui, sans-serif",
      grid: { stroke: colour("--rule"), width: 1, filter: whole }, ticks: { show: false },
    });
    const mark = (plot) => {
      if (!chart.mark) return;
      const [step, label] = chart.mark, { ctx, bbox } = plot, x = Math.round(plot.valToPos(step, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) return;
      const late = x > bbox.left + bbox.width / 2, ratio = devicePixelRatio || 1;
      ctx.save();
      ctx.strokeStyle = ctx.fillStyle = colour("--soft");
      ctx.setLineDash([3 * ratio, 3 * ratio]);
      ctx.beginPath(); ctx.moveTo(x, bbox.top); ctx.lineTo(x, bbox.top + bbox.height); ctx.stroke();
      ctx.font = `${12 * ratio}px system-ui, sans-serif`;
      ctx.textAlign = late ? "right" : "left";
      ctx.fillText(label, x + (late ? -5 : 5) * ratio, chart.id === "loss" ? bbox.top + 12 * ratio : bbox.top + bbox.height - 8 * ratio);
      ctx.restore();
    };
    return new uPlot({
      width: place.clientWidth, height: 240,
      scales: { x: { time: false, range: all }, y: log ? { distr: 3, range: near } : {} },
      axes: [{ ...axis(), grid: { show: false }, size: 32 }, { ...axis(), size: 62, filter: whole, values: (_, ticks) => ticks.map((v) => v == null ? "" : text(v)) }],
      series: [{ label: "step", value: (_, v) => text(v) }, ...chart.lines.map((line) => ({
        label: line.label, stroke: colour(inks[line.role]), width: line.role === "faint" ? 1 : 1.8, spanGaps: line.role !== "faint",
        points: { show: line.y.filter((v) => v != null).length === 1, size: 6 }, value: (_, v) => text(v),
      }))],
      cursor: { points: { size: 7 } }, legend: { live: true }, hooks: { draw: [mark] },
    }, [chart.x, ...lines], place);
  }

  function renew() {
    for (const entry of drawn) {
      if (entry.plot) entry.plot.destroy();
      entry.plot = draw(entry.chart, entry.place);
    }
  }

  for (const chart of charts) {
    const place = document.getElementById(`chart-${chart.id}`);
    place.hidden = false;
    place.previousElementSibling.hidden = true;
    const entry = { chart, place, plot: null };
    drawn.push(entry);
    const box = place.querySelector("input");
    if (box) box.addEventListener("change", () => { entry.plot.destroy(); entry.plot = draw(chart, place); });
  }
  renew();
  if (drawn.length) document.getElementById("hold").hidden = false;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", renew);
  let wait = 0;
  addEventListener("resize", () => {
    clearTimeout(wait);
    wait = setTimeout(() => { for (const { plot, place } of drawn) plot.setSize({ width: place.clientWidth, height: 240 }); }, 100);
  });
  addEventListener("beforeprint", () => { for (const part of document.querySelectorAll("details")) part.open = true; });
})();
