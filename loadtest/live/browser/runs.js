"use strict";
/* The table of runs: those of this Locust process, and those in the folder of results. Ticked runs lie over
   each other in the charts, from their beginning, and become a comparison report. */

const runs = (() => {
  const ASK_AGAIN = 10_000; // other programs finish runs, too
  const MOST_TICKED = 7; // the colours
  const { element, level, percent, time } = charting;
  const finished = { runs: [], asked: 0, known: "", waiting: false };
  const rows = new Map(); // by the key of a run: its row, and what the row shows
  const ticked = new Map(); // by the name of a run: the run, its colour and its points
  const drawn = []; // the plots of ticked runs

  /* ---- the runs ---- */

  async function ask() {
    finished.waiting = true;
    try {
      const answer = await fetch("pool/runs");
      if (answer.ok && !answer.redirected) {
        finished.runs = (await answer.json()).runs;
        show();
      }
    } catch {
      finished.known = ""; // the page says that Locust does not answer, and shows the table again in a second
    }
    finished.waiting = false;
  }

  /* The runs, the newest first. A run of this process has its number, also when its report is on disk. */
  function all() {
    const own = new Map(state.runs.map((run) => [run.result, run]));
    const names = new Set(finished.runs.map((run) => run.name));
    const current = state.runs.filter((run) => !names.has(run.result));
    return [
      ...current.map((run) => ({ ...run, key: `#${run.number}`, told: run.reason || "running", bad: run.reason.startsWith("failed"),
        link: run.report && `pool/report/${run.number}` })),
      ...finished.runs.map((run) => ({ ...run, key: run.name, ...judged(run, own.get(run.name)),
        link: run.command ? null : `pool/results/${encodeURIComponent(run.name)}/report.html` })),
    ].sort((one, other) => other.begun - one.begun);
  }

  /* Whether an ended run is valid; own: the same run as this process remembers it, if it does. */
  function judged(run, own) {
    const failed = own?.reason.startsWith("failed");
    const told = run.command ? run.problem : run.problem ? "no" : failed ? own.reason : "yes";
    return { number: own?.number, told, bad: Boolean(run.problem || failed) };
  }

  function began(run) {
    const day = new Date(run.begun * 1000);
    const today = day.toDateString() === new Date(state.now * 1000).toDateString();
    return today ? clock(run.begun) : `${day.toLocaleDateString("en-GB", { day: "numeric", month: "short" })}, ${clock(run.begun)}`;
  }

  const named = (run) => (run.number ? `run ${run.number}, ${run.pool}` : `${run.pool}, began ${began(run)}`);
  /* The same in a sentence about several runs. */
  const called = (run) => (run.number ? `run ${run.number}` : `the run of ${began(run)}`);

  /* ---- the table ---- */

  function box(run) {
    const made = element("input");
    Object.assign(made, { type: "checkbox", checked: ticked.has(run.name), ariaLabel: `compare ${named(run)}` });
    made.addEventListener("change", () => tick(run, made));
    return made;
  }

  /* Whether a run is valid, and the first sentence about why not. */
  function validity(run) {
    const cell = element("td", run.told, run.bad ? "bad" : "");
    if (run.told === "no") cell.append(": ", run.problem.split(/(?<=\.) (?=[A-Z])/)[0]);
    return cell;
  }

  /* The link to a report, or the command that makes a missing one. */
  function reportOf(run) {
    const cell = element("td", run.link || run.command ? null : "–");
    if (run.command) cell.append(element("code", run.command));
    if (run.link) {
      const link = element("a", "report");
      Object.assign(link, { href: run.link, ariaLabel: `report of ${named(run)}` });
      cell.append(link);
    }
    return cell;
  }

  function rowOf(run) {
    const row = element("tr");
    const first = element("td");
    if (run.name) first.append(box(run));
    const pool = element("th", run.pool);
    pool.scope = "row";
    const numbers = [
      run.seconds ? time(run.seconds) : "–", level(run.per_second), `${run.at_least ? "≥ " : ""}${time(run.wait_p95)}`, percent(run.errors),
    ];
    row.append(first, element("td", run.number ?? ""), pool, element("td", began(run)), ...numbers.map((text) => element("td", text, "number")), validity(run), reportOf(run));
    return row;
  }

  /* A row that shows the same as before stays the same: what is focused or being clicked must not vanish. */
  function kept(run, today) {
    const text = JSON.stringify([run, today]);
    if (rows.get(run.key)?.text !== text) rows.set(run.key, { text, row: rowOf(run) });
    return rows.get(run.key).row;
  }

  function show() {
    const known = JSON.stringify(state.runs.map((run) => [run.number, run.reason, run.result]));
    if (!finished.waiting && (known !== finished.known || Date.now() > finished.asked + ASK_AGAIN)) {
      Object.assign(finished, { known, asked: Date.now() });
      ask();
    }
    const today = new Date(state.now * 1000).toDateString(); // the day is left out of its times
    const wanted = all().map((run) => kept(run, today));
    const body = byId("runs").tBodies[0];
    for (const row of [...body.rows]) if (!wanted.includes(row)) row.remove();
    wanted.forEach((row, at) => { if (body.rows[at] !== row) body.insertBefore(row, body.rows[at] ?? null); });
    byId("runs").hidden = byId("compare").hidden = !wanted.length;
    byId("no-runs").hidden = Boolean(wanted.length);
    byId("report").hidden = !state.runs.some((run) => run.report);
  }

  /* ---- ticked runs ---- */

  function say(text, bad) {
    byId("compared").textContent = text;
    byId("compared").className = bad ? "bad" : "";
  }

  async function tick(run, made) {
    say("");
    if (!made.checked) {
      ticked.delete(run.name);
    } else if (ticked.size === MOST_TICKED) {
      made.checked = false;
      say(`The charts have colours for ${MOST_TICKED} runs. Untick one first.`, true);
    } else {
      const used = [...ticked.values()].map((one) => one.colour);
      const colour = [1, 2, 3, 4, 5, 6, 7].find((number) => !used.includes(number));
      ticked.set(run.name, { run, colour, series: null });
      await load(run);
    }
    overlay();
  }

  async function load(run) {
    try {
      const answer = await fetch(`pool/runs/${encodeURIComponent(run.name)}`);
      const series = await answer.json();
      if (!answer.ok) throw new Error(series.problems[""]);
      if (ticked.has(run.name)) ticked.get(run.name).series = series;
    } catch (error) {
      ticked.delete(run.name);
      say(`The charts of ${named(run)} cannot be drawn: ${error.message}`, true);
      untick(run.name);
    }
  }

  function untick(name) {
    const input = rows.get(name)?.row.querySelector("input");
    if (input) input.checked = false;
  }

  /* ---- the charts of ticked runs ---- */

  /* Names of lines: the pools, with their times if two are equal. */
  function labelled(shown) {
    const pools = shown.map(({ run }) => run.pool);
    return shown.map((one) => {
      const twice = pools.filter((pool) => pool === one.run.pool).length > 1;
      return { ...one, label: twice ? `${one.run.pool}, ${began(one.run)}` : one.run.pool };
    });
  }

  const chartsOf = (shown) => CHARTS.flatMap((chart) => chart.lines.filter((one) => one.overlaid).map((one) => ({
    ...chart,
    title: chart.lines.length > 1 ? `${chart.title}: ${one.label}` : chart.title,
    field: one.field,
    at: (second) => `${second} s`,
    together: "runs",
    x: { incrs: [1, 2, 5, 10, 20, 30, 60, 120, 300, 600] },
    lines: shown.map(({ label, colour }) => ({ label, colour: `--run-${colour}` })),
  })));

  /* The values of a field in each second of a run, from its beginning. */
  function column(chart, { fields, points }, length) {
    const [second, field] = [fields.indexOf("second"), fields.indexOf(chart.field)];
    const found = Array(length).fill(null);
    for (const point of points) {
      const value = point[field];
      found[point[second]] = chart.log && value != null ? Math.max(value, charting.SMALLEST_TIME) : value;
    }
    return found;
  }

  function overlay() {
    const shown = labelled([...ticked.values()].filter((one) => one.series));
    const active = shown.length > 1;
    byId("live").hidden = active;
    byId("overlay").hidden = !active;
    byId("compare").textContent = ticked.size > 1 ? `Compare ${ticked.size} runs` : "Compare runs";
    byId("see-overlay").hidden = !active;
    byId("overlay-title").textContent = `${shown.length} runs from their beginning`;
    for (const plot of drawn.splice(0)) plot.destroy();
    byId("overlaid").replaceChildren();
    if (!active) {
      draw();
      return;
    }
    const last = ({ series }) => series.points.at(-1)?.[series.fields.indexOf("second")] ?? 0;
    const length = Math.max(...shown.map(last)) + 1;
    const seconds = Array.from({ length }, (_, second) => second);
    for (const { chart, plot, box: shownIn } of plots.placed(chartsOf(shown), byId("overlaid"))) {
      drawn.push(plot);
      plot.setData([seconds, ...shown.map((one) => column(chart, one.series, length))]);
      plots.tell(chart, plot);
      shownIn.setAttribute("aria-label", `${chart.title}, over time, of ${shown.map((one) => one.label).join(" and ")}. Arrow keys move the cursor.`);
    }
  }

  function leave() {
    ticked.clear();
    for (const input of byId("runs").querySelectorAll("input")) input.checked = false;
    say("");
    overlay();
    byId("charts-title").focus();
  }

  /* ---- the comparison report ---- */

  /* A message about ticked runs: the table does not show the names of their folders. */
  function readable(text) {
    const longestFirst = [...ticked.values()].map(({ run }) => run).sort((one, other) => other.name.length - one.name.length);
    return longestFirst.reduce((said, run) => said.replaceAll(run.name, called(run)), text);
  }

  async function compare() {
    if (ticked.size < 2) {
      say("Tick two or more runs of different pools in the table.", true);
      return;
    }
    byId("compare").disabled = true;
    say(`The report of ${ticked.size} runs is being made.`);
    try {
      const body = JSON.stringify({ runs: [...ticked.keys()] });
      const { token } = await (await fetch("pool/compare")).json();
      const headers = { "Content-Type": "application/json", "X-Loadtest-Token": token };
      const answer = await fetch("pool/comparison", { method: "POST", body, headers });
      if (answer.redirected) throw new Error("you are logged out. Open Locust and log in again.");
      const made = await answer.json();
      if (!answer.ok) throw new Error(made.problems[""]);
      say("");
      location.assign(`pool/${made.report}`);
    } catch (error) {
      say(`No report: ${readable(error.message)}`, true);
    }
    byId("compare").disabled = false;
  }

  document.getElementById("compare").addEventListener("click", compare);
  document.getElementById("leave").addEventListener("click", leave);
  charting.recolour(drawn);
  return { show };
})();
