"use strict";
// The outbox: reports that are signed and not stored yet. They stay in this browser until the answer is 201 or 202, or
// refuses the report for good. Every attempt sends the same idempotency key, so that a report is stored once.
window.outbox = (() => {
  const NAME = "epro.outbox";
  const TIMEOUT = 15_000;
  // Older attempts are dropped: they say nothing about how the current sending went.
  const RECENT = 5 * 60_000;
  const ATTEMPTS = 8;
  const { owner, received, answered } = document.body.dataset;

  // How far the server's clock is ahead. It is computed as in NTP: from the times at which this page was requested and
  // answered, by both clocks.
  const [{ requestStart, responseStart }] = performance.getEntriesByType("navigation");
  const sum = Number(received) + Number(answered) - requestStart - responseStart;
  const offset = sum / 2 - performance.timeOrigin;
  const now = () => performance.timeOrigin + performance.now() + offset;

  const hex = (bytes) =>
    Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  const read = () => {
    try {
      return JSON.parse(localStorage.getItem(NAME)) ?? [];
    } catch {
      return [];
    }
  };
  const change = (by) => localStorage.setItem(NAME, JSON.stringify(by(read())));

  // Stores a report in the browser before it is sent.
  const add = (body) => {
    const entry = { owner, key: hex(16), body: JSON.stringify(body), attempts: [] };
    change((entries) => [...entries, entry]);
    return entry;
  };
  const remove = (entry) => change((entries) => entries.filter(({ key }) => key !== entry.key));
  const note = (entry) =>
    change((entries) => entries.map((each) => (each.key === entry.key ? { ...each, attempts: entry.attempts } : each)));

  const lock = (work) =>
    navigator.locks ? navigator.locks.request(`${NAME}.send`, { mode: "exclusive" }, work) : work();

  // Makes one attempt to send a report. The outcome is `stored`, `held`, `refused`, `kept` or `signed-out`.
  const send = (entry) =>
    lock(async () => {
      const attempt = { span_id: hex(8), start: now() };
      let answer, problem;
      try {
        answer = await fetch("/v1/reports", {
          method: "POST",
          headers: {
            "Content-Type": "application/json",
            "Idempotency-Key": entry.key,
            traceparent: `00-${hex(16)}-${attempt.span_id}-01`,
          },
          body: entry.body,
          signal: AbortSignal.timeout(TIMEOUT),
        });
        attempt.status = answer.status;
        problem = answer.ok ? null : await answer.json().catch(() => null);
      } catch (error) {
        attempt.error = error.name === "TimeoutError" ? "timeout" : "network";
      }
      attempt.end = now();
      entry.attempts = [...entry.attempts.filter(({ start }) => start > now() - RECENT), attempt].slice(-ATTEMPTS);
      const outcome = meaning(answer, problem);
      if (answer?.headers.has("traceresponse")) {
        tell(answer.headers.get("traceresponse"), entry.attempts);
        entry.attempts = [];
      }
      if (["stored", "held", "refused"].includes(outcome)) remove(entry);
      else note(entry);
      const { trace_id, trace_url, report_id } = problem ?? (answer?.ok ? await answer.json().catch(() => ({})) : {});
      return { outcome, problem, trace_id, trace_url, report_id };
    });

  const meaning = (answer, problem) => {
    if (!answer) return "kept";
    if (answer.status === 201) return "stored";
    if (answer.status === 202) return "held";
    if (answer.status === 401) return "signed-out";
    const waits = [408, 425, 429].includes(answer.status) || answer.status >= 500;
    return waits || problem?.type === "/problems/idempotency-key-in-progress" || !problem ? "kept" : "refused";
  };

  // Reports this page's part of the trace that the gateway named: one span for the sending, and one for each attempt.
  const tell = (traceresponse, attempts) => {
    const [, trace_id, , flags] = traceresponse.split("-");
    if (!(parseInt(flags, 16) & 1)) return;
    const told = attempts.map(({ span_id, start, end, status, error }) => ({
      span_id, start: Math.round(start * 1e3), end: Math.round(end * 1e3), status, error,
    }));
    fetch("/web/spans", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ trace_id, span_id: hex(8), attempts: told }),
      keepalive: true,
    }).catch(() => {});
  };

  const mine = () => read().filter((entry) => entry.owner === owner);
  const foreign = () => read().some((entry) => entry.owner !== owner);
  return { add, send, mine, foreign };
})();
