// Everything from outside becomes text, never markup.
export const $ = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

export const button = (text, act, attributes = {}) => el("button", { type: "button", ...attributes, on: { click: act } }, text);

export async function call(method, path, body, raw) {
  const headers = raw ? { "Content-Type": "application/octet-stream" } : { "Content-Type": "application/json" };
  const answer = await fetch(path, { method, headers: method === "GET" ? {} : headers, body: raw ?? (body === undefined ? undefined : JSON.stringify(body)) });
  if (answer.status === 204) return null;
  const data = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(data?.error ?? data?.detail?.[0]?.msg ?? `The desk answered ${answer.status}.`);
  return data;
}
