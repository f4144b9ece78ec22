// The page that asks: question in, SQL as it is written, rows, chart, schema, history.
import { call, find, make, setToken, token, Trouble } from "./common.js";
import { chart, diagram, table } from "./pictures.js";
import { highlight } from "./sql.js";
import { choose, language, say, speak, words } from "./words.js";

const KEPT = 50;
const TURNS = 20; // that the server takes
let info = {};
let shownSql = "";
let shownQuestion = "";
let thread = []; // what was asked and answered before in this conversation

function complain(error) {
  const box = find("trouble");
  box.hidden = !error;
  box.textContent = error ? error.message : "";
  find("token-form").hidden = error?.status !== 401;
  if (error?.status === 401) find("token").focus();
}

async function begin() {
  try {
    info = await call("/info");
    find("state").replaceChildren(say("model {}", info.model));
    find("models").hidden = info.models.length < 2;
    find("model").replaceChildren(...info.models.map((name) => make("option", { selected: name === info.model }, name)));
    find("live").disabled = !info.database;
    find("live-name").replaceChildren(info.database ? say("the database {}", info.database) : say("a database (none is configured)"));
    find(info.database ? "live" : "typed").checked = true;
    complain(null);
    await changeSource();
  } catch (error) {
    complain(error);
  }
}

const isLive = () => find("live").checked;

async function changeSource() {
  startAnew();
  find("schema").hidden = isLive();
  find("run-label").hidden = !(isLive() && info.executes);
  try {
    showSchema(isLive() ? await call("/schema") : find("schema").value.trim() ? await call("/schema", { db_schema: find("schema").value }) : null);
  } catch (error) {
    showSchema(null);
    if (isLive()) complain(error);
  }
}

function showSchema(schema) {
  find("diagram").replaceChildren(schema ? diagram(schema) : make("p", { className: "quiet" }, say("No tables to show yet.")));
}

