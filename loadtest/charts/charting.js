"use strict";
/* What the charts of the live page and of reports share: numbers in words, axes and scales, moving the cursor with keys
   and fingers, and buttons that switch lines. Names come from users, so they are set as text, never as HTML. */

const charting = (() => {
  const SMALLEST_TIME = 1e-6; // the histograms' resolution; a logarithmic axis has no zero
  const FONT = "12px system-ui, sans-serif";

  const count = (digits) => (v) => (v == null ? "–" : v.toLocaleString("en", { maximumFractionDigits: digits }));
  const level = (v) => count(v != null && Math.abs(v) >= 9.95 ? 0 : 1)(v);
  const percent = (v) => (v == null ? "–" : `${v > 0 && v < 0.0995 ? Number((v * 100).toPrecision(2)) : Math.round(v * 100)} %`);
  function time(seconds) {
    if (seconds == null) return "–";
    if (seconds === 0) return "0 s";
    const [scale, unit] = seconds >= 1 ? [1, "s"] : seconds >= 1e-3 ? [1e-3, "ms"] : [1e-6, "µs"];
    return `${Number((seconds / scale).toPrecision(3))} ${unit}`;
  }

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text != null) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /* The powers of ten, for a logarithmic axis. */
  const decades = (u, ticks) => ticks.map((v) => (Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-6 ? v : null));

  /* The axes. of.format writes a value, of.x replaces parts of the horizontal axis, of.ticks those of the vertical. */
  function axes(of) {
    const ink = () => colour("--soft");
    const grid = { stroke: () => colour("--line"), width: 1 };
    const marks = of.log ? { ...grid, filter: decades } : grid;
    const format = (u, ticks) => ticks.map((v) => (v == null ? null : of.format(v)));
    const upright = { stroke: ink, grid: marks, ticks: marks, font: FONT, size: 62, values: format, filter: marks.filter };
    if (of.ticks) upright.splits = of.ticks;
    return [{ stroke: ink, grid, ticks: grid, font: FONT, space: 70, size: 34, ...of.x }, upright];
  }

  /* From zero to a little above the maximum, at least to of.top; whole decades on a logarithmic axis. */
  const range = (of) => (u, low, high) => {
    if (!of.log) return [0, Math.max((high ?? 0) * 1.08, of.top ?? 0, of.format === time ? 1e-3 : 1)];
    if (low == null) return [1e-4, 1];
    const bottom = 10 ** Math.floor(Math.log10(low));
    return [bottom, Math.max(10 ** Math.ceil(Math.log10(high) - 1e-9), bottom * 10)];
  };

  /* The place of the value nearest to x in a list in order. */
  function nearest(xs, x) {
    let low = 0;
    for (let high = xs.length - 1; low < high;) {
      const middle = (low + high) >> 1;
      if (xs[middle] < x) low = middle + 1;
      else high = middle;
    }
    return low > 0 && x - xs[low - 1] < xs[low] - x ? low - 1 : low;
  }

  /* Show the cursor of some plots at x; null hides it. */
  function point(plots, x) {
    for (const plot of plots) {
      const left = x == null ? -10 : plot.valToPos(x, "x");
      plot.setCursor({ left, top: x == null ? -10 : plot.over.clientHeight / 2 }, true, false);
    }
  }

  /* The value of x that a key leads to on a plot; undefined for a key that moves nothing. */
  function moved(plot, event) {
    const xs = plot.data[0];
    const { min, max } = plot.scales.x;
    let [first, last] = [nearest(xs, min), nearest(xs, max)];
    if (xs[first] < min) first += 1;
    if (xs[last] > max) last -= 1;
    const now = plot.cursor.left >= 0 ? plot.cursor.idx : null;
    const far = event.shiftKey ? 10 : 1;
    const to = {
      ArrowLeft: now == null ? last : now - far,
      ArrowRight: now == null ? first : now + far,
      Home: first,
      End: last,
    }[event.key];
    return to == null ? undefined : xs[Math.min(Math.max(to, first), last)];
  }

  /* A finger on a plot moves the cursor; vertically it scrolls the page. */
  function touch(plot) {
    plot.over.style.touchAction = "pan-y";
    plot.over.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") return;
      const box = plot.over.getBoundingClientRect();
      plot.setCursor({ left: event.clientX - box.left, top: event.clientY - box.top }, true, true);
    });
  }

  /* Keep a plot as wide as its box. */
  function fit(plot, box) {
    new ResizeObserver(() => {
      if (box.clientWidth && box.clientWidth !== plot.width) plot.setSize({ width: box.clientWidth, height: plot.height });
    }).observe(box);
  }

  /* A button that hides and shows the lines of one name (their series' `of`) in some plots. */
  function switchOf(label, sample, plots) {
    const button = element("button");
    button.type = "button";
    button.append(sample, label);
    button.setAttribute("aria-pressed", "true");
    button.addEventListener("click", () => {
      const show = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(show));
      for (const plot of plots) plot.series.forEach((series, n) => n && series.of === label && plot.setSeries(n, { show }, true, false));
    });
    return button;
  }

  /* Draw again when the page turns dark or light. */
  function recolour(plots) {
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", () => plots.forEach((plot) => plot.redraw(false, true)));
  }

  return { SMALLEST_TIME, FONT, count, level, percent, time, element, colour, axes, range, nearest, point, moved, touch, fit, switchOf, recolour };
})();
