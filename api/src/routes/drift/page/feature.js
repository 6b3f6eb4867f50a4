// One feature, opened: its pictures, and every number that there is.

const STATES = { no_values: "No values", no_reference: "No reference" };

const keys = (gap, blocks, before = "reference") => el("ul", { class: blocks ? "keys blocks" : "keys" },
  el("li", {}, el("span", { class: "reference-key" }), before),
  el("li", {}, el("span", {}), "window"),
  gap && el("li", {}, el("span", { class: "gap-key" }), "largest gap"));

const exact = (name, field, value) => fact(name, data(field, value, (number) => String(number)));

const featureNumbers = (picture, feature, rule) => {
  const shown = [
    fact("Values", `${count(picture.reference_values)} of the reference, ${count(picture.window_values)} of the window`),
    exact("KS statistic", "ks_stat", feature?.ks_stat),
    exact("p-value", "p_value", feature?.p_value),
    exact("Held against", "threshold", picture.threshold?.p_value),
  ];
  if (rule.correction !== "none") {
    shown.push(fact("Rank among the p-values", picture.threshold ? `${picture.threshold.rank} of ${rule.comparisons}` : "–"));
    shown.push(exact("Corrected p-value", "corrected_p_value", feature?.corrected_p_value));
  }
  shown.push(
    exact("Furthest apart at", "location", feature?.location),
    exact("Wasserstein distance", "wasserstein", feature?.wasserstein),
    exact("Stability index (PSI)", "psi", feature?.psi),
    exact("Jensen–Shannon distance", "jensen_shannon", feature?.jensen_shannon),
    fact("Missing", data("missing_share", feature?.missing_share ?? 0, percent), ", in training ", data("missing_share_in_training", feature?.missing_share_in_training ?? 0, percent)),
    fact("Out of the training range", data("out_of_range_share", feature?.out_of_range_share ?? 0, percent)));
  return el("dl", {}, shown);
};

const binRows = (bins) => plainTable("Values in each bin", ["From", "To", "Reference", "Window"],
  bins.reference.map((before, bin) => [short(bins.edges[bin]), short(bins.edges[bin + 1]), String(before), String(bins.window[bin])])
    .concat([["", "below all", "0", String(bins.window_below)], ["above all", "", "0", String(bins.window_above)]]));

const curveRows = (ecdf) => plainTable("Share of values up to here", ["Side", "Value", "Share"],
  [["reference", ecdf.reference], ["window", ecdf.window]].flatMap(([side, curve]) =>
    curve.map(([value, upTo]) => [side, String(value), percent(upTo)])));

const lookRows = (looks, values) => plainTable("Statistic at each look, newest first", ["Rows", "When", "KS", "Drift"],
  looks.map((look, at) => [count(look.total), clock(look.at_ms), values[at] === null ? "–" : short(values[at]), look.drift ? "yes" : "no"]).reverse());

// Stays where it is while its contents follow the report; tables that were opened stay open.
const featurePanel = () => {
  const charts = el("div", { class: "charts" });
  const rest = el("div");
  const node = el("div", {}, charts, rest);
  let now = null;
  const tables = {
    bins: numbers("histogram", () => binRows(now.picture.histogram)),
    curves: numbers("distribution functions", () => curveRows(now.picture.ecdf)),
    looks: numbers("latest looks", () => lookRows(now.report.looks, now.picture.ks_at_looks)),
  };
  const figures = ["histogram", "distribution", "looks"].map((name) => el("figure", { "data-chart": name }));
  [tables.bins, tables.curves, tables.looks].forEach((table, at) => figures[at].append(el("figcaption"), el("div"), table));
  charts.append(...figures);
  const put = (figure, visible, caption, chart) => {
    show(figure, visible);
    if (!visible) return;
    figure.querySelector("figcaption").replaceChildren(...caption);
    figure.querySelector("div").replaceChildren(chart());
    figure.querySelector("details").refill();
  };
  const draw = () => {
    if (!now) return;
    const { report, picture, feature } = now;
    const width = Math.max(260, Math.min(charts.clientWidth, figures[0].clientWidth || charts.clientWidth));
    put(figures[0], Boolean(picture.histogram), ["Histogram", keys(false, true)], () => histogramChart(picture, width));
    put(figures[1], Boolean(picture.histogram), ["Distribution functions", keys(Boolean(picture.gap))], () => ecdfChart(picture, feature?.ks_stat, width));
    put(figures[2], report.looks.length > 0, ["Statistic at the latest looks, by rows recorded"],
      () => looksChart(`Statistic of ${picture.name}`, report.looks, picture.ks_at_looks, report.rule.least_effect, width));
    rest.replaceChildren(
      picture.state === "no_reference" && el("p", {}, "The training rows have no value of this feature: there is nothing to compare with.") || "",
      picture.state === "no_values" && report.status.samples > 0 && el("p", {}, "No row of the window has a value of this feature.") || "",
      featureNumbers(picture, feature, report.rule));
  };
  return {
    node,
    draw,
    update: (report, picture, feature) => {
      now = { report, picture, feature };
      draw();
    },
  };
};
