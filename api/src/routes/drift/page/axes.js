// From values to places in a chart.

const HEIGHT = 220;
const MARGIN = { top: 14, right: 14, bottom: 26, left: 42 };

const scale = ([from, to], [start, end]) => {
  const width = to - from;
  return (value) => (width > 0 && Number.isFinite(width) ? start + ((value - from) / width) * (end - start) : (start + end) / 2);
};

// Round numbers between two values, about so many.
const ticks = (from, to, about) => {
  const width = to - from;
  if (!(width > 0) || !Number.isFinite(width)) return [from];
  const raw = width / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((times) => times * power).find((wide) => wide >= 0.8 * raw);
  const found = [];
  for (let k = Math.ceil(from / step); k * step <= to && found.length < 20; k += 1) found.push(Number((k * step).toPrecision(12)));
  return found;
};

// An image with a name and a description, and the place to draw in.
const frame = (width, title, description) => {
  const [titleId, descId] = [freshId("title"), freshId("desc")];
  const image = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-labelledby": titleId, "aria-describedby": descId },
    svg("title", { id: titleId }, title),
    svg("desc", { id: descId }, description));
  return { image, left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: HEIGHT - MARGIN.bottom };
};

const yAxis = (area, y, values, text = short) => values.map((value) => [
  svg("line", { class: "axis", x1: area.left, x2: area.right, y1: y(value), y2: y(value) }),
  svg("text", { x: area.left - 6, y: y(value) + 4, "text-anchor": "end" }, text(value)),
]);

const xAxis = (area, x, values, text = short) => values.map((value) => [
  svg("line", { class: "axis", x1: x(value), x2: x(value), y1: area.bottom, y2: area.bottom + 4 }),
  svg("text", { x: x(value), y: area.bottom + 17, "text-anchor": "middle" }, text(value)),
]);
