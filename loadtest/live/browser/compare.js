"use strict";
/* The form of the live page that starts a comparison, and the comparison that is running. Texts come from users, servers
   and programs, so they are set as text, never as HTML. */

(() => {
  const WHILE_RUNNING = 1000;
  const OTHERWISE = 5000; // another page may have started one
  const FIELDS = ["scenario", "pools", "rounds", "duration", "users"];

  const part = (name) => document.getElementById(`comparison-${name}`);
  const write = (place, text) => {
    if (place.textContent !== text) place.textContent = text; // a live region says it once
  };
  const known = { token: "", number: null, filled: false, running: false, sending: false };
  let next = 0;

  /* ---- what is shown ---- */

  function offer(scenarios) {
    const shown = [...part("scenario").options].map((option) => option.value);
    if (shown.join("\n") === scenarios.join("\n")) return;
    part("scenario").replaceChildren(...scenarios.map((one) => new Option(one, one)));
  }

  function fill(values) {
    for (const name of FIELDS) part(name).value = values[name] ?? "";
  }

  function show(state) {
    const comparison = state.comparison;
    const another = comparison && comparison.number !== known.number;
    offer(state.scenarios);
    if (!known.filled || another) fill({ ...state.defaults, ...(another ? comparison.asked : {}) });
    write(part("warmup"), state.warmup ? ` of ${state.warmup}${/\d$/.test(state.warmup) ? " s" : ""}` : "");
    Object.assign(known, {
      token: state.token,
      filled: true,
      number: comparison ? comparison.number : null,
      running: Boolean(comparison && comparison.running),
    });
    part("fields").disabled = known.running;
    part("shown").hidden = !comparison;
    if (comparison) showComparison(comparison);
  }

  function showComparison(comparison) {
    write(part("state"), comparison.state);
    write(part("verdict"), comparison.verdict);
    const bar = part("done");
    bar.hidden = !comparison.running || !comparison.planned;
    bar.max = comparison.planned || 1;
    bar.value = comparison.done;
    showCancel(comparison.running, comparison.cancelled);
    const report = part("report");
    report.hidden = !comparison.report;
    if (comparison.report) {
      report.href = `pool/compare/report/${comparison.number}`;
      write(report, `Report of comparison ${comparison.number}`);
    }
    showLines(comparison.lines.join("\n"));
  }

  /* A button that goes while it has the focus passes the focus on. */
  function showCancel(running, cancelled) {
    const button = part("cancel");
    const focused = document.activeElement === button;
    button.hidden = !running;
    button.disabled = cancelled;
    if (focused && (button.hidden || button.disabled)) part("state").focus();
  }

  /* The newest line stays visible, unless the reader has scrolled back. */
  function showLines(text) {
    const place = part("lines");
    const atEnd = place.scrollTop + place.clientHeight >= place.scrollHeight - 4;
    write(place, text);
    if (atEnd) place.scrollTop = place.scrollHeight;
  }

  function complain(problems) {
    for (const name of FIELDS) {
      const text = problems[name] ?? "";
      write(part(`${name}-wrong`), text);
      if (text) part(name).setAttribute("aria-invalid", "true");
      else part(name).removeAttribute("aria-invalid");
    }
    write(part("wrong"), problems[""] ?? "");
    const firstWrong = FIELDS.find((name) => problems[name]);
    if (firstWrong) part(firstWrong).focus();
  }

  /* ---- asking ---- */

  /* The answer to a request; null if it was refused, then the problems are shown. */
  async function request(path, options) {
    const answer = await fetch(path, { signal: AbortSignal.timeout(10000), ...options });
    if (answer.redirected) throw new Error("you are logged out; open Locust and log in again");
    const told = await answer.json();
    if (!answer.ok) complain(told.problems);
    return answer.ok ? told : null;
  }

  async function ask() {
    try {
      const state = await request("pool/compare");
      if (state) show(state);
    } catch {
      // The top of the page says that Locust does not answer.
    }
    plan();
  }

  function plan() {
    clearTimeout(next);
    next = setTimeout(ask, known.running ? WHILE_RUNNING : OTHERWISE);
  }

  /* Whether a request that changes something was accepted. */
  async function send(path, body) {
    if (known.sending) return false;
    known.sending = true;
    try {
      const state = await request(path, { method: "POST", headers: { "X-Loadtest-Token": known.token }, body });
      if (state) {
        complain({});
        show(state);
      }
      return Boolean(state);
    } catch (error) {
      complain({ "": `Locust does not answer as expected: ${error.message}.` });
      return false;
    } finally {
      known.sending = false;
      plan();
    }
  }

  part("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = new URLSearchParams(FIELDS.map((name) => [name, part(name).value]));
    if (await send("pool/compare", body)) part("cancel").focus();
  });

  part("cancel").addEventListener("click", () => send("pool/compare/cancel"));

  ask();
})();
