// Numbers and times as people read them. The exact number is in the element's value.

const short = (value) => {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
};

const count = (value) => value.toLocaleString("en");

// A number of the report, under the name that it has there.
const data = (field, value, text = short) =>
  value === null || value === undefined
    ? el("span", { "data-field": field }, "–")
    : el("data", { "data-field": field, value: String(value) }, text(value));

const percent = (value) => `${short(100 * value)} %`;

const clock = (ms) => {
  const at = new Date(ms);
  const sameDay = at.toDateString() === new Date().toDateString();
  return sameDay ? at.toLocaleTimeString() : at.toLocaleString();
};

const time = (ms) => el("time", { datetime: new Date(ms).toISOString() }, clock(ms));

const lasting = (ms) => {
  const s = Math.round(ms / 1000);
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return `${short(s / 3600)} h`;
};

const digest = (text) => text.replace(/^sha256:/, "").slice(0, 12);
