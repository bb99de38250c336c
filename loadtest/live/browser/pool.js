"use strict";
/* The live page requests the newest points once per second and draws them. The table of runs is in runs.js. Names come
   from users, so they are set as text, never as HTML. */

const ASK_EVERY = 1000;
const LEAST_SHOWN = 60;
const HEALTH = {
  fine: "fine",
  busy: "busy: its CPU limits the results",
  late: "late: its event loop is blocked at times",
};

const { SMALLEST_TIME, count, percent, time, element, colour } = charting;
const level = count(1);

const line = (label, field, colour, more) => ({ label, field, colour, ...more });
const percentiles = (name) => [
  line("p50", `${name}_p50`, "--green"),
  line("p95", `${name}_p95`, "--blue", { overlaid: true }),
  line("p99", `${name}_p99`, "--orange"),
];
const CHARTS = [
  {
    title: "Connections", format: level,
    lines: [
      line("in use", "in_use", "--blue", { overlaid: true }),
      line("idle", "idle", "--green"),
      line("of these, overflow", "overflow", "--orange"),
      line("limit", "limit", "--soft", { dash: [5, 4], format: count(0) }),
    ],
  },
  {
    title: "Waiting for a connection", format: level,
    lines: [
      line("mean", "waiting", "--blue", { overlaid: true }),
      line("maximum", "waiting_most", "--orange", { width: 1, format: count(0) }),
      line("users", "users", "--soft", { dash: [5, 4] }),
    ],
  },
  {
    title: "Checkout", unit: "time to get a connection", format: time, log: true,
    lines: [...percentiles("checkout"), line("oldest wait", "oldest", "--pink", { dash: [2, 3] })],
  },
  { title: "Wait", unit: "for a free connection, without connect time", format: time, log: true, lines: percentiles("wait") },
  {
    title: "Throughput", unit: "requests per second", format: level,
    lines: [
      line("succeeded", "ok", "--blue", { overlaid: true }),
      line("failed", "failed", "--orange", { overlaid: true }),
      line("timeouts", "timeouts", "--pink", { dash: [2, 3] }),
    ],
  },
  { title: "Request time", unit: "of requests that succeeded", format: time, log: true, lines: percentiles("task") },
  { title: "Load generator: CPU", unit: "of one core, busiest process", format: percent, top: 1, lines: [line("CPU", "cpu", "--blue", { overlaid: true })] },
  { title: "Load generator: event-loop lag", format: time, lines: [line("p99", "lag_p99", "--blue", { overlaid: true })] },
];

const byId = (id) => document.getElementById(id);
const state = { version: 0, server: null, now: 0, at: {}, points: new Map(), runs: [] };
const charts = [];

/* ---- data ---- */

function take(answer) {
  if (state.server !== answer.server) {
    const known = state.server !== null;
    Object.assign(state, { server: answer.server, version: 0, points: new Map() });
    if (known) return; // another Locust process answers: request all of its data
  }
  answer.fields.forEach((name, index) => { state.at[name] = index; });
  const { second, run } = state.at;
  for (const point of answer.points) state.points.set(`${point[run]}/${point[second]}`, point);
  for (const [key, point] of state.points) {
    if (point[second] < answer.now - answer.kept) state.points.delete(key);
  }
  Object.assign(state, { version: answer.version, now: answer.now, runs: answer.runs });
}

/* The points in order, with a hole where seconds are missing and where another run begins. */
function inOrder() {
  const { second, run } = state.at;
  const points = [...state.points.values()].sort((a, b) => a[second] - b[second] || a[run] - b[run]);
  const rows = [];
  let before = null;
  for (const point of points) {
    if (before && (point[run] !== before[run] || point[second] > before[second] + 1)) {
      rows.push({ second: before[second] + 0.5, point: null });
    }
    rows.push({ second: point[second], point });
    before = point;
  }
  return rows;
}

/* The values of a field in some points; null where there is no point. */
function values(chart, field, points) {
  return points.map((point) => {
    const found = point ? point[state.at[field]] : null;
    return chart.log && found != null ? Math.max(found, SMALLEST_TIME) : found;
  });
}

function columns(chart, rows) {
  const points = rows.map((row) => row.point);
  return [rows.map((row) => row.second), ...chart.lines.map((l) => values(chart, l.field, points))];
}

const shownSeconds = () => Number(byId("window").value);

/* The left edge: the first point, but never so late that a few seconds fill the page. */
function shownFrom() {
  const first = Math.min(state.now, ...[...state.points.values()].map((point) => point[state.at.second]));
  return state.now - Math.min(Math.max(state.now - first + 2, LEAST_SHOWN), shownSeconds());
}

/* ---- charts ---- */

function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString("en-GB");
}

/* A line where a run begins. The name of its pool stands above, if there is room before the next one; the name of the
   newest run is always shown, further left if necessary. */
