// The pictures of a feature. Each is told in words as well, in its description.

const share = (counts, all) => counts.map((of) => (all > 0 ? of / all : 0));

const histogramChart = (feature, width) => {
  const { edges, reference, window, window_below: below, window_above: above } = feature.histogram;
  const ends = (inner, low, high) => [...(below > 0 ? [low] : []), ...inner, ...(above > 0 ? [high] : [])];
  const before = ends(share(reference, feature.reference_values), 0, 0);
  const now = ends(share(window, feature.window_values), below / feature.window_values, above / feature.window_values);
  const outside = below + above;
  const area = frame(width, `Histogram of ${feature.name}`,
    `Shares of the reference's ${feature.reference_values} values and of the window's ${feature.window_values} in ${reference.length} bins from ${short(edges[0])} to ${short(edges.at(-1))}.` +
    (outside > 0 ? ` ${outside} values of the window lie beyond.` : ""));
  const top = Math.max(...before, ...now, 1e-9);
  const y = scale([0, top], [area.bottom, area.top]);
  const slot = (area.right - area.left) / before.length;
  const first = area.left + (below > 0 ? slot : 0);
  const x = scale([edges[0], edges.at(-1)], [first, first + slot * reference.length]);
  const bar = (name, value, place) => value > 0 &&
    svg("rect", { class: name, x: area.left + place, width: Math.max(slot * 0.42, 1), y: y(value), height: area.bottom - y(value) });
  area.image.append(
    ...yAxis(area, y, ticks(0, top, 4), percent).flat(),
    ...before.map((value, bin) => bar("reference-bar", value, slot * bin + slot * 0.06)).filter(Boolean),
    ...now.map((value, bin) => bar("window-bar", value, slot * bin + slot * 0.52)).filter(Boolean),
    ...xAxis(area, x, ticks(edges[0], edges.at(-1), Math.max(4, Math.floor(width / 90)))).flat());
  if (below > 0) area.image.append(svg("text", { x: area.left + slot / 2, y: area.bottom + 17, "text-anchor": "middle" }, "<"));
  if (above > 0) area.image.append(svg("text", { x: area.right - slot / 2, y: area.bottom + 17, "text-anchor": "middle" }, ">"));
  return area.image;
};

const stairs = (points, x, y, [from, to]) => {
  let path = `M${x(from)} ${y(0)}`;
  for (const [value, upTo] of points) path += `H${x(Math.min(Math.max(value, from), to))}V${y(upTo)}`;
  return `${path}H${x(to)}`;
};

const ecdfChart = (feature, ks, width) => {
  const { ecdf, gap, histogram } = feature;
  const among = [histogram.edges[0], histogram.edges.at(-1), ...(gap ? [gap.value] : [])];
  const domain = [Math.min(...among), Math.max(...among)];
  const area = frame(width, `Distribution functions of ${feature.name}`,
    gap
      ? `They are furthest apart at ${short(gap.value)}: ${percent(gap.reference)} of the reference are not above it, and ${percent(gap.window)} of the window.`
      : "There is one side only, nothing to compare.");
  const x = scale(domain, [area.left, area.right]);
  const y = scale([0, 1], [area.bottom, area.top]);
  area.image.append(
    ...yAxis(area, y, [0, 0.25, 0.5, 0.75, 1], percent).flat(),
    ...xAxis(area, x, ticks(...domain, Math.max(4, Math.floor(width / 90)))).flat(),
    svg("path", { class: "reference-line", d: stairs(ecdf.reference, x, y, domain) }));
  if (ecdf.window.length > 0) area.image.append(svg("path", { class: "window-line", d: stairs(ecdf.window, x, y, domain) }));
  if (gap) {
    const [at, up, down] = [x(gap.value), y(gap.reference), y(gap.window)];
    const onRight = at < (area.left + area.right) / 2;
    area.image.append(
      svg("line", { class: "gap-line", x1: at, x2: at, y1: up, y2: down, "data-gap": String(gap.value) }),
      svg("circle", { class: "gap-dot", cx: at, cy: up, r: 3.5 }),
      svg("circle", { class: "gap-dot", cx: at, cy: down, r: 3.5 }),
      svg("text", { class: "gap-text", x: at + (onRight ? 8 : -8), y: (up + down) / 2 + 4, "text-anchor": onRight ? "start" : "end" },
        `KS ${short(ks ?? Math.abs(gap.reference - gap.window))}`));
  }
  return area.image;
};

// A statistic at the latest looks, with those that found drift marked.
const looksChart = (title, looks, values, least, width) => {
  const known = values.filter((value) => value !== null);
  const found = looks.filter((look) => look.drift).length;
  const area = frame(width, title, known.length === 0 ? "No look compared anything yet." :
    `At ${looks.length} looks between ${short(Math.min(...known))} and ${short(Math.max(...known))}, ${short(known.at(-1))} at the latest; ${found} found drift.`);
  const x = scale([looks[0].total, looks.at(-1).total], [area.left, area.right]);
  const y = scale([0, 1], [area.bottom, area.top]);
  let path = "";
  values.forEach((value, at) => {
    if (value !== null) path += `${at === 0 || values[at - 1] === null ? "M" : "L"}${x(looks[at].total)} ${y(value)}`;
  });
  area.image.append(
    ...yAxis(area, y, [0, 0.25, 0.5, 0.75, 1]).flat(),
    ...xAxis(area, x, ticks(looks[0].total, looks.at(-1).total, Math.max(3, Math.floor(width / 110))), count).flat());
  if (least > 0) area.image.append(svg("line", { class: "least-line", x1: area.left, x2: area.right, y1: y(least), y2: y(least) }));
  area.image.append(svg("path", { class: "window-line", d: path || "M0 0" }));
  looks.forEach((look, at) => {
    if (values[at] !== null && (look.drift || looks.length === 1)) {
      area.image.append(svg("circle", { class: look.drift ? "drift-dot" : "window-bar", cx: x(look.total), cy: y(values[at]), r: 3 }));
    }
  });
  return area.image;
};
