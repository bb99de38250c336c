"use strict";
/* Charts over time with one cursor: each has a title, a plot, and its values below, whose names switch the lines. */

const plots = (() => {
  const HEIGHT = 190;
  const { element, colour, axes, range } = charting;

  function options(chart, width) {
    return {
      width, height: HEIGHT,
      padding: [20, null, null, null],
      cursor: { sync: { key: chart.together }, drag: { x: false, y: false }, points: { size: 6 } },
      legend: { show: false },
      scales: { x: { time: false }, y: { distr: chart.log ? 3 : 1, range: range(chart) } },
      axes: axes({ ...chart, x: { values: (u, ticks) => ticks.map(chart.at), ...chart.x } }),
      series: [
        {},
        ...chart.lines.map((l) => ({
          of: l.label,
          stroke: () => colour(l.colour),
          width: l.width ?? 2,
          dash: l.dash,
          spanGaps: false,
          points: { show: false },
        })),
      ],
      hooks: { draw: chart.draw ?? [], setCursor: [(u) => tell(chart, u)] },
    };
  }

  function sample(line) {
    const made = element("i", null, line.dash ? "sample dashed" : "sample");
    made.style.color = `var(${line.colour})`;
    return made;
  }

  /* The list of values; plots: those whose lines it switches. */
  function valuesOf(chart, switched) {
    const list = element("ul", null, "values");
    chart.when = element("li", "–", "when");
    chart.cells = chart.lines.map(() => element("span", "–"));
    const rows = chart.lines.map((l, n) => {
      const row = element("li");
      row.append(charting.switchOf(l.label, sample(l), switched), " ", chart.cells[n]);
      return row;
    });
    list.append(...rows, chart.when);
    return list;
  }

  /* Show the values at the cursor; without one the last values, or none of a chart that is not live. */
  function tell(chart, plot) {
    const { idx, left } = plot.cursor;
    const [at, ...lines] = plot.data;
    const place = left >= 0 ? idx : chart.live ? at.length - 1 : null;
    chart.when.textContent = at[place] == null ? "" : chart.at(at[place]);
    chart.cells.forEach((cell, n) => {
      cell.textContent = place == null ? "" : (chart.lines[n].format ?? chart.format)(lines[n][place]);
    });
  }

  /* Arrow keys move the cursor of all charts, Escape hides it. */
  function operate(plot, box, all) {
    box.tabIndex = 0;
    box.addEventListener("keydown", (event) => {
      const x = event.key === "Escape" ? null : charting.moved(plot, event);
      if (x === undefined) return;
      event.preventDefault();
      charting.point(all.map((one) => one.plot), x);
    });
  }

  /* Some charts in an element. at: writes a place on the horizontal axis; together: the name of their cursor; live: whether
     the last values are shown without a cursor. */
  function placed(some, into) {
    const all = [];
    for (const chart of some) {
      const figure = element("figure");
      const title = element("h3", chart.title);
      if (chart.unit) title.append(" ", element("small", chart.unit));
      const box = element("div");
      box.setAttribute("role", "img");
      box.setAttribute("aria-label", chart.title);
      const switched = [];
      figure.append(title, box, valuesOf(chart, switched));
      into.append(figure);
      const plot = new uPlot(options(chart, box.clientWidth), [[], ...chart.lines.map(() => [])], box);
      switched.push(plot);
      all.push({ chart, plot, box });
      charting.fit(plot, box);
      charting.touch(plot);
      operate(plot, box, all);
    }
    return all;
  }

  return { placed, tell };
})();
