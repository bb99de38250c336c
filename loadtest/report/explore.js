"use strict";
/* The charts of a report. Each replaces the figure before it, which remains for paper. Charts of one axis share a cursor
   and a zoom; a table below the panels has the values at the cursor, and its headings switch lines on and off. */

(() => {
  const { element, colour, axes, range } = charting;
  const FORMATS = { level: charting.level, seconds: charting.time, share: charting.percent };
  const HEIGHTS = { one: 250, several: 128 };
  const STROKES = {
    thick: { width: 2.2 },
    thin: { width: 1.3, alpha: 0.6 },
    dashed: { width: 1.5, dash: [6, 3] },
    dotted: { width: 2, dash: [2, 2.5] },
    dots: { width: 0, paths: () => null },
  };
  const PERCENTILES = [50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99];
  const nines = (percentile) => -Math.log10(1 - percentile / 100);
  const CLOCK_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
  const SIZES = [1, 10, 100, 1000].flatMap((ten) => [1, 1.5, 2, 3, 4, 5, 6, 8].map((n) => n * ten)).filter(Number.isInteger).map(Math.log10);
  const within = (marks) => (u, axis, low, high) => marks.filter((x) => x >= low - 1e-4 && x <= high + 1e-4);
  /* The names of marks, without those that would touch the one before. */
  const spaced = (name) => (u, ticks) => {
    let free = -Infinity;
    return ticks.map((x) => {
      const place = u.valToPos(x, "x");
      if (place < free) return null;
      const named = name(x);
      free = place + 9 * named.length;
      return named;
    });
  };
  const clock = (second) => new Date(second * 1000).toISOString().slice(11, 19);
  /* How each axis writes a place, and its marks. */
  const AXES = {
    seconds: { at: (x) => `${x} s`, marks: { values: (u, ticks) => ticks.map((v) => `${v} s`), incrs: [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600] } },
    clock: { at: (x) => `${clock(x)} UTC`, marks: { values: (u, ticks) => ticks.map((v) => (ticks[1] - ticks[0] < 60 ? clock(v) : clock(v).slice(0, 5))), incrs: CLOCK_STEPS } },
    percentile: {
      at: (x) => `p${Number((100 * (1 - 10 ** -x)).toPrecision(Math.max(3, Math.floor(x) + 2)))}`,
      marks: { splits: within(PERCENTILES.map(nines)), values: spaced((x) => `p${PERCENTILES.find((p) => Math.abs(nines(p) - x) < 1e-9)}`) },
    },
    size: {
      at: (x) => `pool_size ${Math.round(10 ** x)}`,
      marks: { splits: within(SIZES), values: spaced((x) => String(Math.round(10 ** x))) },
    },
  };
  const groups = {};

  const groupOf = (axis) => (groups[axis] ??= { axis: AXES[axis], plots: [], figures: [], whole: [Infinity, -Infinity], shown: null });
  const inkOf = (number) => colour(number == null ? "--ink" : `--pool-${number}`);

  /* ---- cursor and zoom, of all charts of a group ---- */

  function zoom(group, low, high) {
    const [first, last] = group.whole;
    const wide = Math.min(Math.max(high - low, (last - first) / 1000), last - first);
    const from = Math.min(Math.max((low + high - wide) / 2, first), last - wide);
    group.shown = [from, from + wide];
    for (const plot of group.plots) plot.setScale("x", { min: from, max: from + wide });
    for (const figure of group.figures) figure.whole.disabled = wide >= last - first;
  }

  const whole = (group) => zoom(group, ...group.whole);

  function closer(group, plot, factor) {
    const [low, high] = group.shown;
    const middle = plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") : (low + high) / 2;
    zoom(group, middle - (middle - low) * factor, middle + (high - middle) * factor);
  }

  function key(group, figure, event) {
    const [plot] = figure.plots;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") closer(group, plot, 0.5);
    else if (event.key === "-") closer(group, plot, 2);
    else if (event.key === "Escape") {
      whole(group);
      charting.point(group.plots, null);
    } else {
      const x = charting.moved(plot, event);
      if (x === undefined) return;
      charting.point(group.plots, x);
      figure.said.textContent = words(figure);
    }
    event.preventDefault();
  }

  /* ---- the table of values ---- */

  const labelsOf = (chart) => [...new Set(chart.panels.flatMap((panel) => panel.lines.map((line) => line.label)))];

  function sample(line) {
    const made = element("i", null, `sample ${line.stroke}`);
    made.style.color = line.pool == null ? "var(--ink)" : `var(--pool-${line.pool})`;
    return made;
  }

  function switchOf(figure, label) {
    const line = figure.chart.panels.flatMap((panel) => panel.lines).find((one) => one.label === label);
    return charting.switchOf(label, sample(line), figure.plots);
  }

  function tableOf(figure) {
    const labels = labelsOf(figure.chart);
    const table = element("table", null, "values");
    const head = table.createTHead().insertRow();
    figure.at = head.insertCell();
    for (const label of labels) {
      const heading = element("th");
      heading.scope = "col";
      heading.append(switchOf(figure, label));
      head.append(heading);
    }
    const body = table.createTBody();
    figure.cells = figure.chart.panels.map((panel) => {
      const row = body.insertRow();
      const name = element("th", panel.title);
      name.scope = "row";
      if (panel.pool != null) name.prepend(swatch(panel.pool));
      row.append(name);
      return labels.map(() => row.insertCell());
    });
    const box = element("div", null, "scroll");
    Object.assign(box, { tabIndex: 0, role: "region", ariaLabel: `Values: ${figure.name}` });
    box.append(table);
    return box;
  }

  function swatch(number) {
    const made = element("i", null, "swatch");
    made.style.background = `var(--pool-${number})`;
    return made;
  }

  function tell(figure, number, plot) {
    const panel = figure.chart.panels[number];
    const { idx, left } = plot.cursor;
    const hovered = left >= 0 && idx != null;
    figure.at.textContent = hovered ? figure.group.axis.at(plot.data[0][idx]) : figure.chart.rest;
    labelsOf(figure.chart).forEach((label, column) => {
      const found = panel.lines.findIndex((line) => line.label === label);
      const value = hovered ? plot.data[found + 1]?.[idx] : panel.lines[found]?.rest;
      figure.cells[number][column].textContent = found < 0 ? "" : FORMATS[panel.form](value);
    });
  }

  function words(figure) {
    const labels = labelsOf(figure.chart);
    const rows = figure.chart.panels.map((panel, number) => {
      const told = figure.cells[number].map((cell, n) => cell.textContent && `${labels[n]} ${cell.textContent}`);
      return `${panel.title}: ${told.filter(Boolean).join(", ")}`;
    });
    return `${figure.at.textContent}. ${rows.join("; ")}`;
  }

  /* ---- one panel ---- */

  const ticks = (top) => [0, 1, 10, 100, 1000, 10000, 100000].filter((v) => v <= top);

  const clipped = (panel, values) => (panel.scale === "log" ? values.map((v) => (v == null ? v : Math.max(v, 1e-5))) : values);

  /* The lines, then the edges of the range around those that have one. */
  function series(panel, spanGaps) {
    const drawn = panel.lines.map((line) => ({
      ...STROKES[line.stroke],
      ...(line.faint ? { alpha: 0.4 } : {}),
      of: line.label,
      stroke: () => inkOf(line.pool),
      points: line.stroke === "dots" ? { show: true, size: 8, fill: () => inkOf(line.pool) } : { show: false },
      spanGaps,
    }));
    const data = panel.lines.map((line) => clipped(panel, line.values));
    const bands = [];
    panel.lines.forEach((line) => {
      if (!line.high) return;
      const at = data.push(clipped(panel, line.high), clipped(panel, line.low));
      bands.push({ series: [at - 1, at], fill: () => `${inkOf(line.pool)}26` });
      for (let edge = 0; edge < 2; edge += 1) drawn.push({ of: line.label, stroke: () => "transparent", width: 0, points: { show: false } });
    });
    return { series: [{}, ...drawn], data: [panel.x, ...data], bands };
  }

  function shade(panel, u) {
    const { top, height, left, width } = u.bbox;
    const fills = { aside: `${colour("--ink")}12`, fault: "#cc33112e", full: "#cc331124" };
    u.ctx.save();
    u.ctx.beginPath();
    u.ctx.rect(left, top, width, height);
    u.ctx.clip();
    for (const [from, to, kind] of panel.spans) {
      const begin = u.valToPos(from, "x", true);
      u.ctx.fillStyle = fills[kind];
      u.ctx.fillRect(begin, top, Math.max(u.valToPos(to, "x", true) - begin, devicePixelRatio), height);
    }
    u.ctx.restore();
  }

  /* Write a text that lines do not cross. */
  function written(ctx, text, x, y) {
    ctx.save();
    ctx.setLineDash([]);
    ctx.strokeStyle = colour("--card");
    ctx.lineWidth = 4 * devicePixelRatio;
    ctx.lineJoin = "round";
    ctx.strokeText(text, x, y);
    ctx.restore();
    ctx.fillText(text, x, y);
  }

  /* Limits across, with their names at the right; names of stages and faults where they begin. */
  function annotate(panel, u) {
    const { ctx, bbox } = u;
    const { left, top, width, height } = bbox;
    ctx.save();
    ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.fillStyle = ctx.strokeStyle = colour("--soft");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.textAlign = "right";
    ctx.textBaseline = "bottom";
    let lowest = Infinity;
    for (const [value, name] of [...panel.limits].sort(([a], [b]) => a - b)) {
      const y = u.valToPos(value, "y", true);
      if (y < top || y > top + height) continue;
      ctx.beginPath();
      ctx.moveTo(left, y);
      ctx.lineTo(left + width, y);
      ctx.stroke();
      if (lowest - y < 13 * devicePixelRatio) continue;
      written(ctx, panel.form === "level" ? `${FORMATS.level(value)} ${name}` : name, left + width - 3 * devicePixelRatio, y - devicePixelRatio);
      lowest = y;
    }
    ctx.textAlign = "left";
    ctx.textBaseline = "top";
    let free = left;
    for (const [place, name] of panel.marks) {
      const x = u.valToPos(place, "x", true);
      if (x < left || x > left + width) continue;
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, top + height);
      ctx.stroke();
      if (x < free) continue;
      written(ctx, name, x + 3 * devicePixelRatio, top);
      free = x + ctx.measureText(name).width + 8 * devicePixelRatio;
    }
    ctx.restore();
  }

  function options(figure, number, width) {
    const { group, chart } = figure;
    const panel = chart.panels[number];
    const format = FORMATS[panel.form];
    const log = panel.scale === "log";
    const symlog = panel.scale === "symlog";
    const last = number === chart.panels.length - 1;
    const made = series(panel, chart.axis === "size"); // elsewhere a gap has no data
    const x = last ? group.axis.marks : { ...group.axis.marks, values: (u, at) => at.map(() => ""), size: 8 };
    return [{
      width,
      height: (chart.panels.length > 1 ? HEIGHTS.several : HEIGHTS.one) + (last ? 26 : 0),
      padding: [8, chart.axis === "clock" ? 26 : 18, null, null], // room for half of the last mark
      legend: { show: false },
      cursor: {
        y: false,
        points: { size: 6 },
        drag: { x: true, y: false, setScale: false, dist: 5 },
        bind: { dblclick: () => () => { whole(group); return null; } },
        sync: { key: chart.axis, scales: ["x", null], filters: { pub: (type) => type === "mousemove", sub: (type) => type === "mousemove" } },
      },
      scales: {
        x: { time: false, range: () => group.shown },
        y: symlog ? { distr: 4, asinh: 1, range: () => [0, panel.top] }
          : { distr: log ? 3 : 1, range: panel.top == null ? range({ format, log, top: 0 }) : () => [0, panel.top] },
      },
      axes: axes({ format, log, ticks: symlog ? () => ticks(panel.top) : undefined, x }),
      series: made.series,
      bands: made.bands,
      hooks: {
        drawClear: [(u) => shade(panel, u)],
        draw: [(u) => annotate(panel, u)],
        setCursor: [(u) => tell(figure, number, u)],
        setSelect: [(u) => {
          const { left, width: wide } = u.select;
          if (wide > 4) zoom(group, u.posToVal(left, "x"), u.posToVal(left + wide, "x"));
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        }],
      },
    }, made.data];
  }

  /* ---- a whole figure ---- */

  function button(text, label, act) {
    const made = element("button", text);
    made.type = "button";
    if (label) made.setAttribute("aria-label", label);
    made.addEventListener("click", act);
    return made;
  }

  function toolbar(figure) {
    const { group } = figure;
    const bar = element("div", null, "tools");
    figure.whole = button("Show all", "", () => whole(group));
    bar.append(
      button("−", "Zoom out", () => closer(group, figure.plots[0], 2)),
      button("+", "Zoom in", () => closer(group, figure.plots[0], 0.5)),
      figure.whole,
    );
    return bar;
  }

  function frame(box) {
    const chart = JSON.parse(box.dataset.chart);
    const figure = { chart, box, group: groupOf(chart.axis), plots: [], name: box.dataset.name };
    figure.panels = element("div", null, "panels");
    Object.assign(figure.panels, { tabIndex: 0, role: "group" });
    figure.panels.ariaLabel = `Chart: ${figure.name} Arrow keys move the cursor, plus and minus zoom, Escape shows all.`;
    figure.said = element("p", null, "unseen");
    figure.said.role = "status";
    box.append(toolbar(figure), figure.panels, tableOf(figure), figure.said);
    for (const { x } of chart.panels) {
      figure.group.whole = [Math.min(figure.group.whole[0], x[0]), Math.max(figure.group.whole[1], x.at(-1))];
    }
    figure.group.figures.push(figure);
    box.closest("figure").classList.add("explorable");
    return figure;
  }

  function draw(figure) {
    figure.chart.panels.forEach((panel, number) => {
      if (figure.chart.panels.length > 1) {
        const title = element("p", panel.title, "panel");
        if (panel.pool != null) title.prepend(swatch(panel.pool));
        figure.panels.append(title);
      }
      const box = element("div");
      figure.panels.append(box);
      const plot = new uPlot(...options(figure, number, box.clientWidth), box);
      figure.plots.push(plot);
      figure.group.plots.push(plot);
      charting.fit(plot, box);
      charting.touch(plot);
      tell(figure, number, plot);
    });
    figure.panels.addEventListener("keydown", (event) => key(figure.group, figure, event));
  }

  const figures = [...document.querySelectorAll("[data-chart]")].map(frame);
  for (const group of Object.values(groups)) group.shown = [...group.whole];
  figures.forEach(draw);
  Object.values(groups).forEach(whole);
  charting.recolour(Object.values(groups).flatMap((group) => group.plots));
})();
