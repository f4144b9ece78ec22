// The API's description as a page, from /openapi.json.
import { call, find, make } from "./common.js";

const reference = (schema) => schema?.$ref?.split("/").pop();

function typeOf(schema) {
  if (!schema) return "";
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.type === "array") return `list of ${typeOf(schema.items) || "anything"}`;
  return reference(schema) || schema.type || "anything";
}

function operation(method, path, one) {
  const body = one.requestBody?.content?.["application/json"]?.schema;
  const answer = one.responses?.["200"]?.content?.["application/json"]?.schema;
  const parts = [make("p", {}, one.description || one.summary)];
  if (body) parts.push(make("p", {}, `Body: ${typeOf(body)}`));
  if (answer) parts.push(make("p", {}, `Answer: ${typeOf(answer)}`));
  if (path === "/text2sql") {
    parts.push(make("pre", {}, `curl -X POST ${location.origin}/text2sql -H 'Content-Type: application/json' \\\n  -d '{"question": "How many rows has each table?", "execute": true}'`));
  }
  return make("details", {}, make("summary", {}, `${method.toUpperCase()} ${path}`), ...parts);
}

function schema(name, one) {
  const rows = Object.entries(one.properties || {}).map(([key, value]) =>
    make("tr", {}, make("td", {}, key), make("td", {}, typeOf(value)), make("td", {}, one.required?.includes(key) ? "needed" : ""), make("td", {}, value.description || "")));
  return make("details", {}, make("summary", {}, name), make("p", {}, one.description || ""), make("div", { className: "scroll" }, make("table", {}, make("tbody", {}, ...rows))));
}

try {
  const api = await call("/openapi.json");
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, one] of Object.entries(methods)) find("paths").append(operation(method, path, one));
  }
  for (const [name, one] of Object.entries(api.components?.schemas || {})) find("schemas").append(schema(name, one));
} catch (error) {
  find("trouble").hidden = false;
  find("trouble").textContent = error.status === 401 ? "Give the token on the page Ask first." : error.message;
}