function markRuns(u) {
  const { left, top, height, width } = u.bbox;
  const context = u.ctx;
  context.save();
  context.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  context.lineWidth = devicePixelRatio;
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  context.setLineDash([]);
  const newest = state.runs.at(-1);
  let free = left + width + 1;
  for (const run of [...state.runs].reverse()) {
    const x = u.valToPos(Math.floor(run.begun), "x", true); // a point stands where its second begins
    if (x < left || x > left + width) continue;
    context.strokeStyle = context.fillStyle = colour("--soft");
    context.beginPath();
    context.moveTo(x, top);
    context.lineTo(x, top + height);
    context.stroke();
    const wide = context.measureText(run.pool).width;
    const at = Math.max(left, Math.min(x, left + width - wide));
    if (at + wide < free || run === newest) context.fillText(run.pool, at, top - 5 * devicePixelRatio);
    free = (run === newest ? at : x) - 6 * devicePixelRatio;
  }
  context.restore();
}

function draw() {
  if (byId("live").hidden) return;
  const from = shownFrom();
  const rows = inOrder().filter((row) => row.second >= from);
  const last = rows.at(-1)?.point;
  for (const { chart, plot, box } of charts) {
    plot.batch(() => {
      plot.setData(columns(chart, rows), false);
      plot.setScale("x", { min: from, max: state.now });
    });
    plots.tell(chart, plot);
    const words = chart.lines.map((l) => `${l.label} ${(l.format ?? chart.format)(last ? last[state.at[l.field]] : null)}`);
    box.setAttribute("aria-label", `${chart.title}, newest second: ${words.join(", ")}`);
  }
}

/* ---- words ---- */

function figure(label, value, small, bad) {
  const box = element("div", null, bad ? "bad" : "");
  const told = element("dd", value);
  if (small) told.append(element("small", small));
  box.append(element("dt", label), told);
  return box;
}

function showFigures() {
  const run = state.runs.at(-1);
  const rows = inOrder().filter((row) => row.point && run && row.point[state.at.run] === run.number);
  const point = rows.at(-1)?.point;
  const get = (name) => (point ? point[state.at[name]] : null);
  const limit = get("limit");
  byId("figures").replaceChildren(
    figure("In use", level(get("in_use")), point ? (limit == null ? "no limit" : `of ${count(0)(limit)} allowed`) : ""),
    figure("Overflow", level(get("overflow")), "beyond pool_size"),
    figure("Waiting", level(get("waiting")), `maximum ${count(0)(get("waiting_most"))}`),
    figure("Checkout p95", time(get("checkout_p95")), `p99 ${time(get("checkout_p99"))}`),
    figure("Succeeded", level(get("ok")), "requests per second"),
    figure("Failed", level(get("failed")), "requests per second", get("failed") > 0),
    figure("Timeouts", count(0)(run ? run.timeouts : null), "in this run", run && run.timeouts > 0),
    figure("Load generator", percent(get("cpu")), point ? HEALTH[get("health")] : "", point && get("health") !== "fine"),
  );
  return point;
}

function showState(point) {
  const run = state.runs.at(-1);
  const users = point ? point[state.at.users] : null;
  const period = point ? { warmup: "warming up", measured: "measuring", drain: "stopping" }[point[state.at.period]] : "starting";
  const processes = point && point[state.at.processes] > 1 ? `, ${point[state.at.processes]} processes` : "";
  byId("pool").textContent = run ? run.pool : "No run yet";
  document.title = run ? `${run.pool}, live` : "Connection pool, live";
  say(run ? (run.reason ? `Run ${run.number}: ${run.reason}` : `Run ${run.number}: ${period}, ${count(0)(users)} users${processes}`) : "Start a run in Locust.",
    Boolean(run && run.reason.startsWith("failed")));
}

function say(text, bad) {
  const place = byId("state");
  if (place.textContent !== text) place.textContent = text;
  place.className = bad ? "bad" : "";
}

function show() {
  draw();
  showState(showFigures());
  runs.show();
}

/* ---- asking ---- */

async function ask() {
  try {
    const answer = await fetch(`pool/data?since=${state.version}`, { signal: AbortSignal.timeout(10 * ASK_EVERY) });
    if (answer.redirected) {
      say("You are logged out. Open Locust and log in again.", true);
    } else if (!answer.ok) {
      throw new Error(`HTTP status ${answer.status}`);
    } else {
      take(await answer.json());
      show();
    }
  } catch (error) {
    say(`Locust does not answer (${error.message}). Retrying.`, true);
  }
  setTimeout(ask, ASK_EVERY);
}

charts.push(...plots.placed(CHARTS.map((chart) => ({ ...chart, at: clock, together: "pool", live: true, draw: [markRuns] })), byId("charts")));
showFigures();
byId("window").addEventListener("change", draw);
charting.recolour(charts.map(({ plot }) => plot));
ask();
