// Rows as a table and a bar chart, a schema as a diagram.
import { draw, make } from "./common.js";

const BARS = 30;
const ruler = document.createElement("canvas").getContext("2d");

export function table(columns, rows) {
  const numeric = columns.map((_, i) => rows.length > 0 && rows.every((row) => row[i] === null || typeof row[i] === "number"));
  const head = make("tr", {}, ...columns.map((name, i) => make("th", { scope: "col", className: numeric[i] ? "n" : "" }, name)));
  const body = rows.map((row) =>
    make("tr", {}, ...row.map((value, i) =>
      make("td", { className: value === null ? "null" : numeric[i] ? "n" : "" }, value === null ? "NULL" : String(value)))));
  const whole = make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
  return make("div", { className: "scroll", tabIndex: 0 }, whole);
}

// A chart says something where each row has a label and a number, and there are a few rows.
export function chart(columns, rows, room) {
  if (rows.length < 2 || rows.length > BARS || columns.length < 2) return null;
  const values = columns.findIndex((_, i) => i > 0 && rows.every((row) => typeof row[i] === "number"));
  if (values < 0) return null;
  const label = columns.findIndex((_, i) => i !== values && rows.some((row) => typeof row[i] === "string"));
  const names = label < 0 ? 0 : label;
  const numbers = rows.map((row) => row[values]);
  const low = Math.min(0, ...numbers), high = Math.max(0, ...numbers);
  if (high === low) return null;
  const total = Math.min(660, room), left = Math.min(150, total * 0.34), width = total - left - 80;
  const longest = Math.floor(left / 7.2), step = 24, x = (value) => left + ((value - low) / (high - low)) * width;
  const picture = draw("svg", { width: total, viewBox: `0 0 ${total} ${rows.length * step + 8}`, role: "img", "aria-label": `${columns[values]} by ${columns[names]}` });
  rows.forEach((row, i) => {
    const text = String(row[names] ?? "NULL"), y = 4 + i * step, value = numbers[i];
    picture.append(
      draw("text", { x: left - 8, y: y + 15, "text-anchor": "end" }, text.length > longest ? `${text.slice(0, longest - 1)}…` : text),
      draw("rect", { class: "bar", x: Math.min(x(0), x(value)), y, width: Math.max(1, Math.abs(x(value) - x(0))), height: step - 6 }),
      draw("text", { x: Math.max(x(0), x(value)) + 6, y: y + 15 }, String(value)),
    );
  });
  return [picture, make("figcaption", {}, `${columns[values]} by ${columns[names]}`)];
}

// A name as much as fits, by the width of its letters.
function fitting(name, room) {
  let text = name;
  for (let end = name.length - 1; end > 0 && ruler.measureText(text).width > room; end--) text = `${name.slice(0, end)}…`;
  return text;
}

// Tables as boxes in two columns; foreign keys as lines between the columns that they join.
export function diagram(schema) {
  ruler.font = `12px ${getComputedStyle(document.body).fontFamily}`; // as style.css has it for svg
  const line = 18, width = 168, gap = 44, places = new Map(), heights = [0, 0];
  for (const one of schema.tables) {
    const side = heights[0] <= heights[1] ? 0 : 1;
    places.set(one.name, { x: 4 + side * (width + gap), y: heights[side] + 4, side });
    heights[side] += (one.columns.length + 1) * line + 26;
  }
  const total = [2 * width + gap + 30, Math.max(...heights) + 4];
  const picture = draw("svg", { width: total[0], height: total[1], viewBox: `0 0 ${total.join(" ")}`, role: "img", "aria-label": `Schema of ${schema.db_id}` });
  const rowOf = (name, column) => {
    const one = schema.tables.find((t) => t.name === name);
    const place = one && places.get(name);
    return place && { ...place, y: place.y + (one.columns.findIndex((c) => c.name === column) + 1.5) * line + 3 };
  };
  for (const key of schema.foreign_keys) {
    const from = rowOf(key.table, key.column), to = rowOf(key.ref_table, key.ref_column);
    if (!from || !to) continue;
    const same = from.side === to.side;
    const start = from.x + (same || from.side === 0 ? width : 0), end = to.x + (same || to.side === 0 ? width : 0);
    const bend = same ? [start + 28, end + 28] : [(start + end) / 2, (start + end) / 2];
    picture.append(draw("path", { class: "key", d: `M${start} ${from.y} C${bend[0]} ${from.y} ${bend[1]} ${to.y} ${end} ${to.y}` },
      draw("title", {}, `${key.table}.${key.column} → ${key.ref_table}.${key.ref_column}`)));
  }
  for (const one of schema.tables) {
    const { x, y } = places.get(one.name);
    picture.append(
      draw("rect", { class: "box", x, y, width, height: (one.columns.length + 1) * line + 10, rx: 5 }),
      draw("text", { class: "table", x: x + 8, y: y + 15 }, one.name),
      draw("line", { x1: x, x2: x + width, y1: y + line + 3, y2: y + line + 3 }),
    );
    one.columns.forEach((column, i) => {
      const place = y + (i + 2) * line;
      const type = column.type.slice(0, 8), name = (column.primary_key ? "◆ " : "") + column.name;
      const shown = draw("text", { x: x + 8, y: place }, fitting(name, width - 22 - ruler.measureText(type).width));
      shown.append(draw("title", {}, `${column.name} ${column.type}`));
      picture.append(shown, draw("text", { class: "type", x: x + width - 8, y: place, "text-anchor": "end" }, type));
    });
  }
  return picture;
}
