// What is to be said in a word, and the facts behind it.

const LOOKS = { collecting: "too few rows", nothing: "nothing to compare", quiet: "no drift", drift: "drift" };

const judge = (status) => {
  const seen = status.window;
  if (!seen) return ["none", "Nothing to compare with", `${status.reason}: its traffic is not watched.`];
  if (status.drift_detected) {
    return ["drift", "Drift", `The latest rows do not look like the training data: ${status.severity ?? "drift"}.`];
  }
  if (status.reason) {
    return ["collecting", "Collecting", "The window is not full yet. Until then there is no all-clear, but plain drift is said."];
  }
  return ["quiet", "No drift", "The latest rows look like the training data."];
};

const fact = (name, ...what) => el("div", {}, el("dt", {}, name), el("dd", {}, ...what));

const facts = ({ status, rule }) => {
  const { window: seen, look, replicas } = status;
  const found = [
    fact("Rows", data("samples", status.samples, count), ` of ${count(seen.size)}, `, data("total", seen.total, count), " since the model is served"),
    fact("Model", el("code", { title: status.model, "data-field": "model" }, digest(status.model))),
    fact("Rule", status.mode === "compat" ? "compat" : `${status.mode}, ${rule.correction}, ${count(rule.comparisons)} comparisons`),
  ];
  if (seen.oldest_ms !== null) found.splice(1, 0, fact("Answered", time(seen.oldest_ms), " to ", time(seen.newest_ms)));
  if (look) found.push(fact("Latest look", `${LOOKS[look.verdict] ?? look.verdict}, at row ${count(look.at_rows)}`));
  const test = (name, p, held) => fact(`Joint test, ${name}`, "p ", data(`${name}_p_value`, p), ", held against ", data(`${name}_threshold`, held));
  if (look?.joint) {
    found.push(test("sparse", look.joint.sparse_p_value, look.joint.sparse_threshold));
    found.push(test("diffuse", look.joint.diffuse_p_value, look.joint.diffuse_threshold));
  }
  if (replicas && (replicas.exchange || replicas.merged > 1)) {
    found.push(fact("Replicas", `rows of ${replicas.merged}`, replicas.alone ? ", no other can be reached" : ""));
  }
  return found;
};

const head = (report) => {
  const { status } = report;
  const [state, word, words] = judge(status);
  byId("verdict").className = state;
  say(byId("verdict-word"), state === "drift" ? "▲ Drift" : word);
  say(byId("verdict-words"), words);
  document.title = state === "drift" ? "▲ Drift" : `${word} – drift`;
  const bar = byId("collected");
  show(bar, state === "collecting");
  if (state === "collecting") Object.assign(bar, { max: status.window.size, value: status.window.rows });
  // What is told of a change that is too small to matter would only be noise.
  const told = status.drift_detected || status.episode?.open ? status.movements ?? [] : [];
  const moved = told.filter((one) => one.effect >= (report.rule?.least_effect ?? 0));
  byId("movements").replaceChildren(...moved.map((one) =>
    el("li", {}, one.words, one.since_ms ? [", since ", time(one.since_ms)] : [])));
  byId("facts").replaceChildren(...(status.window ? facts(report) : []));
};