// The answer arrives in pieces: text while the model writes, checked SQL, rows.
function stream(body, hear) {
  return new Promise((resolve, reject) => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws/text2sql`);
    socket.onopen = () => socket.send(JSON.stringify(token() ? { ...body, token: token() } : body));
    socket.onmessage = (event) => {
      const message = JSON.parse(event.data);
      if (message.type === "error") {
        const status = message.error.kind === "unauthorized" ? 401 : 400;
        reject(new Trouble(status, message.error.message));
        socket.close();
      } else if (message.type === "done") {
        resolve(message);
        socket.close();
      } else hear(message);
    };
    socket.onclose = () => reject(new Trouble(0, words("The connection to the server broke. Is it still running?")));
  });
}

async function ask() {
  const question = find("question").value.trim();
  if (!question) return find("question").focus();
  const body = { question, history: thread.slice(-TURNS) };
  if (info.models?.length > 1) body.model = find("model").value;
  const live = isLive();
  if (live) body.execute = Boolean(info.executes) && find("run").checked;
  else body.db_schema = find("schema").value;
  find("ask").disabled = true;
  complain(null);
  clearAnswer();
  shownQuestion = question;
  find("facts").replaceChildren(say("waiting for the model …"));
  find("answer").hidden = false;
  try {
    const answer = await stream(body, (message) => {
      hear(message);
      // Kept as soon as it is shown: rows may take a minute, and the page may be left before they come.
      if (message.type === "sql") remember({ question, sql: message.sql, live, schema: body.db_schema });
    });
    showSql(answer);
    offerToKeep(live && info.accepts, answer.valid);
  } catch (error) {
    find("answer").hidden = true;
    complain(error);
  }
  find("ask").disabled = false;
}

function showThread() {
  find("conversation").hidden = thread.length === 0;
  find("thread").replaceChildren(...thread.map((turn) => {
    const sql = make("code");
    highlight(sql, turn.sql);
    return make("li", {}, make("p", {}, turn.question), sql);
  }));
}

// What is shown becomes an earlier turn; the next question may say "only those".
function followUp() {
  thread.push({ question: shownQuestion, sql: shownSql });
  showThread();
  find("answer").hidden = true;
  find("question").value = "";
  find("question").focus();
}

function startAnew() {
  thread = [];
  showThread();
}

function clearAnswer() {
  shownSql = "";
  for (const id of ["sql", "warnings", "result", "chart"]) find(id).replaceChildren();
  find("chart").hidden = find("examples").hidden = find("follow").hidden = true;
  offerToKeep(false);
}

function hear(message) {
  if (message.type === "text") highlight(find("sql"), message.text);
  if (message.type === "sql") showSql(message);
  if (message.type === "rows") showRows(message);
}

function showSql(answer) {
  shownSql = answer.sql;
  find("follow").hidden = !answer.sql;
  highlight(find("sql"), answer.sql || words("(no SQL)"));
  const verdict = answer.valid ? make("span", { className: "right" }, say("valid")) : make("span", { className: "wrong" }, say("not valid, not run"));
  find("facts").replaceChildren(verdict, say(", {} s", answer.seconds.toFixed(1)));
  find("warnings").replaceChildren(...answer.warnings.map((text) => make("li", {}, text)));
  showExamples(answer.examples);
}

// Accepted and corrected answers are training data later.
function offerToKeep(offered, right = false) {
  find("accept").hidden = !(offered && right);
  find("correct").hidden = !offered;
  find("correction").hidden = true;
}

async function keep(sql, corrected) {
  try {
    await call("/accepted", { question: shownQuestion, sql, corrected, history: thread.slice(-TURNS) });
    complain(null);
    offerToKeep(false);
    if (corrected) { shownSql = sql; highlight(find("sql"), sql); find("result").replaceChildren(); find("chart").hidden = true; }
    find("facts").replaceChildren(say("kept, thank you"));
  } catch (error) {
    complain(error);
  }
}

function correct() {
  find("correction").hidden = false;
  find("corrected").value = shownSql;
  find("corrected").focus();
}

function showExamples(examples) {
  const box = find("examples");
  box.hidden = examples.length === 0;
  box.querySelector("summary").replaceChildren(say(examples.length === 1 ? "{} solved question shown to the model" : "{} solved questions shown to the model", examples.length));
  box.querySelector("dl").replaceChildren(...examples.flatMap((one) => {
    const sql = make("code");
    highlight(sql, one.sql);
    return [make("dt", {}, one.question), make("dd", {}, sql)];
  }));
}

function showRows(result) {
  if (result.error) {
    find("result").replaceChildren(make("p", { className: "trouble" }, say("The query failed: {}.", result.error)));
    return;
  }
  const kind = result.truncated ? "{} of more rows" : result.rows.length === 1 ? "{} row" : "{} rows";
  const count = say(kind, result.rows.length);
  find("result").replaceChildren(make("p", { className: "quiet" }, count), table(result.columns, result.rows));
  const picture = chart(result.columns, result.rows, find("answer").clientWidth);
  find("chart").hidden = !picture;
  if (picture) find("chart").replaceChildren(...picture);
}

const history = () => JSON.parse(localStorage.getItem("history") || "[]");

function remember(entry) {
  const others = history().filter((one) => one.question !== entry.question || one.schema !== entry.schema);
  localStorage.setItem("history", JSON.stringify([entry, ...others].slice(0, KEPT)));
  showHistory();
}

function showHistory() {
  find("history").replaceChildren(...history().map((entry) => {
    const button = make("button", { type: "button", title: entry.sql }, entry.question);
    button.onclick = () => recall(entry);
    return make("li", {}, button);
  }));
  find("forget").hidden = history().length === 0;
}

async function recall(entry) {
  find("question").value = entry.question;
  if (entry.schema !== undefined) find("schema").value = entry.schema;
  if (!find("live").disabled || !entry.live) find(entry.live ? "live" : "typed").checked = true;
  await changeSource();
  clearAnswer();
  find("answer").hidden = false;
  shownQuestion = entry.question;
  shownSql = entry.sql;
  find("follow").hidden = !entry.sql;
  highlight(find("sql"), entry.sql);
  find("facts").replaceChildren(say("from the history; ask again for rows"));
  find("question").focus();
}

async function copy() {
  try {
    await navigator.clipboard.writeText(shownSql);
    find("copy").replaceChildren(say("Copied"));
  } catch {
    getSelection().selectAllChildren(find("sql"));
    find("copy").replaceChildren(say("Selected"));
  }
  setTimeout(() => find("copy").replaceChildren(say("Copy")), 1500);
}

// The button says the other language, in its own words.
function offerLanguage() {
  const chinese = language() === "zh";
  find("language").textContent = chinese ? "English" : "中文";
  find("language").lang = chinese ? "en" : "zh-CN";
}

find("language").onclick = () => { choose(language() === "zh" ? "en" : "zh"); offerLanguage(); };
find("form").onsubmit = (event) => { event.preventDefault(); ask(); };
find("token-form").onsubmit = (event) => { event.preventDefault(); setToken(find("token").value); begin(); };
find("copy").onclick = copy;
find("follow").onclick = followUp;
find("accept").onclick = () => keep(shownSql, false);
find("correct").onclick = correct;
find("correction").onsubmit = (event) => { event.preventDefault(); keep(find("corrected").value.trim(), true); };
find("anew").onclick = () => { startAnew(); find("question").focus(); };
find("forget").onclick = () => { localStorage.removeItem("history"); showHistory(); };
find("live").onchange = find("typed").onchange = find("schema").onchange = changeSource;
document.addEventListener("keydown", (event) => {
  const typing = /^(TEXTAREA|INPUT)$/.test(document.activeElement.tagName);
  const inQuestion = document.activeElement.id === "question" && !event.shiftKey && !event.isComposing;
  if (event.key === "Enter" && (inQuestion || event.ctrlKey || event.metaKey)) { event.preventDefault(); if (!find("ask").disabled) ask(); }
  else if (event.key === "/" && !typing) { event.preventDefault(); find("question").focus(); }
});
showHistory();
speak(language());
offerLanguage();
begin();
