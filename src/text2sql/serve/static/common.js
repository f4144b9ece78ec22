// What the pages share: asking the server, making elements, the token.
import { words } from "./words.js";

export class Trouble extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const token = () => sessionStorage.getItem("token") || "";
export const setToken = (value) => sessionStorage.setItem("token", value);

export async function call(path, body) {
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  const options = { headers };
  if (body !== undefined) {
    options.method = "POST";
    headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Trouble(0, words("The server does not answer. Is it still running?"));
  }
  const value = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new Trouble(response.status, value.error?.message || `The server answered ${response.status}.`);
  }
  return value;
}

// Text only ever gets in as text, so nothing a model or a database says can become markup.
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  Object.assign(element, properties);
  element.append(...children);
  return element;
}

export function draw(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export const find = (id) => document.getElementById(id);
