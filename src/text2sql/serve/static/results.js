// The results page: tables of the run records, and each question behind a row.
import { call, draw, find, make, token } from "./common.js";
import { highlight } from "./sql.js";

let questions = [];

function complain(error) {
  find("trouble").hidden = !error;
  find("trouble").textContent = error ? (error.status === 401 ? "Give the token on the page Ask first." : error.message) : "";
}

async function begin() {
  try {
    const runs = await call("/api/results");
    if (!runs.length) find("runs").append(make("p", {}, "No run has a record yet. make reproduce writes one."));
    for (const run of runs) find("runs").append(run.error ? make("p", { className: "trouble" }, run.error) : section(run));
  } catch (error) {
    complain(error);
  }
}

function section(run) {
  const head = make("tr", {}, ...run.header.map((text, i) => make("th", { scope: "col", className: i ? "n" : "" }, text)));
  const rows = run.rows.map((cells) => {
    const row = run.accuracy.find((one) => one.label === cells[0]);
    const first = row ? make("button", { type: "button", onclick: () => open(run, row) }, row.label) : plain(cells[0]);
    return make("tr", {}, make("td", {}, first), ...cells.slice(1).map((text) => make("td", { className: "n" }, plain(text))));
  });
  return make("article", {},
    make("h2", {}, `${run.title}, ${run.dataset}`),
    make("p", { className: "quiet" }, `${run.caption[0].toUpperCase()}${run.caption.slice(1)} Bold: significantly best; ≈: may be as good as the best. A row's name opens its questions.`),
    make("div", { className: "scroll" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows))),
    figure(run));
}

function plain(text) {
  const bold = text.match(/^\*\*(.*)\*\*$/);
  return bold ? make("strong", {}, bold[1]) : text.replace(/^\*(.*)\*$/, "$1");
}

function figure(run) {
  const levels = run.levels, room = levels.length * (16 + 19 * run.accuracy.length);  // for a value above each bar
  const width = Math.max(Math.min(640, find("runs").clientWidth), room), height = 220, floor = height - 26, group = width / levels.length, bar = (group - 16) / run.accuracy.length;
  const picture = draw("svg", { viewBox: `0 0 ${width} ${height}`, width, role: "img", "aria-label": `${run.metric} by difficulty` });
  levels.forEach((level, i) => {
    run.accuracy.forEach((row, j) => {
      const value = row.accuracy[level], size = (value / 100) * (floor - 20), x = i * group + 8 + j * bar;
      picture.append(
        draw("rect", { class: "bar", x, y: floor - size, width: bar - 3, height: Math.max(1, size), opacity: 1 - (0.65 * j) / run.accuracy.length },
          draw("title", {}, `${row.label}, ${level}: ${value.toFixed(1)} %`)),
        draw("text", { x: x + bar / 2 - 1, y: floor - size - 4, "text-anchor": "middle" }, value.toFixed(0)));
    });
    picture.append(draw("text", { x: i * group + group / 2, y: height - 8, "text-anchor": "middle" }, level));
  });
  return make("figure", {}, picture, make("figcaption", {}, `${run.metric[0].toUpperCase()}${run.metric.slice(1)} in per cent; bars from left: ${run.accuracy.map((row) => row.label).join(", ")}`));
}

async function open(run, row) {
  try {
    const found = await call(`/api/results/${encodeURIComponent(run.run)}/${encodeURIComponent(row.name)}`);
    questions = found.questions;
    complain(null);
    find("questions-title").textContent = `${run.title}, ${run.dataset}: ${row.label}`;
    find("questions-note").textContent = found.same_as_record ? "" : "These answers are of another run than the published record.";
    const kinds = [...new Set(questions.map((one) => one.error).filter(Boolean))].sort();
    const levels = run.levels.filter((level) => level !== "all");
    find("hardness").replaceChildren(make("option", { value: "" }, "all"), ...levels.map((level) => make("option", {}, level)));
    find("error").replaceChildren(make("option", { value: "" }, "all"), ...kinds.map((kind) => make("option", {}, kind)));
    find("questions").hidden = false;
    list();
    find("questions").scrollIntoView();
  } catch (error) {
    complain(error);
    scrollTo(0, 0);
  }
}

function list() {
  const verdict = find("verdict").value, hardness = find("hardness").value, error = find("error").value;
  const shown = questions.filter((one) =>
    (!verdict || one.right === (verdict === "right")) && (!hardness || one.hardness === hardness) && (!error || one.error === error));
  find("count").textContent = `${shown.length} of ${questions.length} questions`;
  find("list").replaceChildren(...shown.map(entry));
}

function entry(one) {
  const mark = make("span", { className: one.right ? "right" : "wrong" }, one.right ? "right" : one.error || "wrong");
  const details = make("details", {}, make("summary", {}, `${one.id + 1}. ${one.question} `, mark));
  details.ontoggle = () => {
    if (details.childElementCount > 1) return;
    const gold = make("pre"), prediction = make("pre");
    highlight(gold, one.gold);
    highlight(prediction, one.prediction);
    const list = make("dl", {}, make("dt", {}, `Gold (${one.db_id}, ${one.hardness})`), make("dd", {}, gold), make("dt", {}, "Prediction"), make("dd", {}, prediction));
    if (one.error_message) list.append(make("dt", {}, "Error"), make("dd", {}, one.error_message));
    details.append(list);
  };
  return details;
}

function watch() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/jobs`);
  socket.onopen = () => socket.send(JSON.stringify(token() ? { token: token() } : {}));
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.type !== "jobs") return;
    find("jobs").hidden = message.jobs.length === 0;
    find("job-list").replaceChildren(...message.jobs.map((job) =>
      make("p", {}, make("progress", { value: job.done, max: job.total || 1 }), ` ${job.run}, ${job.stage}: ${job.done} of ${job.total} ${job.unit}`,
        job.silent_seconds > 120 ? make("span", { className: "quiet" }, " (silent; interrupted?)") : "")));
  };
}

for (const id of ["verdict", "hardness", "error"]) find(id).onchange = list;
begin();
watch();
