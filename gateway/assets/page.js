"use strict";
// Runs on every page: shows times in the reader's own time zone, and sends reports that wait in the outbox.
(() => {
  const { words: text, owner } = document.body.dataset;
  const words = JSON.parse(text);
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  for (const time of document.querySelectorAll("time")) time.textContent = format.format(new Date(time.dateTime));

  const box = document.getElementById("outbox");
  const show = (message, { trace_id, trace_url } = {}) => {
    box.className = "notice";
    box.textContent = message;
    if (trace_id) {
      const trace = document.createElement(trace_url ? "a" : "code");
      if (trace_url) trace.href = trace_url;
      trace.textContent = `${words.trace} ${trace_id}`;
      box.append(" ", trace);
    }
    box.hidden = false;
  };

  const WAITS = [2_000, 5_000, 15_000, 60_000];
  let failures = 0;
  let timer;
  const flush = async () => {
    clearTimeout(timer);
    for (const entry of window.outbox.mine()) {
      const sent = await window.outbox.send(entry);
      if (sent.outcome === "kept" || sent.outcome === "signed-out") {
        show(words.waiting);
        const wait = WAITS[Math.min(failures++, WAITS.length - 1)];
        if (sent.outcome === "kept") timer = setTimeout(flush, wait * (0.5 + Math.random()));
        return;
      }
      failures = 0;
      show(sent.outcome === "refused" ? `${words.refused} ${sent.problem?.detail ?? ""}` : words.sent, sent);
    }
  };
  window.outbox.flush = flush;
  addEventListener("online", flush);
  if (owner) flush();
  else if (window.outbox.foreign()) show(words.waiting);
})();
