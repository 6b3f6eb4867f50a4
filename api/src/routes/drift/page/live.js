// Follows the server: a stream says that something has changed, the report says what.

const KEY = "driftless-api-key";
// Without a word for so long the stream is taken for dead: it says something every 15 s.
const SILENCE_MS = 40000;
const REPORT_MS = 30000;
const REST_MS = 500;

let key = sessionStorage.getItem(KEY);
let lostAt = null;
let streaming = false;
let model = null;

const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

class Refused extends Error {
  constructor(status, retryAfterS, message) {
    super(message);
    Object.assign(this, { status, retryAfterS });
  }
}

const ask = async (path, signal) => {
  const headers = key === null ? {} : { "X-API-Key": key };
  const answer = await fetch(path, { headers, signal, cache: "no-store", credentials: "omit" });
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, Number(answer.headers.get("retry-after")) || 0, body.message ?? `the server answered ${answer.status}`);
};

const live = (on, why) => {
  const place = byId("live");
  lostAt = on ? null : lostAt ?? Date.now();
  place.className = on ? "on" : "lost";
  say(place, on ? "Live" : `Not live since ${clock(lostAt)}: ${why}; trying again`);
};

const reason = (error) => (error instanceof Refused ? error.message : error.name === "AbortError" ? "no answer" : "no connection");

// Waits until somebody has typed a key.
let asking = null;
const keyNeeded = () => {
  asking ??= new Promise((done) => {
    const form = byId("key");
    show(form, true);
    byId("live").className = "";
    say(byId("live"), "Waiting for an API key");
    say(byId("key-problem"), key === null ? "" : "This key is not known here.");
    byId("key-text").value = "";
    byId("key-text").focus();
    form.onsubmit = (event) => {
      event.preventDefault();
      key = byId("key-text").value.trim();
      sessionStorage.setItem(KEY, key);
      show(byId("forget"), true);
      show(form, false);
      asking = null;
      done();
    };
  });
  return asking;
};

const render = (report) => {
  const now = report.status.model ?? null;
  if (model !== null && now !== model) {
    say(byId("note"), `Another model is served since ${clock(Date.now())}: ${now ? digest(now) : "one without a reference"} in the place of ${digest(model)}. Window, looks and episodes are of the new one.`);
    forgetFeatures();
  }
  model = now;
  show(document.querySelector("main"), true);
  for (const part of [head, features, history, predictions, episodes]) part(report);
};

const load = async () => {
  const control = new AbortController();
  const timer = setTimeout(() => control.abort(), REPORT_MS);
  try {
    render(await (await ask("drift/report", control.signal)).json());
    if (streaming) live(true);
    return 0;
  } catch (error) {
    if (error instanceof Refused && error.status === 401) {
      await keyNeeded();
      wanted = true;
      return 0;
    }
    if (!(error instanceof Refused || error instanceof TypeError || error.name === "AbortError")) console.error(error);
    live(false, reason(error));
    return (error.retryAfterS || 2) * 1000;
  } finally {
    clearTimeout(timer);
  }
};

// One question at a time, and a rest after each that grows with what it costs.
let wanted = false;
let refreshing = false;
const refresh = async () => {
  wanted = true;
  if (refreshing) return;
  refreshing = true;
  while (wanted) {
    wanted = false;
    const begun = performance.now();
    const wait = await load();
    if (wait > 0) wanted = streaming;
    await pause(Math.max(wait, REST_MS, Math.min(3 * (performance.now() - begun), 10000)));
  }
  refreshing = false;
};

const follow = async (heard) => {
  const control = new AbortController();
  let timer = setTimeout(() => control.abort(), SILENCE_MS);
  try {
    const answer = await ask("drift/events", control.signal);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => control.abort(), SILENCE_MS);
      const parts = (text + value).split("\n\n");
      text = parts.pop();
      if (parts.some((part) => part.startsWith("event: "))) heard();
    }
  } finally {
    streaming = false;
    clearTimeout(timer);
  }
};

const run = async () => {
  for (let failures = 0; ; ) {
    let why = "the server has ended the stream";
    try {
      await follow(() => {
        streaming = true;
        failures = 0;
        refresh();
      });
    } catch (error) {
      if (error instanceof Refused && error.status === 401) {
        await keyNeeded();
        continue;
      }
      why = reason(error);
      failures = Math.max(failures, (error.retryAfterS ?? 0) > 1 ? 3 : 0);
    }
    live(false, why);
    await pause(Math.min(500 * 2 ** failures, 30000) * (0.75 + Math.random() / 2));
    failures += 1;
  }
};

show(byId("forget"), key !== null);
byId("forget").addEventListener("click", () => {
  sessionStorage.removeItem(KEY);
  location.reload();
});
addEventListener("resize", () => latest && history(latest));
run();
