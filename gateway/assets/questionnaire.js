"use strict";
// Fills in a questionnaire as its definition says. epro-svc checks everything again; the checks here only show mistakes
// earlier.
(() => {
  const form = document.getElementById("questionnaire");
  const words = JSON.parse(form.dataset.words);
  const items = [...form.querySelectorAll("[data-link-id]")];
  const byLink = new Map(items.map((item) => [item.dataset.linkId, item]));
  const result = document.getElementById("result");
  const summary = document.getElementById("summary");
  const attested = document.getElementById("attested");
  const sendButton = document.getElementById("send");

  // Undefined without an answer. Text that is not a number stays text, so that the mistake can be shown.
  const value = (item) => {
    const chosen = item.querySelector("input[type=radio]:checked");
    const text = (chosen ?? item.querySelector("input:not([type=radio]), textarea"))?.value.trim() ?? "";
    if (text === "") return undefined;
    switch (item.dataset.type) {
      case "boolean":
        return text === "true";
      case "text":
        return text;
      default: {
        const number = Number(text.replace(",", "."));
        return Number.isFinite(number) ? number : text;
      }
    }
  };

  const holds = ({ operator, answer }, given) => {
    if (operator === "=") return given === answer;
    if (typeof given !== "number") return false;
    return operator === ">" ? given > answer : given >= answer;
  };

  // An item is asked when all or any of its conditions hold. A condition only holds on an item that is asked itself, so
  // items that only enable each other are not asked.
  const isEnabled = (item, below = []) => {
    const conditions = JSON.parse(item.dataset.enableWhen ?? "[]");
    if (conditions.length === 0) return true;
    if (below.includes(item)) return false;
    const isMet = (condition) => {
      const other = byLink.get(condition.link_id);
      const given = other && isEnabled(other, [...below, item]) ? value(other) : undefined;
      return given !== undefined && holds(condition, given);
    };
    return item.dataset.enableBehavior === "any" ? conditions.some(isMet) : conditions.every(isMet);
  };

  const refresh = () => {
    for (const item of items) {
      item.hidden = !isEnabled(item);
      const count = item.querySelector(".count");
      const most = item.dataset.maxLength;
      if (count && most) count.textContent = fill(words.characters, { n: characters(value(item) ?? ""), max: most });
    }
  };

  const characters = (text) => [...text].length;
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

  const check = (item) => {
    const { type, required, min, max, maxLength } = item.dataset;
    const given = value(item);
    if (given === undefined) return required === undefined ? null : "required";
    if (type === "text") return maxLength && characters(given) > Number(maxLength) ? "length" : null;
    if (type === "boolean" || type === "choice") return null;
    if (typeof given !== "number" || (type === "integer" && !Number.isInteger(given))) return "type";
    return (min && given < Number(min)) || (max && given > Number(max)) ? "range" : null;
  };

  const mark = (item, code) => {
    const error = item.querySelector(".error");
    item.classList.toggle("wrong", Boolean(code));
    error.hidden = !code;
    const { min, max, maxLength } = item.dataset;
    error.textContent = code ? fill(words.errors[code] ?? words.errors.other, { min: Number(min), max: Number(maxLength ?? max) }) : "";
    for (const input of item.querySelectorAll("input, textarea")) {
      if (code) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
      if (input.type === "radio") input.setAttribute("aria-describedby", error.id);
    }
  };

  const complain = (wrong, trace) => {
    summary.textContent = words.mend;
    if (trace) summary.append(" ", traceLink(trace));
    summary.hidden = false;
    const first = wrong[0]?.querySelector("input, textarea");
    (first ?? summary).focus();
    (wrong[0] ?? summary).scrollIntoView({ block: "center" });
  };

  const traceLink = ({ trace_id, trace_url }) => {
    const link = document.createElement(trace_url ? "a" : "code");
    if (trace_url) link.href = trace_url;
    link.className = "trace";
    link.textContent = `${words.trace} ${trace_id}`;
    return link;
  };

  const paragraph = (...parts) => {
    const element = document.createElement("p");
    element.append(...parts);
    return element;
  };

  const anchor = (href, text) => Object.assign(document.createElement("a"), { href, textContent: text });

  const finish = (message, sent) => {
    result.replaceChildren(paragraph(message));
    if (sent.trace_id) result.append(paragraph(traceLink(sent)));
    result.append(paragraph(anchor("/", words.back)), paragraph(anchor(location.pathname, words.again)));
    form.hidden = true;
    result.hidden = false;
    result.focus();
    if (sent.outcome === "kept") setTimeout(window.outbox.flush, 2_000);
  };

  // The time of the phone's clock, with its offset from UTC.
  const captured = () => {
    const time = new Date();
    const east = -time.getTimezoneOffset();
    const two = (number) => String(Math.floor(Math.abs(number))).padStart(2, "0");
    const local = new Date(time.getTime() + east * 60_000).toISOString().slice(0, 19);
    return `${local}${east < 0 ? "-" : "+"}${two(east / 60)}:${two(east % 60)}`;
  };

  const submit = async () => {
    const asked = items.filter((item) => !item.hidden);
    const checked = asked.map((item) => [item, check(item)]);
    for (const [item, code] of checked) mark(item, code);
    const attestation = document.getElementById("attestation");
    mark(attestation, attested.checked ? null : "attested");
    const wrong = checked.filter(([, code]) => code).map(([item]) => item);
    if (!attested.checked) wrong.push(attestation);
    if (wrong.length > 0) return complain(wrong);

    const given = asked.map((item) => [item.dataset.linkId, value(item)]).filter(([, answer]) => answer !== undefined);
    const entry = window.outbox.add({
      assignment_id: form.dataset.assignment, captured_at: captured(), attested: true, answers: Object.fromEntries(given),
    });
    const sent = await window.outbox.send(entry);
    if (sent.outcome === "signed-out") location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
    else if (sent.outcome === "refused") refuse(sent);
    else finish(words[sent.outcome], sent);
  };

  // Shows each broken rule beside its item.
  const refuse = ({ problem, ...sent }) => {
    const wrong = [];
    for (const { link_id: link, pointer, code } of problem.errors ?? []) {
      const item = byLink.get(link) ?? (pointer === "/attested" ? document.getElementById("attestation") : null);
      if (item) {
        mark(item, code);
        wrong.push(item);
      } else if (words.errors[code]) problem.detail = words.errors[code];
    }
    complain(wrong, sent);
    if (wrong.length === 0) summary.replaceChildren(`${words.refused} ${problem.detail ?? ""} `, traceLink(sent));
  };

  form.addEventListener("input", refresh);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    sendButton.disabled = true;
    sendButton.textContent = words.sending;
    summary.hidden = true;
    try {
      await submit();
    } finally {
      sendButton.disabled = false;
      sendButton.textContent = words.send;
    }
  });
  refresh();
  form.hidden = false;
})();
