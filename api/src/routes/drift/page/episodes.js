// What happened before: looks, shares of predictions, episodes.

let latest = null;
const lookTable = numbers("latest looks", () => lookRows(latest.looks, largest(latest)));

// Of all features at each look.
const largest = (report) => report.looks.map((_, at) => {
  const known = report.features.map((feature) => feature.ks_at_looks[at]).filter((value) => value !== null);
  return known.length > 0 ? Math.max(...known) : null;
});

const history = (report) => {
  latest = report;
  show(byId("history-section"), report.looks.length > 0);
  if (report.looks.length === 0) return;
  const place = byId("history");
  const width = Math.max(260, place.clientWidth);
  const least = report.rule.least_effect;
  const caption = `The largest KS statistic of any feature, by rows recorded${least > 0 ? `; below the dotted line (${short(least)}) nothing is called drift` : ""}. Dots: looks that found drift.`;
  const figure = el("figure", { "data-chart": "history" }, el("figcaption", {}, caption),
    looksChart("Largest statistic at the latest looks", report.looks, largest(report), least, width));
  // The table stays where it is: whoever reads it has it open.
  if (place.contains(lookTable)) place.firstChild.replaceWith(figure);
  else place.replaceChildren(figure, lookTable);
  lookTable.refill();
};

const shareBars = (one) => svg("svg", { viewBox: "0 0 100 16", preserveAspectRatio: "none", "aria-hidden": "true" },
  svg("rect", { class: "reference-bar", x: 0, y: 0, height: 7, width: 100 * one.held_out_share }),
  svg("rect", { class: "window-bar", x: 0, y: 9, height: 7, width: 100 * one.share }));

const scores = (found) => {
  show(byId("score"), Boolean(found));
  if (!found) return;
  byId("score").replaceChildren(
    found.drift ? el("span", { class: "is-drift" }, "▲ Drift: ") : "",
    "Scores (the probability of the answered class, or the number): median ", data("score_median", found.median),
    ", of held-out rows ", data("score_held_out_median", found.held_out_median),
    ", KS ", data("score_ks_stat", found.ks_stat), ", p ", data("score_p_value", found.p_value), ".");
};

const predictions = ({ status, predictions_threshold: threshold }) => {
  const found = status.predictions;
  show(byId("predictions-section"), Boolean(found || status.score));
  scores(status.score);
  if (!found) return;
  byId("predictions").replaceChildren(
    el("p", {}, found.drift ? el("span", { class: "is-drift" }, "▲ Drift: ") : "",
      "p ", data("predictions_p_value", found.p_value),
      threshold ? [", held against ", data("predictions_threshold", threshold.p_value)] : "", "."),
    keys(false, true, "held-out rows"),
    el("table", {},
      el("caption", {}, "How often each class is answered"),
      el("thead", {}, el("tr", {}, ["Class", "Held-out rows", "Window"].map((head, at) => el("th", { scope: "col", class: at > 0 ? "number" : null }, head)), el("td", { class: "bars" }))),
      el("tbody", {}, found.classes.map((one) => el("tr", {},
        el("th", { scope: "row" }, one.name),
        el("td", { class: "number" }, data("held_out_share", one.held_out_share, percent)),
        el("td", { class: "number" }, data("share", one.share, percent)),
        el("td", { class: "bars" }, shareBars(one)))))));
};

const episode = (one) => el("article", { class: one.open ? "open-episode" : null, "data-episode": one.number },
  el("h3", {}, `Episode ${one.number}: ${one.severity}, ${one.open ? "goes on" : "over"}`),
  el("p", {}, "Found ", time(one.opened_at_ms), ` at row ${count(one.since_rows)}`,
    one.open ? "." : [", over ", time(one.closed_at_ms), `, after ${lasting(one.closed_at_ms - one.opened_at_ms)}.`]),
  el("ul", {}, one.movements.map((words) => el("li", {}, words))),
  el("p", {}, el("strong", {}, "What was done: "), one.open
    ? "as far as this process knows nothing yet."
    : "it closed by itself, a window's worth of looks found no drift."));

let seenEpisodes = "";
const episodes = (report) => {
  show(byId("episodes-section"), Boolean(report.rule));
  // Times of today are written shorter: nothing else changes without the list.
  const now = JSON.stringify(report.episodes);
  if (now === seenEpisodes && byId("episodes").hasChildNodes()) return;
  seenEpisodes = now;
  const older = report.episodes.slice(3);
  const words = report.decisions.split("`");
  byId("episodes").replaceChildren(
    report.episodes.length === 0 ? el("p", {}, "None since this model is served.") : "",
    ...report.episodes.slice(0, 3).map(episode),
    older.length > 0 ? el("details", {}, el("summary", {}, `${older.length} before`), older.map(episode)) : "",
    el("p", { class: "dim" }, words.map((text, at) => (at % 2 === 1 ? el("code", {}, text) : text))));
};
