// Highlighting of SQL: one pass over its lexical units.
import { make } from "./common.js";

const KEYWORDS = new Set(
  ("select from where group by having order limit offset join left right inner outer full cross natural on using as and or not in is null like glob " +
    "between exists case when then else end union all intersect except distinct with recursive asc desc over partition values cast").split(" "),
);
const UNIT =
  /(?<comment>--[^\n]*|\/\*[\s\S]*?\*\/)|(?<string>'(?:[^']|'')*')|(?<name>"(?:[^"]|"")*"|`[^`]*`)|(?<number>\b\d+(?:\.\d+)?\b)|(?<word>[A-Za-z_]\w*)|(?<other>[\s\S])/g;

export function highlight(target, sql) {
  target.replaceChildren();
  for (const match of sql.matchAll(UNIT)) {
    const { comment, string, number, word } = match.groups;
    let kind = comment ? "comment" : string ? "string" : number ? "number" : "";
    if (word && KEYWORDS.has(word.toLowerCase())) kind = "keyword";
    else if (word && /^\s*\(/.test(sql.slice(match.index + word.length))) kind = "function";
    target.append(kind ? make("span", { className: kind }, match[0]) : match[0]);
  }
}
